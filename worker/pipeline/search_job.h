/*
 * The job hyperparameter_search as a chain of stages: fetch, outliers, split, search. The data are prepared once; each
 * combination is trained, measured and reported as it ends.
 */
#ifndef WORKER_PIPELINE_SEARCH_JOB_H
#define WORKER_PIPELINE_SEARCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/als/als.h"
#include "worker/pipeline/job_rows.h"
#include "worker/pipeline/job_run.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/search_grid.h"
#include "worker/pipeline/weigh.h"

enum search_validation { SEARCH_BY_TIME, SEARCH_RANDOM, SEARCH_LAST_OUT };

struct search_params {
    struct job_rows_params rows;
    struct weigh_params weigh;
    struct matrix_params matrix;
    struct als_params als; /* the point of the settings, and what all combinations share */
    struct search_grid grid;
    size_t most_combinations;
    uint64_t search_seed;
    enum search_validation validation;
    int test_days;              /* SEARCH_BY_TIME */
    bool bm25_before;           /* the others */
    bool warm_start;            /* a combination goes on from the one with fewer iterations */
    int64_t keep_every_ms;      /* how often the report so far is kept, at most: 1,000 */
    const struct json *given;   /* the job's parameters, for best_params; NULL: none */
    const struct json *earlier; /* the report of an earlier attempt at this job, whose `now` this one has; NULL: none */
    const char *not_resumed;    /* why there is an earlier report and it is not taken; NULL */
};

/*
 * *report is job_run's, with matrix and what search_report.h says. While it runs, the report so far goes to
 * inputs->progress, with "partial": true. A report with "resumable": true may be the `earlier` of a next attempt: its
 * results count where "data" is the same, else the search starts anew and warns. A combination that fails is listed;
 * the job fails where all do.
 */
enum err_code search_job_run(struct json **report, const struct search_params *params, const struct job_inputs *inputs,
                             struct err *err) MUST_CHECK;

#endif
