/*
 * Where a shop's cleaned data is loaded for analysts: three tables that are written beside those of the last load, and
 * take their place all at the end. Implemented in worker/connect.
 */
#ifndef WORKER_PIPELINE_WAREHOUSE_H
#define WORKER_PIPELINE_WAREHOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/shop_time.h"

enum warehouse_table { WAREHOUSE_INTERACTIONS, WAREHOUSE_WEIGHTS, WAREHOUSE_PRODUCTS, WAREHOUSE_TABLE_COUNT };

enum { WAREHOUSE_BATCH = 1000 };

/* A product of an activity. Texts are borrowed. */
struct warehouse_interaction {
    int64_t id; /* the activity's */
    const char *user_uid;
    int64_t product_id;
    const char *action;
    int64_t created; /* unix seconds */
    struct shop_time local;
};

/* What `right`, which follows, is worth when `left` is looked at (cross_sell.h). */
struct warehouse_weight {
    int64_t left;
    int64_t right;
    double weight;
};

struct warehouse_product {
    int64_t id;
    const char *title;
    int64_t stock;
    bool published;
};

struct warehouse {
    /* First: raises the fence, finishes a swap that was cut off, and removes what other loads left behind. ERR_FENCED
     * when a newer load was there. */
    enum err_code (*raise_fence)(void *self, struct err *err);
    /* Each takes up to WAREHOUSE_BATCH at once. */
    enum err_code (*put_interactions)(void *self, const struct warehouse_interaction *rows, size_t count,
                                      struct err *err);
    enum err_code (*put_weights)(void *self, const struct warehouse_weight *weights, size_t count, struct err *err);
    enum err_code (*put_products)(void *self, const struct warehouse_product *products, size_t count, struct err *err);
    /* After a table's last put: what makes it quick to ask. */
    enum err_code (*complete)(void *self, enum warehouse_table table, struct err *err);
    /* All tables in the place of the old ones. ERR_FENCED: a newer load has begun. */
    enum err_code (*swap)(void *self, struct err *err);
    void *self;
};

#endif
