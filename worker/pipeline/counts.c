#include "worker/pipeline/counts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum { NUMBER_BYTES = 32 };

static enum err_code no_memory(struct err *err)
{
    return ERR_SET(err, ERR_NO_MEMORY, "no memory for the counts of the run");
}

static bool set_count(struct json *object, const char *key, size_t value)
{
    return json_value_set_int(object, key, (int64_t)value);
}

static bool set_number(struct json *object, const char *key, double value)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%.9g", value);
    return json_value_set_text(object, key, text);
}

static bool set_by_action(struct json *object, const char *key, const size_t counts[ACTION_COUNT])
{
    struct json *by_action = json_value_new_object();
    bool good = by_action != NULL;

    for (unsigned action = 0; good && action < ACTION_COUNT; action++)
        good = counts[action] == 0 || set_count(by_action, action_name((enum action)action), counts[action]);
    if (!good) {
        json_value_destroy(by_action);
        return false;
    }
    return json_value_set(object, key, by_action);
}

static size_t sum_actions(const size_t counts[ACTION_COUNT])
{
    size_t sum = 0;

    for (unsigned action = 0; action < ACTION_COUNT; action++)
        sum += counts[action];
    return sum;
}

enum err_code counts_create(struct json **out, struct err *err)
{
    struct json *counts = json_value_new_object();

    *out = NULL;
    if (counts == NULL || !json_value_set_text(counts, "variant", "intended") ||
        !json_value_set(counts, "fetch", json_value_new_object()) ||
        !json_value_set(counts, "homepage", json_value_new_object())) {
        json_value_destroy(counts);
        return no_memory(err);
    }
    *out = counts;
    return ERR_OK;
}

/* Activities of which more than one row is left, and those rows. */
static enum err_code count_baskets(const struct interactions *rows, size_t *activities, size_t *products,
                                   struct err *err)
{
    uint32_t *order = NULL;
    enum err_code rc = radix_rows(&order, rows->count, err);

    *activities = 0;
    *products = 0;
    if (rc == ERR_OK)
        rc = radix_sort(order, rows->activity_id, rows->count, err);
    for (size_t begin = 0, end; rc == ERR_OK && begin < rows->count; begin = end) {
        end = begin + 1;
        while (end < rows->count && rows->activity_id[order[end]] == rows->activity_id[order[begin]])
            end++;
        if (end - begin > 1) {
            (*activities)++;
            *products += end - begin;
        }
    }
    free(order);
    return rc;
}

enum err_code counts_add_fetch(struct json *counts, const struct fetch_result *fetch, struct err *err)
{
    struct json *object = json_value_get_mutable(counts, "fetch");
    size_t activities;
    size_t products;
    enum err_code rc = count_baskets(&fetch->rows, &activities, &products, err);

    if (rc != ERR_OK)
        return rc;
    if (!set_count(object, "pages", fetch->source.pages) ||
        !set_count(object, "served_activities", fetch->clean.served) ||
        !set_count(object, "unique_served_ids", fetch->unique_served_ids) ||
        !set_count(object, "filtered_rows", sum_actions(fetch->clean.rows_by_action)) ||
        !set_by_action(object, "filtered_rows_by_action", fetch->clean.rows_by_action) ||
        !set_count(object, "rows_dropped_as_duplicates", fetch->rows_dropped_as_duplicates) ||
        !set_count(object, "catalogue_products", fetch->catalogue.count) ||
        !set_count(object, "rows_after_dedup", sum_actions(fetch->rows_after_dedup)) ||
        !set_by_action(object, "rows_after_dedup_by_action", fetch->rows_after_dedup) ||
        !set_count(object, "activities_with_more_than_one_product", activities) ||
        !set_count(object, "products_in_those_activities", products) ||
        !set_count(object, "rows_a_dedup_by_id_alone_loses", fetch->rows_lost_by_id_alone))
        return no_memory(err);
    return ERR_OK;
}

enum err_code counts_add_outliers(struct json *counts, const struct outlier_result *outliers,
                                  const struct interactions *rows, struct err *err)
{
    struct json *object = json_value_get_mutable(counts, "homepage");
    struct json *uids = json_value_new_array();
    size_t by_action[ACTION_COUNT] = {0};
    bool good = uids != NULL;

    for (size_t row = 0; row < rows->count; row++)
        by_action[rows->action[row]]++;
    for (size_t i = 0; good && i < outliers->removed_count; i++)
        good = json_value_append(uids, json_value_new_text(id_table_text(rows->users, outliers->removed[i].user)));
    if (!good) {
        json_value_destroy(uids);
        return no_memory(err);
    }
    if (!json_value_set(object, "outlier_uids", uids) || !set_count(object, "rows_after_outliers", rows->count) ||
        !set_count(object, "outlier_users", outliers->removed_count) ||
        !set_by_action(object, "rows_after_outliers_by_action", by_action) ||
        !set_count(object, "users_before_outliers", outliers->users_before) ||
        !set_count(object, "days_before_outliers", outliers->days_before))
        return no_memory(err);
    return ERR_OK;
}

enum err_code counts_add_pairs(struct json *counts, const struct pairs *pairs, struct err *err)
{
    struct json *object = json_value_get_mutable(counts, "homepage");

    if (!set_count(object, "grouped_pairs", pairs->count) ||
        !set_count(object, "max_interactions_of_a_pair", pairs->most_rows) ||
        !set_count(object, "users_seen", pairs->users) || !set_count(object, "products_seen", pairs->products))
        return no_memory(err);
    return ERR_OK;
}

struct totals {
    double raw_sum;
    double raw_min;
    double raw_max;
    double bm25_sum;
    double bm25_max;
    size_t zeros;
};

static struct totals sum_values(const struct matrix *matrix)
{
    struct totals totals = {.raw_min = matrix->raw[0], .raw_max = matrix->raw[0], .bm25_max = matrix->bm25[0]};

    for (size_t i = 0; i < matrix->pairs; i++) {
        totals.raw_sum += matrix->raw[i];
        totals.raw_min = matrix->raw[i] < totals.raw_min ? matrix->raw[i] : totals.raw_min;
        totals.raw_max = matrix->raw[i] > totals.raw_max ? matrix->raw[i] : totals.raw_max;
        totals.bm25_sum += matrix->bm25[i];
        totals.bm25_max = matrix->bm25[i] > totals.bm25_max ? matrix->bm25[i] : totals.bm25_max;
        totals.zeros += matrix->bm25[i] == 0;
    }
    return totals;
}

static bool set_catalogue(struct json *object, const struct matrix *matrix, const struct catalogue *catalogue)
{
    size_t missing = 0;
    size_t unfit = 0;

    for (size_t i = 0; i < matrix->products; i++) {
        const struct product *product = catalogue_find(catalogue, matrix->product_ids[i]);

        missing += product == NULL;
        unfit += !product_is_recommendable(product);
    }
    return set_count(object, "products_missing_from_catalogue", missing) &&
           set_count(object, "products_not_recommendable", unfit);
}

enum err_code counts_add_matrix(struct json *counts, const struct matrix *matrix, const struct catalogue *catalogue,
                                struct err *err)
{
    struct json *object = json_value_get_mutable(counts, "homepage");
    struct totals totals = sum_values(matrix);

    if (!set_count(object, "users_over_threshold", matrix->users_over_threshold) ||
        !set_count(object, "products_over_threshold", matrix->products_over_threshold) ||
        !set_count(object, "rows_or_pairs_after_threshold", matrix->pairs) ||
        !set_count(object, "users", matrix->users) || !set_count(object, "products", matrix->products) ||
        !set_count(object, "pairs", matrix->pairs) || !set_count(object, "bm25_zero_entries", totals.zeros) ||
        !set_number(object, "raw_sum", totals.raw_sum) || !set_number(object, "bm25_sum", totals.bm25_sum) ||
        !set_number(object, "raw_min", totals.raw_min) || !set_number(object, "raw_max", totals.raw_max) ||
        !set_number(object, "bm25_max", totals.bm25_max) || !set_catalogue(object, matrix, catalogue))
        return no_memory(err);
    return ERR_OK;
}
