/*
 * One job from its parameters to its end: fences raised, source, cache and sink made of the settings, the pipeline run.
 * What the child and --once share.
 */
#ifndef WORKER_RUN_JOB_H
#define WORKER_RUN_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/job/job.h"
#include "worker/child_line.h"
#include "worker/connect/redis_sink.h"
#include "worker/pipeline/progress.h"
#include "worker/settings.h"

/* Borrowed for the call. */
struct run_job_request {
    enum job_type type;
    const struct json *params; /* NULL: none; checked here */
    int64_t fence;
    const struct json *last_published; /* the report that the guard compares with; NULL: none */
    const struct json *earlier; /* the report of an earlier attempt at it, where that can be gone on from; NULL */
    const char *dump_dir;       /* NULL: none */
    int64_t now_s;
    struct progress progress;
    redis_sink_permit_fn permit; /* NULL: publish at will */
    void *permit_context;
};

/* Whether such a job changes what others read, under a fence (publish=false does not). */
bool run_job_publishes(enum job_type type, const struct json *params);

/* ERR_ARGUMENT for a type, or parameters, that cannot be run with these settings, which are of the job's shop. */
enum err_code run_job_check(const struct worker_settings *settings, const struct run_job_request *request,
                            struct err *err) MUST_CHECK;

/* *end tells all, its error too; it goes to child_end_fini. */
void run_job_run(struct child_end *end, const struct worker_settings *settings, const struct run_job_request *request);

#endif
