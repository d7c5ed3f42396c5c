/*
 * The job homepage_and_similar_products as a chain of stages: fetch, outliers, analytics, weigh, matrix, als,
 * recommend, evaluate, publish.
 */
#ifndef WORKER_PIPELINE_HOMEPAGE_JOB_H
#define WORKER_PIPELINE_HOMEPAGE_JOB_H

#include <stdbool.h>

#include "worker/als/als.h"
#include "worker/pipeline/analytics.h"
#include "worker/pipeline/job_rows.h"
#include "worker/pipeline/job_run.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/publish.h"
#include "worker/pipeline/recommend.h"
#include "worker/pipeline/weigh.h"

struct homepage_params {
    struct job_rows_params rows;
    struct analytics_params analytics;
    struct weigh_params weigh;
    struct matrix_params matrix;
    struct als_params als;
    bool warm_start;     /* begins with the factors of the last run */
    int warm_iterations; /* of such a training; als.iterations of a cold one */
    struct recommend_params recommend;
    int evaluation_days; /* held out to measure the model by; 0: it is not measured */
    struct publish_params publish;
    const char *sample_user;    /* shown in the report; NULL: the user with most rows */
    const char *sample_product; /* NULL or "": the most sold */
};

/* *report is job_run's, with analytics, matrix, loss, metrics, published and samples. */
enum err_code homepage_job_run(struct json **report, const struct homepage_params *params,
                               const struct job_inputs *inputs, struct err *err) MUST_CHECK;

#endif
