/*
 * The stages that every job begins with: fetch and outliers leave the rows that count, and the catalogue; analytics
 * looks at them.
 */
#ifndef WORKER_PIPELINE_JOB_ROWS_H
#define WORKER_PIPELINE_JOB_ROWS_H

#include "worker/pipeline/analytics.h"
#include "worker/pipeline/job_run.h"

struct job_rows_params {
    struct fetch_params fetch;
    struct outlier_params outliers;
};

/* Each is a stage's work. `fetch` goes to fetch_result_fini also after a failure. */
enum err_code job_rows_fetch(struct job_run *run, struct fetch_result *fetch, const struct job_rows_params *params,
                             struct report_stage *stage, struct err *err) MUST_CHECK;

/* ERR_NO_DATA where no rows are left. */
enum err_code job_rows_outliers(struct job_run *run, struct fetch_result *fetch, const struct job_rows_params *params,
                                struct report_stage *stage, struct err *err) MUST_CHECK;

/* What fails here but a cancel is a warning: the run goes on. */
enum err_code job_rows_analytics(struct job_run *run, const struct fetch_result *fetch,
                                 const struct analytics_params *params, struct report_stage *stage,
                                 struct err *err) MUST_CHECK;

#endif
