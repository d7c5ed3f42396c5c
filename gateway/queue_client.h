/*
 * The gateway's side of the queues: one Redis connection on the loop for all of them. It makes each queue's consumer
 * group when it connects, and is ready once that is done: a server that takes no writes is none to hand jobs to.
 * Answers come on the loop's thread, once and never from within the call (but see redis_async_send).
 *
 *   AWAY ──connected──> GROUPING ──each queue has its group──> READY ──lost──> AWAY
 *                          └──refused (a replica, no memory left): tried again
 */
#ifndef GATEWAY_QUEUE_CLIENT_H
#define GATEWAY_QUEUE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/job/job_queue.h"
#include "common/job/job_routes.h"
#include "common/net/redis_async.h"
#include "common/net/redis_url.h"

struct queue_client;

struct queue_client_config {
    struct redis_url url;
    const struct job_queue_names *queues; /* all that are served; borrowed as long as the client lives */
    int retry_ms;                         /* between two tries to make the groups; 0: 1000 */
};

enum err_code queue_client_create(struct queue_client **out, uv_loop_t *loop, const struct queue_client_config *config,
                                  struct err *err) MUST_CHECK;

/* Called each time it becomes ready: what the queues kept may not be what they had. NULL: nobody (any more). */
typedef void (*queue_client_ready_fn)(void *context);
void queue_client_watch(struct queue_client *client, queue_client_ready_fn fn, void *context);

const struct job_queue_names *queue_client_queues(const struct queue_client *client);

/* Whether a call now would reach Redis and could change something, as far as is known. */
bool queue_client_is_ready(const struct queue_client *client);

/* Why not, for a message: "the queue's Redis is away". */
const char *queue_client_reason(const struct queue_client *client);

/* How often its connection was made anew. */
uint64_t queue_client_reconnects(const struct queue_client *client);

/* Any command of the queue's contract. */
void queue_client_send(struct queue_client *client, const struct redis_command *command, redis_async_reply_fn fn,
                       void *context);

/*
 * err NULL: done, and `id` is the job that the outcome speaks of. ERR_UNAVAILABLE: certainly not done. ERR_NETWORK or
 * ERR_CANCELLED: it may have been done, the answer was lost.
 */
typedef void (*queue_client_enqueued_fn)(void *context, enum job_queue_enqueued outcome, const char *id,
                                         const struct err *err);
void queue_client_enqueue(struct queue_client *client, const struct job_queue_enqueue *job, queue_client_enqueued_fn fn,
                          void *context);

/* A job's HASH in that queue as a JSON object of texts, taken by the callee; NULL with err: ERR_NOT_FOUND where there
 * is none. */
typedef void (*queue_client_described_fn)(void *context, struct json *fields, const struct err *err);
void queue_client_describe(struct queue_client *client, const char *queue, const char *id, queue_client_described_fn fn,
                           void *context);

/* Tells who follows a job of an end that the documents alone know; at most once. */
void queue_client_tell(struct queue_client *client, const char *queue, const char *id, enum job_state state);

/* An answer to any other command: where Redis refused to write (no memory left, a replica), it is not ready until it
 * takes a write again. Logs that once. */
void queue_client_note_refusal(struct queue_client *client, const struct redis_reply *reply, const struct err *err);

/* What is pending is answered ERR_CANCELLED; on_closed runs when all is closed and the client is gone. Idempotent. */
typedef void (*queue_client_closed_fn)(void *context);
void queue_client_close(struct queue_client *client, queue_client_closed_fn on_closed, void *context);

#endif
