/*
 * The job cross_sell as a chain of stages: fetch, outliers, analytics, pairs, publish.
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_JOB_H
#define WORKER_PIPELINE_CROSS_SELL_JOB_H

#include "worker/pipeline/analytics.h"
#include "worker/pipeline/cross_sell_lists.h"
#include "worker/pipeline/job_rows.h"
#include "worker/pipeline/job_run.h"
#include "worker/pipeline/publish.h"

struct cross_sell_job_params {
    struct job_rows_params rows;
    struct analytics_params analytics;
    struct cross_sell_params pairs;
    struct cross_sell_list_params lists;
    struct publish_params publish;
    const char *sample_product; /* shown in the report; NULL or "": the one with the largest sum of weights */
};

/* *report is job_run's, with analytics, cross_sell, published and samples. */
enum err_code cross_sell_job_run(struct json **report, const struct cross_sell_job_params *params,
                                 const struct job_inputs *inputs, struct err *err) MUST_CHECK;

#endif
