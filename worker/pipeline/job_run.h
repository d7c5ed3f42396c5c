/*
 * What every job is made of: what it reads and writes, and stages that run one behind the other, each timed, told and
 * reported. A job knows neither processes nor Redis.
 */
#ifndef WORKER_PIPELINE_JOB_RUN_H
#define WORKER_PIPELINE_JOB_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/cache.h"
#include "worker/pipeline/progress.h"
#include "worker/pipeline/report.h"
#include "worker/pipeline/sink.h"
#include "worker/pipeline/source.h"
#include "worker/pipeline/warehouse.h"

/* Borrowed for the run. */
struct job_inputs {
    struct source source;
    struct cache *cache;              /* NULL: none */
    const struct blob_store *factors; /* where the last run's are kept; NULL: nowhere */
    struct sink sink;
    struct warehouse warehouse; /* of jobs that load one */
    struct progress progress;
    const struct json *last_published; /* the report that the guard compares with; NULL: none */
    const char *dump_dir;              /* NULL: no dump */
};

struct job_run {
    const struct job_inputs *inputs;
    struct json *report;
    struct json *counts; /* of the dump's counts.json */
};

/* `job` is the one of the plan. */
typedef enum err_code (*job_stage_fn)(void *job, struct report_stage *stage, struct err *err);

struct job_stage {
    const char *name;
    job_stage_fn fn;
};

struct job_plan {
    const char *type;
    int64_t now_s;
    const struct job_stage *stages;
    size_t stage_count;
    void *job;
};

/*
 * Runs the stages up to the first that fails. *report (the caller's; made even when the run fails, with what was known
 * by then) has the stages, counts, warnings, the error and the text; `run` is that of the job, with `inputs` set.
 */
enum err_code job_run_stages(struct json **report, struct job_run *run, const struct job_plan *plan,
                             struct err *err) MUST_CHECK;

/* Counts what a stage left out under a reason. */
void job_run_add_dropped(struct report_stage *stage, const char *reason, size_t count);

#endif
