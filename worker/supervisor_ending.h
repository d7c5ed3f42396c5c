/*
 * The end of an attempt: report and document to the store, then the queue is told; both are tried again while they are
 * away. The document turns terminal before the queue's HASH does. Nothing is written of a lost job.
 */
#ifndef WORKER_SUPERVISOR_ENDING_H
#define WORKER_SUPERVISOR_ENDING_H

#include <stdint.h>
#include <uv.h>

#include "common/job/job_queue.h"
#include "common/net/redis_async.h"
#include "worker/supervisor_news.h"
#include "worker/supervisor_outcome.h"
#include "worker/supervisor_store.h"

struct supervisor_ending;

/* Texts are borrowed as long as it lives. */
struct supervisor_ending_config {
    uv_loop_t *loop;
    struct redis_async *redis;
    struct supervisor_news *news;
    struct supervisor_store *store;
    const char *queue;
    const char *worker;
    struct job_queue_lease lease;
    int errors;                           /* before this attempt */
    void (*before_answer)(void *context); /* the queue is about to be told: beats must end */
    /* the last call; it is gone then. fenced: the queue took no answer, since another has the job */
    void (*on_ended)(void *context, bool fenced);
    void *context;
};

/* Borrows *outcome until on_ended. */
enum err_code supervisor_ending_start(struct supervisor_ending **out, const struct supervisor_ending_config *config,
                                      const struct supervisor_outcome *outcome, struct err *err) MUST_CHECK;

/* The job was lost, or there is no more time: nothing further is tried. */
void supervisor_ending_abandon(struct supervisor_ending *ending);

/* The members of the document that an outcome sets. NULL when out of memory. */
struct json *supervisor_ending_changes(const struct supervisor_outcome *outcome, int errors, int64_t now_ms);

#endif
