/*
 * What a shop's interactions tell about the shop, beside what is recommended: sixteen analyses of the cleaned rows, as
 * the report `analytics`.
 */
#ifndef WORKER_PIPELINE_ANALYTICS_H
#define WORKER_PIPELINE_ANALYTICS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/interactions.h"
#include "worker/pipeline/progress.h"

/* Seconds to add to a time in UTC for the shop's own. */
typedef int32_t (*analytics_offset_fn)(int64_t unix_s);

struct analytics_params {
    int64_t now_s;
    const char *timezone;         /* its name; NULL: UTC */
    analytics_offset_fn offset_s; /* NULL: UTC */
    double weights[ACTION_COUNT]; /* of what follows in a session, for the weights between products */
    double decay_days;
    double session_s;
    int min_user_rows; /* users and products with fewer have no weights */
    int min_product_rows;
};

/*
 * *out: {now, timezone, rows, users, products, from, to (unix seconds), and
 *   interactions_by_action {action: rows}, top_users [{user_uid, rows}] 20, top_products [{product_id, title, rows,
 *   views, carts, purchases, conversion}] 30 (conversion = carts / views, null without views), by_hour [24], by_weekday
 *   {monday: rows, …}, funnel {viewed, carted, viewed_and_carted, purchased} of users, rows_per_user_day {user_days,
 *   mean, median, p95, most}, users_by_activity [{from, to, users}] by rows, best_conversion [as top_products] 20 of
 *   at least 10 views, by_month [{month, rows}], carts {users, with_several_products, products_mean, top [{user_uid,
 *   products}] 20}, retention [{from, to, users}] by active days, most_recommendations and most_recommended
 *   [{product_id, title, products}] 20, weights {pairs, bins [{from, to, pairs}]}, view_to_cart_hours {pairs, mean,
 * p25, median, p75, p95}} Rows count as products of activities; hours, days and months are the shop's. Memory is linear
 * in the rows.
 */
enum err_code analytics_run(struct json **out, const struct interactions *rows, const struct catalogue *catalogue,
                            const struct analytics_params *params, const struct progress *progress,
                            struct err *err) MUST_CHECK;

#endif
