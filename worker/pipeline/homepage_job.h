/*
 * The job homepage_and_similar_products as a chain of stages: fetch, outliers, analytics, weigh, matrix, als,
 * recommend, evaluate, publish, report. It knows neither processes nor Redis: what it reads and writes comes as a
 * source, a cache and a sink.
 */
#ifndef WORKER_PIPELINE_HOMEPAGE_JOB_H
#define WORKER_PIPELINE_HOMEPAGE_JOB_H

#include <stdbool.h>

#include "common/net/json_value.h"
#include "worker/als/als.h"
#include "worker/pipeline/analytics.h"
#include "worker/pipeline/evaluation.h"
#include "worker/pipeline/fetch.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"
#include "worker/pipeline/publish.h"
#include "worker/pipeline/recommend.h"
#include "worker/pipeline/weigh.h"

struct homepage_params {
    struct fetch_params fetch;
    struct outlier_params outliers;
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
    const char *dump_dir;       /* NULL: no dump */
};

struct homepage_inputs {
    struct source source;
    struct cache *cache;
    const struct blob_store *factors; /* where the last run's are kept; NULL: nowhere */
    struct sink sink;
    struct progress progress;
    const struct json *last_published; /* the report that the guard compares with; NULL: none */
};

/*
 * *report (the caller's; made even when the run fails, with what was known by then): stages [{name, seconds, rows_in,
 * rows_out, dropped {reason: n}, notes}], counts, analytics, matrix, loss, metrics, published, samples, warnings,
 * text.
 */
enum err_code homepage_job_run(struct json **report, const struct homepage_params *params,
                               const struct homepage_inputs *inputs, struct err *err) MUST_CHECK;

#endif
