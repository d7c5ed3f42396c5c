/*
 * Finds the next job: one whose lease ran out, else a new one, and starts it. It never has more than one. States: IDLE
 * -> SEARCHING -> STARTED (the owner has a job, and calls search when it is over); stop() makes it IDLE for good.
 */
#ifndef WORKER_SUPERVISOR_INTAKE_H
#define WORKER_SUPERVISOR_INTAKE_H

#include <uv.h>

#include "common/job/job_settings.h"
#include "common/net/redis_async.h"
#include "worker/supervisor_attempt.h"
#include "worker/supervisor_news.h"
#include "worker/supervisor_store.h"

struct supervisor_intake;

/* Pointers are borrowed as long as it lives. */
struct supervisor_intake_config {
    uv_loop_t *loop;
    struct redis_async *redis;
    struct redis_async *reader;   /* of its own, since reading blocks */
    struct supervisor_news *news; /* of both */
    struct supervisor_store *store;
    const struct job_settings *settings;
    const char *worker;
    void (*on_started)(void *context, const struct supervisor_started *started);
    void (*on_stopped)(void *context); /* after stop, when nothing is under way */
    void *context;
};

enum err_code supervisor_intake_create(struct supervisor_intake **out, const struct supervisor_intake_config *config,
                                       struct err *err) MUST_CHECK;

/* Looks for a job until there is one. */
void supervisor_intake_search(struct supervisor_intake *intake);

/* Starts an entry that was released once more, with a fence above `floor_fence`. */
void supervisor_intake_restart(struct supervisor_intake *intake, const struct job_queue_entry *entry,
                               int64_t floor_fence);

/* An entry that is just being started may still come by on_started. */
void supervisor_intake_stop(struct supervisor_intake *intake);

/* When it is stopped and the connections are closed. */
void supervisor_intake_close(struct supervisor_intake *intake);

#endif
