#include "worker/pipeline/cross_sell_report.h"

#include <stdio.h>

#include "common/base/str.h"
#include "worker/pipeline/report.h"

enum { NUMBER_BYTES = 32 };

/* A member of the counts; a run of any job knows these five. */
static bool copy_outliers(struct json *object, const struct json *homepage)
{
    static const char *const keys[] = {"rows_after_outliers", "outlier_users", "rows_after_outliers_by_action",
                                       "users_before_outliers", "days_before_outliers"};
    bool good = true;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        good = good && json_value_set(object, keys[i], json_value_dup(json_value_get(homepage, keys[i])));
    return good;
}

static bool set_count(struct json *object, const char *key, uint64_t value)
{
    return json_value_set_int(object, key, (int64_t)value);
}

static bool set_pairs(struct json *object, const struct cross_sell_counts *found)
{
    char sum[NUMBER_BYTES];

    (void)snprintf(sum, sizeof sum, "%.9g", found->weight_sum);
    return set_count(object, "users_seen", found->users_seen) &&
           set_count(object, "products_seen", found->products_seen) &&
           set_count(object, "users_over_threshold", found->users_over_threshold) &&
           set_count(object, "products_over_threshold", found->products_over_threshold) &&
           set_count(object, "rows_or_pairs_after_threshold", found->rows) &&
           set_count(object, "merge_rows", found->merge_rows) &&
           set_count(object, "merge_max_user_rows", found->merge_max_rows) &&
           set_count(object, "left_products", found->left_products) &&
           set_count(object, "right_products", found->right_products) &&
           set_count(object, "product_pairs", found->product_pairs) && json_value_set_text(object, "weight_sum", sum);
}

static bool set_lists(struct json *object, const struct cross_sell_list_counts *lists)
{
    return set_count(object, "lists", lists->lists) && set_count(object, "lists_empty", lists->empty) &&
           set_count(object, "lists_full", lists->full) && set_count(object, "list_items", lists->items);
}

enum err_code cross_sell_report_count(struct json *counts, const struct cross_sell_counts *found,
                                      const struct cross_sell_list_counts *lists, struct err *err)
{
    struct json *object = json_value_new_object();

    if (object == NULL || !copy_outliers(object, json_value_get(counts, "homepage")) || !set_pairs(object, found) ||
        !set_lists(object, lists)) {
        json_value_destroy(object);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the counts of the run");
    }
    return json_value_set(counts, "cross_sell", object)
               ? ERR_OK
               : ERR_SET(err, ERR_NO_MEMORY, "no memory for the counts of the run");
}

void cross_sell_report_set(struct json *report, const struct cross_sell_counts *found,
                           const struct cross_sell_list_counts *lists)
{
    struct json *object = json_value_new_object();

    (void)set_count(object, "rows", found->rows);
    (void)set_count(object, "users", found->users_over_threshold);
    (void)set_count(object, "products", found->products_over_threshold);
    (void)set_count(object, "left_products", found->left_products);
    (void)set_count(object, "product_pairs", found->product_pairs);
    (void)json_value_set_real(object, "weight_sum", found->weight_sum);
    (void)set_count(object, "merge_rows", found->merge_rows);
    (void)set_lists(object, lists);
    (void)json_value_set(report, "cross_sell", object);
}

void cross_sell_report_set_published(struct json *report, const struct cross_sell_published *published)
{
    struct json *object = json_value_new_object();

    (void)set_count(object, "recommendable", published->recommendable);
    (void)set_count(object, "cross_sell_lists", published->lists);
    (void)set_count(object, "cross_sell_keys", published->keys);
    (void)set_count(object, "removed", published->removed);
    (void)json_value_set(report, "published_counts", object);
    (void)json_value_set_bool(report, "published", published->keys > 0);
}

static struct json *product_entry(const struct catalogue *catalogue, int64_t id)
{
    const struct product *found = catalogue_find(catalogue, id);
    struct json *entry = json_value_new_object();

    (void)json_value_set_int(entry, "product_id", id);
    (void)json_value_set_text(entry, "title", found != NULL ? found->title : NULL);
    return entry;
}

static size_t choose_list(struct json *report, const struct cross_sell_sample *sample, size_t fallback)
{
    int64_t id;

    if (sample->product == NULL || sample->product[0] == '\0')
        return fallback;
    for (size_t i = 0; str_to_int64(sample->product, &id) && i < sample->lists->count; i++) {
        if (sample->lists->lists[i].product_id == id)
            return i;
    }
    report_add_warning(report, "the sample product \"%s\" has no list; another one is shown", sample->product);
    return fallback;
}

void cross_sell_report_set_sample(struct json *report, const struct cross_sell_sample *sample, size_t fallback)
{
    const struct cross_sell_lists *lists = sample->lists;
    size_t chosen = choose_list(report, sample, fallback);
    struct json *samples = json_value_new_object();
    struct json *object = product_entry(sample->catalogue, lists->lists[chosen].product_id);
    struct json *list = json_value_new_array();

    for (size_t i = 0; i < lists->lists[chosen].length; i++) {
        const struct cross_sell_item *item = &lists->items[chosen * lists->list_size + i];
        struct json *entry = product_entry(sample->catalogue, item->product_id);

        (void)json_value_set_real(entry, "score", item->weight);
        (void)json_value_append(list, entry);
    }
    (void)json_value_set(object, "cross_sell", list);
    (void)json_value_set(samples, "cross_sell", object);
    (void)json_value_set(report, "samples", samples);
}
