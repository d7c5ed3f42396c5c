/*
 * Between the parts of warehouse_mongo: the connection, the names, and who may swap.
 */
#ifndef WORKER_CONNECT_WAREHOUSE_MONGO_PARTS_H
#define WORKER_CONNECT_WAREHOUSE_MONGO_PARTS_H

#include <mongoc/mongoc.h>

#include "worker/connect/warehouse_mongo.h"

/* "loading." and a fence, a collection and a shop */
enum { WAREHOUSE_MONGO_NAME_BYTES = 160 };

struct warehouse_mongo {
    mongoc_client_t *client;
    mongoc_database_t *database;
    char names[WAREHOUSE_TABLE_COUNT][WAREHOUSE_MONGO_NAME_BYTES];
    mongoc_collection_t *loading[WAREHOUSE_TABLE_COUNT];
    int64_t put[WAREHOUSE_TABLE_COUNT]; /* documents so far */
    int64_t fence;
    int64_t newest_fence;
    warehouse_mongo_permit_fn permit;
    void *context;
};

/* The name that a load with that fence writes a table to. */
void warehouse_mongo_name_loading(const struct warehouse_mongo *warehouse, enum warehouse_table table, int64_t fence,
                                  char name[WAREHOUSE_MONGO_NAME_BYTES]);

/* Slots of the interface. */
enum err_code warehouse_mongo_raise_fence(void *self, struct err *err) MUST_CHECK;
enum err_code warehouse_mongo_swap(void *self, struct err *err) MUST_CHECK;

#endif
