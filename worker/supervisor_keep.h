/*
 * What a run tells of its report before it ends, on its way to the store: one at a time, and of those that come
 * meanwhile the newest. One that cannot be stored is no loss: the next, or the run's end, has it all.
 */
#ifndef WORKER_SUPERVISOR_KEEP_H
#define WORKER_SUPERVISOR_KEEP_H

#include <stdbool.h>

#include "common/job/job_queue.h"
#include "common/net/json_value.h"
#include "worker/supervisor_store.h"

/* Embedded in its owner, who keeps it until it is idle. Init with the first four. */
struct supervisor_keep {
    struct supervisor_store *store;
    const struct job_queue_lease *lease;
    void (*on_idle)(void *context); /* not from within supervisor_keep_take */
    void *context;
    struct supervisor_store_call call; /* its own, as the next */
    struct json *report;               /* the pool's while a call is under way */
    struct json *waiting;
    bool is_busy;
};

/* Takes the report. */
void supervisor_keep_take(struct supervisor_keep *keep, struct json *report);

/* A copy with what the store finds it by, for the caller; NULL when out of memory or for NULL. The guard compares with
 * successes only. */
struct json *supervisor_keep_document(const struct json *report, const struct job_queue_lease *lease, bool succeeded);

#endif
