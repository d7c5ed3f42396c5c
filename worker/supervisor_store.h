/*
 * The job store for the worker's loop: calls run one after the other in the thread pool, answers come on the loop's
 * thread. The store is opened by the first call, and again by the next one while it cannot be.
 */
#ifndef WORKER_SUPERVISOR_STORE_H
#define WORKER_SUPERVISOR_STORE_H

#include <stdbool.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/job/job_store.h"

struct supervisor_store;

/* Embedded in its owner, who keeps it until `done`. What `work` touches is the pool's until then. */
struct supervisor_store_call {
    enum err_code (*work)(struct job_store *store, void *context, struct err *err);
    void (*done)(void *context, enum err_code rc, const struct err *err);
    void *context;
    struct supervisor_store_call *next; /* the store's own, as the next */
    enum err_code rc;
    struct err err;
};

/* url is copied. */
enum err_code supervisor_store_create(struct supervisor_store **out, uv_loop_t *loop, const char *url,
                                      int retention_days, struct err *err) MUST_CHECK;

/* When the loop has ended: there are no calls. */
void supervisor_store_destroy(struct supervisor_store *store);

/* `done` comes once, not from within this. */
void supervisor_store_submit(struct supervisor_store *store, struct supervisor_store_call *call);

#endif
