/*
 * The gateway's side of the queue: one Redis connection on the loop, which makes the consumer group when it connects
 * and promotes due jobs each second. Answers come on the loop's thread, once and never from within the call.
 */
#ifndef GATEWAY_QUEUE_CLIENT_H
#define GATEWAY_QUEUE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/job/job_queue.h"
#include "common/net/redis_url.h"

struct queue_client;

/* A job left `delay`: queued, or superseded since its lock is held. `fence` is the last it ran with, or 0. */
typedef void (*queue_client_promoted_fn)(void *context, const char *id, int64_t fence, bool superseded);

struct queue_client_config {
    struct redis_url url;
    const char *queue; /* its name; borrowed */
    int promote_ms;    /* how often due jobs are looked for; 0: 1000 */
    queue_client_promoted_fn on_promoted;
    void *context;
};

enum err_code queue_client_create(struct queue_client **out, uv_loop_t *loop, const struct queue_client_config *config,
                                  struct err *err) MUST_CHECK;

/* Whether a call now would reach Redis, as far as is known. */
bool queue_client_is_ready(const struct queue_client *client);

/*
 * err NULL: done, and `id` is the job that the outcome speaks of. ERR_UNAVAILABLE: certainly not done. ERR_NETWORK or
 * ERR_CANCELLED: it may have been done, the answer was lost.
 */
typedef void (*queue_client_enqueued_fn)(void *context, enum job_queue_enqueued outcome, const char *id,
                                         const struct err *err);
void queue_client_enqueue(struct queue_client *client, const struct job_queue_enqueue *job, queue_client_enqueued_fn fn,
                          void *context);

/* The job's HASH as a JSON object of texts, taken by the callee; NULL with err: ERR_NOT_FOUND where there is none. */
typedef void (*queue_client_described_fn)(void *context, struct json *fields, const struct err *err);
void queue_client_describe(struct queue_client *client, const char *id, queue_client_described_fn fn, void *context);

/* What is pending is answered ERR_CANCELLED; on_closed runs when all is closed and the client is gone. Idempotent. */
typedef void (*queue_client_closed_fn)(void *context);
void queue_client_close(struct queue_client *client, queue_client_closed_fn on_closed, void *context);

#endif
