/*
 * What a worker tells Prometheus of its jobs, on METRICS_LISTEN. A port that is taken is a warning: training goes on
 * without. All on the loop's thread.
 */
#ifndef WORKER_WORKER_METRICS_H
#define WORKER_WORKER_METRICS_H

#include <uv.h>

#include "common/job/job_queue.h"
#include "common/net/metrics_listener.h"
#include "common/net/redis_async.h"
#include "worker/supervisor_outcome.h"

struct worker_metrics;

/* The connections are asked until worker_metrics_close. */
struct worker_metrics_config {
    uv_loop_t *loop;
    struct metrics_address address;
    const struct redis_async *redis;
    const struct redis_async *reader;
};

enum err_code worker_metrics_create(struct worker_metrics **out, const struct worker_metrics_config *config,
                                    struct err *err) MUST_CHECK;

/* Before the connections close; frees it. NULL is accepted. */
void worker_metrics_close(struct worker_metrics *metrics);

/* An attempt at a job begins, and is over. */
void worker_metrics_begin(struct worker_metrics *metrics, const struct job_queue_lease *lease);
void worker_metrics_end(struct worker_metrics *metrics, const struct job_queue_lease *lease,
                        const struct supervisor_outcome *outcome);

#endif
