/*
 * The job warehouse as a chain of stages: fetch, outliers, interactions, weights, products, swap. Rows and weights are
 * handed on in batches: beside the rows themselves no more than one is in memory.
 */
#ifndef WORKER_PIPELINE_WAREHOUSE_JOB_H
#define WORKER_PIPELINE_WAREHOUSE_JOB_H

#include "worker/pipeline/cross_sell.h"
#include "worker/pipeline/job_rows.h"
#include "worker/pipeline/job_run.h"
#include "worker/pipeline/shop_time.h"

struct warehouse_params {
    struct job_rows_params rows;
    struct cross_sell_params weights;
    shop_time_offset_fn offset_s; /* NULL: UTC */
};

/* *report is job_run's, with "warehouse" {users, products (that were met), interactions, weights}. The fence of
 * inputs->warehouse was raised. */
enum err_code warehouse_job_run(struct json **report, const struct warehouse_params *params,
                                const struct job_inputs *inputs, struct err *err) MUST_CHECK;

#endif
