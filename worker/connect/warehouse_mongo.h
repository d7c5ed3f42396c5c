/*
 * A warehouse in MongoDB: collections `interactions`, `product_recommendations` and `warehouse_products`, each with
 * ".SHOP" behind it where a shop has its own. A load with the fence F writes to `loading.F.COLLECTION`, and the
 * document of `warehouse_loads` named like the first collection says which fence is the newest. One thread.
 */
#ifndef WORKER_CONNECT_WAREHOUSE_MONGO_H
#define WORKER_CONNECT_WAREHOUSE_MONGO_H

#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/warehouse.h"

struct warehouse_mongo;

/* Asked before the swap: ERR_OK lets it go. */
typedef enum err_code (*warehouse_mongo_permit_fn)(void *context, struct err *err);

struct warehouse_mongo_config {
    const char *url;  /* STORE_URL */
    const char *shop; /* NULL: the collections have no shop's name */
    int64_t fence;
    warehouse_mongo_permit_fn permit; /* NULL: always */
    void *context;
};

/* Whether a STORE_URL is one of MongoDB; ERR_CONFIG for SQLite. */
enum err_code warehouse_mongo_check(const char *url, struct err *err) MUST_CHECK;

/* Connects to nothing yet. */
enum err_code warehouse_mongo_create(struct warehouse_mongo **out, const struct warehouse_mongo_config *config,
                                     struct err *err) MUST_CHECK;
void warehouse_mongo_destroy(struct warehouse_mongo *warehouse);

/* Valid as long as the warehouse_mongo. */
struct warehouse warehouse_mongo_interface(struct warehouse_mongo *warehouse);

/* The newest fence that was seen, 0 for none: a floor for the next start. */
int64_t warehouse_mongo_newest_fence(const struct warehouse_mongo *warehouse);

#endif
