/*
 * Who may swap: the newest fence, which a document of `warehouse_loads` holds: {_id, fence, swapping, loaded_at}. A
 * load raises it before it writes anything, and looks again before it swaps. A newer load that comes in between takes
 * the older one's collections away (or finishes its swap), so that a rename of the older finds nothing to rename.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/job/job_store_mongo_client.h"
#include "worker/connect/warehouse_mongo_parts.h"

enum { CODE_NAMESPACE_NOT_FOUND = 26 };

static const char loads[] = "warehouse_loads";

static enum err_code refuse(const struct warehouse_mongo *warehouse, struct err *err)
{
    return ERR_SET(err, ERR_FENCED, "a newer load has begun: its fence is %lld, this one's %lld",
                   (long long)warehouse->newest_fence, (long long)warehouse->fence);
}

/* {value: …} of findAndModify: the number of the document as it was; 0: there is none. */
static int64_t value_of(const bson_t *reply, const char *path)
{
    bson_iter_t iter;
    bson_iter_t found;

    return bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, path, &found) ? bson_iter_as_int64(&found)
                                                                                          : 0;
}

static enum err_code read_newest(struct warehouse_mongo *warehouse, struct err *err)
{
    mongoc_collection_t *collection = mongoc_database_get_collection(warehouse->database, loads);
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(warehouse->names[0]));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    const bson_t *document;
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    while (mongoc_cursor_next(cursor, &document))
        warehouse->newest_fence = value_of(document, "fence");
    if (mongoc_cursor_error(cursor, &error))
        rc = job_store_mongo_client_failed(&error, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    mongoc_collection_destroy(collection);
    return rc;
}

/* *swapping: the fence of a load that was cut off in its swap; 0: none was. */
static enum err_code take_fence(struct warehouse_mongo *warehouse, int64_t *swapping, struct err *err)
{
    bson_t *command = BCON_NEW("findAndModify", BCON_UTF8(loads), "query", "{", "_id", BCON_UTF8(warehouse->names[0]),
                               "fence", "{", "$lte", BCON_INT64(warehouse->fence), "}", "}", "update", "{", "$set", "{",
                               "fence", BCON_INT64(warehouse->fence), "}", "}", "upsert", BCON_BOOL(true));
    bson_error_t error = {0};
    bson_t reply;
    bool taken = false;
    enum err_code rc = ERR_OK;

    /* two that are the first at once: one is told that there is such a document, and finds it now */
    for (int i = 0; i < 2 && !taken; i++) {
        if (i > 0)
            bson_destroy(&reply);
        taken = mongoc_database_write_command_with_opts(warehouse->database, command, NULL, &reply, &error);
        if (!taken && !job_store_mongo_client_is_duplicate(&error))
            break;
    }
    if (taken) {
        warehouse->newest_fence = warehouse->fence;
        *swapping = value_of(&reply, "value.swapping");
    } else if (job_store_mongo_client_is_duplicate(&error)) {
        rc = read_newest(warehouse, err);
        if (rc == ERR_OK)
            rc = refuse(warehouse, err);
    } else {
        rc = job_store_mongo_client_failed(&error, err);
    }
    bson_destroy(&reply);
    bson_destroy(command);
    return rc;
}

/* Changes the document as long as the fence is ours; *held: it is. Takes the changes. */
static enum err_code change(struct warehouse_mongo *warehouse, bson_t *changes, bool *held, struct err *err)
{
    mongoc_collection_t *collection = mongoc_database_get_collection(warehouse->database, loads);
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(warehouse->names[0]), "fence", BCON_INT64(warehouse->fence));
    bson_error_t error = {0};
    bson_t reply;
    enum err_code rc = ERR_OK;

    if (!mongoc_collection_update_one(collection, filter, changes, NULL, &reply, &error))
        rc = job_store_mongo_client_failed(&error, err);
    *held = value_of(&reply, "matchedCount") > 0;
    bson_destroy(&reply);
    bson_destroy(filter);
    bson_destroy(changes);
    mongoc_collection_destroy(collection);
    return rc;
}

/* Puts a table of the load with that fence in its place; *found: there was such a collection. */
static enum err_code rename_table(const struct warehouse_mongo *warehouse, enum warehouse_table table, int64_t fence,
                                  bool *found, struct err *err)
{
    char name[WAREHOUSE_MONGO_NAME_BYTES];
    mongoc_collection_t *collection;
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    warehouse_mongo_name_loading(warehouse, table, fence, name);
    collection = mongoc_database_get_collection(warehouse->database, name);
    *found = mongoc_collection_rename_with_opts(collection, mongoc_database_get_name(warehouse->database),
                                                warehouse->names[table], true, NULL, &error);
    if (!*found && !(error.domain == MONGOC_ERROR_SERVER && error.code == CODE_NAMESPACE_NOT_FOUND))
        rc = job_store_mongo_client_failed(&error, err);
    mongoc_collection_destroy(collection);
    return rc;
}

/* What was swapped halfway is made whole: all of it had been loaded. */
static enum err_code finish_swap(struct warehouse_mongo *warehouse, int64_t fence, struct err *err)
{
    enum err_code rc = ERR_OK;
    bool ignored;

    for (unsigned table = 0; rc == ERR_OK && table < WAREHOUSE_TABLE_COUNT; table++)
        rc = rename_table(warehouse, (enum warehouse_table)table, fence, &ignored, err);
    if (rc == ERR_OK)
        rc = change(warehouse, BCON_NEW("$unset", "{", "swapping", BCON_INT32(1), "}"), &ignored, err);
    return rc;
}

/* Whether a collection is what a load of this shop, not newer than ours, wrote to. */
static bool is_leftover(const struct warehouse_mongo *warehouse, const char *name)
{
    long long fence;
    char *rest;

    if (strncmp(name, "loading.", strlen("loading.")) != 0)
        return false;
    name += strlen("loading.");
    fence = strtoll(name, &rest, 10);
    if (rest == name || *rest != '.' || fence > warehouse->fence)
        return false;
    for (unsigned table = 0; table < WAREHOUSE_TABLE_COUNT; table++) {
        if (strcmp(rest + 1, warehouse->names[table]) == 0)
            return true;
    }
    return false;
}

static enum err_code drop(const struct warehouse_mongo *warehouse, const char *name, struct err *err)
{
    mongoc_collection_t *collection = mongoc_database_get_collection(warehouse->database, name);
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    if (!mongoc_collection_drop_with_opts(collection, NULL, &error) &&
        !(error.domain == MONGOC_ERROR_SERVER && error.code == CODE_NAMESPACE_NOT_FOUND))
        rc = job_store_mongo_client_failed(&error, err);
    mongoc_collection_destroy(collection);
    return rc;
}

static enum err_code drop_leftovers(const struct warehouse_mongo *warehouse, struct err *err)
{
    bson_error_t error = {0};
    char **found = mongoc_database_get_collection_names_with_opts(warehouse->database, NULL, &error);
    enum err_code rc = ERR_OK;

    if (found == NULL)
        return job_store_mongo_client_failed(&error, err);
    for (size_t i = 0; rc == ERR_OK && found[i] != NULL; i++) {
        if (is_leftover(warehouse, found[i]))
            rc = drop(warehouse, found[i], err);
    }
    bson_strfreev(found);
    return rc;
}

enum err_code warehouse_mongo_raise_fence(void *self, struct err *err)
{
    struct warehouse_mongo *warehouse = self;
    int64_t swapping = 0;
    enum err_code rc = take_fence(warehouse, &swapping, err);

    if (rc == ERR_OK && swapping > 0)
        rc = finish_swap(warehouse, swapping, err);
    return rc == ERR_OK ? drop_leftovers(warehouse, err) : rc;
}

/* A table that is not there any more: a newer load took it away, or somebody did. */
static enum err_code explain_missing(struct warehouse_mongo *warehouse, enum warehouse_table table, struct err *err)
{
    enum err_code rc = read_newest(warehouse, err);

    if (rc != ERR_OK)
        return rc;
    return warehouse->newest_fence != warehouse->fence
               ? refuse(warehouse, err)
               : ERR_SET(err, ERR_REMOTE, "what was loaded for %s is gone from the database", warehouse->names[table]);
}

enum err_code warehouse_mongo_swap(void *self, struct err *err)
{
    struct warehouse_mongo *warehouse = self;
    struct clock_source clock = clock_system();
    bool held = false;
    enum err_code rc = warehouse->permit != NULL ? warehouse->permit(warehouse->context, err) : ERR_OK;

    if (rc == ERR_OK)
        rc = change(warehouse, BCON_NEW("$set", "{", "swapping", BCON_INT64(warehouse->fence), "}"), &held, err);
    if (rc == ERR_OK && !held) {
        rc = read_newest(warehouse, err);
        return rc == ERR_OK ? refuse(warehouse, err) : rc;
    }
    for (unsigned table = 0; rc == ERR_OK && table < WAREHOUSE_TABLE_COUNT; table++) {
        bool found;

        rc = rename_table(warehouse, (enum warehouse_table)table, warehouse->fence, &found, err);
        if (rc == ERR_OK && !found)
            rc = explain_missing(warehouse, (enum warehouse_table)table, err);
    }
    if (rc == ERR_OK) /* a newer load that has begun since changes nothing: this one is in its place */
        rc = change(warehouse,
                    BCON_NEW("$set", "{", "loaded_at", BCON_DATE_TIME(clock_unix_ms(&clock)), "}", "$unset", "{",
                             "swapping", BCON_INT32(1), "}"),
                    &held, err);
    return rc;
}
