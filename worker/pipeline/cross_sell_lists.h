/*
 * Of each left product the products to show beside it: recommendable ones with the largest weights (golden step 12).
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_LISTS_H
#define WORKER_PIPELINE_CROSS_SELL_LISTS_H

#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/cross_sell.h"

struct cross_sell_list_params {
    size_t list_size;      /* 18 */
    double minimum_weight; /* a weight must be above it: 0.1 */
};

struct cross_sell_list {
    int64_t product_id;
    size_t length;
};

struct cross_sell_item {
    int64_t product_id;
    double weight;
};

/* A list for every left product, by id, perhaps an empty one. */
struct cross_sell_lists {
    size_t count;
    size_t list_size;
    struct cross_sell_list *lists; /* [count] */
    struct cross_sell_item *items; /* [count x list_size]: by weight descending, equal ones by id */
    size_t lists_capacity;
    size_t items_capacity;
};

enum err_code cross_sell_lists_init(struct cross_sell_lists *lists, size_t list_size, struct err *err) MUST_CHECK;
void cross_sell_lists_fini(struct cross_sell_lists *lists);

/* Appends the list of one left product. */
enum err_code cross_sell_lists_add(struct cross_sell_lists *lists, const struct cross_sell_row *row,
                                   const struct cross_sell_list_params *params, const struct catalogue *catalogue,
                                   struct err *err) MUST_CHECK;

struct cross_sell_list_counts {
    size_t lists;
    size_t empty;
    size_t full;
    size_t items;
};

struct cross_sell_list_counts cross_sell_lists_count(const struct cross_sell_lists *lists);

#endif
