/*
 * The job store for an event loop: calls run in the thread pool, answers come on the loop's thread. Outstanding calls
 * are bounded. Inserts of many requests share one commit (store_batch.h), and each is answered by its own result. A
 * store that is away is tried by one call at a time, at most each second; the others are told so at once.
 * States: PROBING (one call is out, the others wait for it) -> OPEN <-> AWAY; from AWAY the next call probes.
 */
#ifndef GATEWAY_STORE_CLIENT_H
#define GATEWAY_STORE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/job/job_new.h"
#include "common/job/job_store.h"
#include "common/net/json_value.h"
#include "gateway/store_work.h"

enum { STORE_CLIENT_MAX_OUTSTANDING = 512 };

/* Starts to open the store; `url` is borrowed as long as the client lives. */
enum err_code store_client_create(struct store_client **out, uv_loop_t *loop, const char *url, int retention_days,
                                  struct err *err) MUST_CHECK;

/*
 * Each asks the store and answers by `fn`, once and not from within this call. When it refuses (too many calls are
 * outstanding, the store is known to be away) it returns why, and `fn` is not called.
 */
enum err_code store_client_insert(struct store_client *client, const struct job_new *job, store_client_fn fn,
                                  void *context, struct err *err) MUST_CHECK;
enum err_code store_client_get(struct store_client *client, const char *id, store_client_fn fn, void *context,
                               struct err *err) MUST_CHECK;
enum err_code store_client_get_report(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                      struct err *err) MUST_CHECK;

/* Arrays of documents, as job_store_find and job_store_list_unfinished give them. */
enum err_code store_client_find(struct store_client *client, const struct job_store_filter *filter, store_client_fn fn,
                                void *context, struct err *err) MUST_CHECK;
enum err_code store_client_list_unfinished(struct store_client *client, int64_t created_before_ms, const char *after,
                                           int limit, store_client_fn fn, void *context, struct err *err) MUST_CHECK;

/* As job_store's; `changes` is taken. */
enum err_code store_client_request_cancel(struct store_client *client, const char *id, const char *reason,
                                          store_client_fn fn, void *context, struct err *err) MUST_CHECK;
enum err_code store_client_reopen(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                  struct err *err) MUST_CHECK;
enum err_code store_client_change(struct store_client *client, const char *id, int64_t fence, struct json *changes,
                                  store_client_fn fn, void *context, struct err *err) MUST_CHECK;

/* Whether it answers; and job_store_last_successes. */
enum err_code store_client_ping(struct store_client *client, store_client_fn fn, void *context,
                                struct err *err) MUST_CHECK;
enum err_code store_client_last_successes(struct store_client *client, store_client_fn fn, void *context,
                                          struct err *err) MUST_CHECK;

/* As job_store's. */
enum err_code store_client_latest_analytics(struct store_client *client, const char *shop, store_client_fn fn,
                                            void *context, struct err *err) MUST_CHECK;

/* How many calls of each operation there were, and how many failed (other than not found, or there already); of
 * "insert_batch": how many commits the inserts took, of "note": how many were left out. */
typedef void (*store_client_count_fn)(void *context, const char *operation, uint64_t calls, uint64_t failures);
void store_client_each_count(const struct store_client *client, store_client_count_fn fn, void *context);

/* What follows from a call that was answered already: nobody waits for it, and a failure is only logged. Not bounded,
 * since each follows from a bounded one. `changes` is taken. */
void store_client_update(struct store_client *client, const char *id, int64_t fence, struct json *changes);
void store_client_delete_accepted(struct store_client *client, const char *id);

/* That the queue has the job: its state, and since when it is queued (0: it is not). It is found out in another way
 * too, so that it may be left out while more inserts come in than the store keeps up with, and while it is away. */
void store_client_note(struct store_client *client, const char *id, int64_t fence, enum job_state state,
                       int64_t queued_ms);

/* Takes no more calls; on_closed runs when the last is done and the client is gone. Idempotent. */
typedef void (*store_client_closed_fn)(void *context);
void store_client_close(struct store_client *client, store_client_closed_fn on_closed, void *context);

#endif
