/*
 * Between the parts of analytics: the figures on their way to JSON. Users are by their number in the rows' id_table,
 * products by their place among the ascending ids.
 */
#ifndef WORKER_PIPELINE_ANALYTICS_FIGURES_H
#define WORKER_PIPELINE_ANALYTICS_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/analytics.h"

enum { ANALYTICS_HOURS = 24, ANALYTICS_WEEKDAYS = 7, ANALYTICS_WEIGHT_BINS = 7 };

struct analytics_product {
    int64_t id;
    size_t rows;
    size_t by_action[ACTION_COUNT];
    size_t recommendations; /* other products that it has a weight to */
    size_t recommended;     /* other products that have a weight to it */
};

struct analytics_user {
    size_t rows;
    size_t days;          /* with a row */
    size_t cart_products; /* different ones */
    unsigned actions;     /* bit by enum action */
};

struct analytics_numbers {
    double *values;
    size_t count;
};

struct analytics_figures {
    const struct interactions *rows;
    const struct analytics_params *params;
    uint32_t *product_of; /* [rows] */
    int64_t *local_day;   /* [rows]: days since 1970 in the shop's zone, 1970-01-01 is 1 */
    struct analytics_product *products;
    size_t product_count;
    struct analytics_user *users; /* of the id_table; some may have no rows */
    size_t user_count;
    size_t by_hour[ANALYTICS_HOURS];
    size_t by_weekday[ANALYTICS_WEEKDAYS]; /* from Monday */
    size_t *by_month;                      /* since January 1970 */
    size_t month_count;
    int64_t from_s;
    int64_t to_s;
    struct analytics_numbers user_day_rows;
    struct analytics_numbers cart_hours;
    size_t weight_bins[ANALYTICS_WEIGHT_BINS];
    size_t weight_pairs;
};

/* From 0; the last bin has no end. */
extern const double analytics_pairs_edges[ANALYTICS_WEIGHT_BINS];

enum err_code analytics_count_rows(struct analytics_figures *figures, struct err *err) MUST_CHECK;
enum err_code analytics_users_count(struct analytics_figures *figures, struct err *err) MUST_CHECK;
enum err_code analytics_pairs_count(struct analytics_figures *figures, const struct progress *progress,
                                    struct err *err) MUST_CHECK;

/* Sorts the numbers. */
enum err_code analytics_json_make(struct json **out, struct analytics_figures *figures,
                                  const struct catalogue *catalogue, struct err *err) MUST_CHECK;

#endif
