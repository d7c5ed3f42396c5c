/*
 * What the combinations of a search came to, and as JSON: what an earlier attempt found out is read back from its
 * report, so that nothing is trained twice.
 */
#ifndef WORKER_PIPELINE_SEARCH_RESULTS_H
#define WORKER_PIPELINE_SEARCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/als/evaluate.h"
#include "worker/pipeline/search_grid.h"

enum { SEARCH_K = 10, SEARCH_SHORT_K = 5 };

struct search_metrics {
    double precision; /* at SEARCH_K, as the others */
    double precision_short;
    double map;
    double ndcg;
    double auc;
};

struct search_result {
    struct search_point point;
    bool has_ended;
    bool failed;
    bool reused; /* of an earlier attempt */
    bool usual;  /* the point of the settings */
    struct search_metrics metrics;
    double score;
    double loss;        /* after the last iteration */
    double seconds;     /* to train and to measure it */
    int continued_from; /* iterations that another combination had trained; 0: none */
    struct err err;     /* where it failed */
};

/* Of lists without a hit, whose AUC is a half. */
#define SEARCH_SCORE_OF_NOTHING .1

/* .25 P@10 + .20 P@5 + .20 AUC@10 + .20 MAP@10 + .15 NDCG@10 */
double search_score(const struct search_metrics *metrics);

struct search_metrics search_metrics_of(const struct evaluate_metrics *at_k, const struct evaluate_metrics *at_short_k);

/* The best that has ended; of equal ones the first. `count`: none has. */
size_t search_results_best(const struct search_result *results, size_t count);

/* {solver, factors, regularization, alpha, iterations} */
struct json *search_point_json(const struct search_point *point);

/* {precision_at_10, precision_at_5, map_at_10, ndcg_at_10, auc_at_10} */
struct json *search_metrics_json(const struct search_metrics *metrics);

/* {params, score, metrics, loss, seconds, continued_from, reused, usual}, or {params, error {code,
 * message}, usual} */
struct json *search_result_json(const struct search_result *result);

/* Marks as ended, with its figures, each result whose point succeeded in `all_results` of an earlier report; how many.
 */
size_t search_results_take(struct search_result *results, size_t count, const struct json *all_results);

#endif
