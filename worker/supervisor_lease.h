/*
 * Keeps the lease of one running attempt: beats every so often, and at each new stage, until it is stopped.
 */
#ifndef WORKER_SUPERVISOR_LEASE_H
#define WORKER_SUPERVISOR_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/job/job_queue.h"
#include "common/net/redis_async.h"
#include "worker/supervisor_news.h"

struct supervisor_lease;

/* What a beat was answered. */
typedef void (*supervisor_lease_fn)(void *context, enum job_queue_beaten answer);

/* Texts are borrowed as long as it lives. */
struct supervisor_lease_config {
    uv_loop_t *loop;
    struct redis_async *redis;
    struct supervisor_news *news;
    const char *queue;
    const char *worker;
    struct job_queue_lease lease;
    int64_t lease_ms;
    int64_t heartbeat_ms;
    supervisor_lease_fn on_beat;
    void *context;
};

/* The start that gave the lease counts as its first beat. */
enum err_code supervisor_lease_create(struct supervisor_lease **out, const struct supervisor_lease_config *config,
                                      struct err *err) MUST_CHECK;

/* For the next beats; a new stage is told at once, and who watches sees it move each second. */
void supervisor_lease_tell(struct supervisor_lease *lease, const char *stage, double progress);

/* Beats now, unless a beat is under way. */
void supervisor_lease_beat(struct supervisor_lease *lease);

/* Whether a beat that was sent within the lease was answered well: nobody else can have the job. */
bool supervisor_lease_is_held(const struct supervisor_lease *lease);

/* Whether the last beat that was answered well told this stage. */
bool supervisor_lease_has_told(const struct supervisor_lease *lease, const char *stage);

/* No more beats; on_beat is not called any more. */
void supervisor_lease_stop(struct supervisor_lease *lease);

/* Stops and frees it; on_closed runs when it is gone. */
void supervisor_lease_close(struct supervisor_lease *lease, void (*on_closed)(void *context), void *context);

#endif
