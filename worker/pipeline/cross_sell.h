/*
 * Stage: what is looked at or bought together (golden steps 10 to 12). For every two rows l and r of one user with
 * t_l < t_r, or t_l = t_r and different products, and t_r < t_l + session:
 *   weight(product_l, product_r) += w(action_r) exp(-((t_r - t_l) / decay)^2).
 * Rows are ordered by user and time, and each has a window of those that follow it; the left products are gone through
 * one by one. Memory grows with rows and products, not with pairs of either.
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_H
#define WORKER_PIPELINE_CROSS_SELL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/interactions.h"
#include "worker/pipeline/progress.h"

struct cross_sell_params {
    int min_user_rows;            /* rows of users with fewer are left out: 3 */
    int min_product_rows;         /* 5; both are counted before anything is left out */
    double weights[ACTION_COUNT]; /* w: purchase 1, … */
    double decay_days;            /* 25 */
    double session_hours;         /* 12 */
};

/* All weights of one left product. */
struct cross_sell_row {
    int64_t product_id;
    size_t count;          /* of weights that are not 0 */
    const uint32_t *right; /* [count], ascending: indices of product_ids, which ascend likewise */
    const double *weights; /* by index of product */
    const int64_t *product_ids;
};

/* Called for each left product, by id. What it is given is gone when it returns; an error ends the stage. */
typedef enum err_code (*cross_sell_visit_fn)(void *context, const struct cross_sell_row *row, struct err *err);

struct cross_sell_visitor {
    cross_sell_visit_fn fn;
    void *context;
};

struct cross_sell_counts {
    size_t users_seen;
    size_t products_seen;
    size_t users_over_threshold;
    size_t products_over_threshold;
    size_t rows;           /* of both */
    uint64_t merge_rows;   /* the sum of the squares of the users' rows: what a join would make */
    size_t merge_max_rows; /* of one user */
    size_t left_products;
    size_t right_products;
    uint64_t product_pairs; /* weights that are not 0 */
    double weight_sum;
};

/* ERR_NO_DATA where nothing is over the thresholds, or no two rows are near each other; ERR_CANCELLED. */
enum err_code cross_sell_run(struct cross_sell_counts *counts, const struct interactions *rows,
                             const struct cross_sell_params *params, const struct progress *progress,
                             const struct cross_sell_visitor *visitor, struct err *err) MUST_CHECK;

#endif
