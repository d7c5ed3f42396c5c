/*
 * The job store for an event loop: calls run in the thread pool, answers come on the loop's thread. Outstanding calls
 * are bounded. A store that is away is tried by one call at a time, at most each second; the others are told so at
 * once. States: PROBING (one call is out, the others wait for it) -> OPEN <-> AWAY; from AWAY the next call probes.
 */
#ifndef GATEWAY_STORE_CLIENT_H
#define GATEWAY_STORE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/net/json_value.h"

enum { STORE_CLIENT_MAX_OUTSTANDING = 512 };

struct store_client;

/* What a call came to. Who wants to keep the document sets it to NULL here. */
struct store_result {
    enum err_code code;
    struct err err; /* where code is not ERR_OK */
    struct json *document;
};

typedef void (*store_client_fn)(void *context, struct store_result *result);

/* Starts to open the store; `url` is borrowed as long as the client lives. */
enum err_code store_client_create(struct store_client **out, uv_loop_t *loop, const char *url, int retention_days,
                                  struct err *err) MUST_CHECK;

/*
 * Each asks the store and answers by `fn`, once and not from within this call. When it refuses (too many calls are
 * outstanding, the store is known to be away) it returns why, and `fn` is not called. The document is taken.
 */
enum err_code store_client_insert(struct store_client *client, struct json *document, store_client_fn fn, void *context,
                                  struct err *err) MUST_CHECK;
enum err_code store_client_get(struct store_client *client, const char *id, store_client_fn fn, void *context,
                               struct err *err) MUST_CHECK;
enum err_code store_client_get_report(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                      struct err *err) MUST_CHECK;

/* Up to `limit` documents of that state, newest first, as a JSON array. */
enum err_code store_client_list(struct store_client *client, const char *state, int limit, store_client_fn fn,
                                void *context, struct err *err) MUST_CHECK;

/* What follows from a call that was answered already: nobody waits for it, and a failure is only logged. Not bounded,
 * since each follows from a bounded one. `changes` is taken. */
void store_client_update(struct store_client *client, const char *id, int64_t fence, struct json *changes);
void store_client_delete_accepted(struct store_client *client, const char *id);

/* Takes no more calls; on_closed runs when the last is done and the client is gone. Idempotent. */
typedef void (*store_client_closed_fn)(void *context);
void store_client_close(struct store_client *client, store_client_closed_fn on_closed, void *context);

#endif
