/*
 * One attempt at a job: the document is looked at, a child runs it, the lease is kept meanwhile, and the end is stored
 * and told. It stands between child and queue: what the child publishes, it publishes on this one's word.
 * Steps: beginning (store) -> running (child) -> ending (store, queue) -> over.
 */
#ifndef WORKER_SUPERVISOR_ATTEMPT_H
#define WORKER_SUPERVISOR_ATTEMPT_H

#include <uv.h>

#include "common/job/job_queue.h"
#include "common/job/job_settings.h"
#include "common/net/redis_async.h"
#include "worker/supervisor_news.h"
#include "worker/supervisor_outcome.h"
#include "worker/supervisor_store.h"

struct supervisor_attempt;

/* A job that `start` gave to this worker. */
struct supervisor_started {
    const char *queue; /* it came from; lives as long as the settings */
    struct job_queue_lease lease;
    const char *args; /* {"params":…,"namespace":…} */
    int errors;       /* before this attempt */
    int max_errors;
    const struct err *unreadable; /* its type or arguments cannot be read: it ends dead; NULL: they can */
};

/* Pointers are borrowed as long as it lives. */
struct supervisor_attempt_config {
    uv_loop_t *loop;
    struct redis_async *redis;
    struct supervisor_news *news; /* of redis */
    struct supervisor_store *store;
    const struct job_settings *settings;
    const char *worker;
    const char *env_file; /* NULL: none was named */
    /* the last call; it is gone behind it */
    void (*on_over)(void *context, const struct job_queue_lease *lease, const struct supervisor_outcome *outcome);
    void *context;
};

/* *started is copied. */
enum err_code supervisor_attempt_start(struct supervisor_attempt **out, const struct supervisor_attempt_config *config,
                                       const struct supervisor_started *started, struct err *err) MUST_CHECK;

/* The connection to the queue is back. */
void supervisor_attempt_on_ready(struct supervisor_attempt *attempt);

/* Ends the child and gives the job back; what is at its end already goes on to end. */
void supervisor_attempt_give_back(struct supervisor_attempt *attempt);

/* There is no more time: it ends without store and queue where these do not answer. */
void supervisor_attempt_abandon(struct supervisor_attempt *attempt);

#endif
