/*
 * What a cross-sell adds to its report and counts.
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_REPORT_H
#define WORKER_PIPELINE_CROSS_SELL_REPORT_H

#include "common/net/json_value.h"
#include "worker/pipeline/cross_sell_publish.h"

/* The counts' member "cross_sell" with the golden data's keys; those of the outliers are copied from "homepage". */
enum err_code cross_sell_report_count(struct json *counts, const struct cross_sell_counts *found,
                                      const struct cross_sell_list_counts *lists, struct err *err) MUST_CHECK;

/* "cross_sell": {rows, users, products, left_products, product_pairs, weight_sum, merge_rows, lists, lists_empty,
 * lists_full, list_items} */
void cross_sell_report_set(struct json *report, const struct cross_sell_counts *found,
                           const struct cross_sell_list_counts *lists);

/* "published_counts": {recommendable, cross_sell_lists, cross_sell_keys, removed}; "published": whether keys were
 * written */
void cross_sell_report_set_published(struct json *report, const struct cross_sell_published *published);

struct cross_sell_sample {
    const struct cross_sell_lists *lists;
    const struct catalogue *catalogue;
    const char *product; /* id as text; NULL or "": the fallback */
};

/* "samples": {cross_sell {product_id, title, cross_sell [{product_id, title, score}]}}. Warns where the product has no
 * list; the fallback is one of the lists. */
void cross_sell_report_set_sample(struct json *report, const struct cross_sell_sample *sample, size_t fallback);

#endif
