/* The store of a fleet: documents and reports in MongoDB. */
#include <mongoc/mongoc.h>
#include <stdlib.h>
#include <string.h>

#include "common/job/job_store_mongo_bson.h"
#include "common/job/job_store_mongo_client.h"
#include "common/job/job_store_ops.h"

static enum err_code mongo_insert(void *self, const struct json *document, struct err *err)
{
    struct job_store_mongo_session session;
    bson_error_t error = {0};
    bson_t *bson = NULL;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    rc = job_store_mongo_to_bson(&bson, document, err);
    if (rc == ERR_OK && !mongoc_collection_insert_one(session.collection, bson, NULL, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    bson_destroy(bson);
    job_store_mongo_client_end(&session);
    return rc;
}

/* All that the filter finds, appended to `list`. Takes filter and opts. */
static enum err_code find_all(struct job_store_mongo_session *session, bson_t *filter, bson_t *opts, struct json *list,
                              struct err *err)
{
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(session->collection, filter, opts, NULL);
    const bson_t *bson;
    bson_error_t error;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && mongoc_cursor_next(cursor, &bson)) {
        struct json *document = NULL;

        rc = job_store_mongo_from_bson(&document, bson, err);
        if (rc == ERR_OK && !json_value_append(list, document))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    }
    if (rc == ERR_OK && mongoc_cursor_error(cursor, &error))
        rc = job_store_mongo_client_failed(&error, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    bson_destroy(opts);
    return rc;
}

/* Takes filter and opts. */
static enum err_code find_one(struct job_store_mongo_client *client, const char *collection, bson_t *filter,
                              bson_t *opts, const char *what, struct json **out, struct err *err)
{
    struct job_store_mongo_session session;
    struct json *list = json_value_new_array();
    enum err_code rc = job_store_mongo_client_begin(&session, client, collection, err);

    if (rc != ERR_OK) {
        bson_destroy(filter);
        bson_destroy(opts);
        json_value_destroy(list);
        return rc;
    }
    rc = find_all(&session, filter, opts, list, err);
    job_store_mongo_client_end(&session);
    if (rc == ERR_OK && json_value_count(list) == 0)
        rc = ERR_SET(err, ERR_NOT_FOUND, "there is no such %s", what);
    if (rc == ERR_OK) {
        *out = json_value_dup(json_value_at(list, 0));
        rc = *out != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    }
    json_value_destroy(list);
    return rc;
}

static enum err_code mongo_get(void *self, const char *id, struct json **out, struct err *err)
{
    return find_one(self, "jobs", BCON_NEW("_id", BCON_UTF8(id)), NULL, "job", out, err);
}

static enum err_code mongo_get_report(void *self, const char *id, struct json **out, struct err *err)
{
    return find_one(self, "reports", BCON_NEW("_id", BCON_UTF8(id)), NULL, "report", out, err);
}

static enum err_code mongo_last_published(void *self, enum job_type type, const char *shop, struct json **out,
                                          struct err *err)
{
    bson_t *filter =
        BCON_NEW("type", BCON_UTF8(job_type_name(type)), "namespace", BCON_UTF8(shop), "published", BCON_BOOL(true));
    bson_t *opts =
        BCON_NEW("sort", "{", "created_at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1));

    return find_one(self, "reports", filter, opts, "published report", out, err);
}

static enum err_code mongo_list(void *self, const char *state, const char *type, const char *before, int limit,
                                struct json **out, struct err *err)
{
    struct job_store_mongo_session session;
    struct json *list = json_value_new_array();
    bson_t *filter;
    bson_t *opts;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK) {
        json_value_destroy(list);
        return rc;
    }
    filter = bson_new();
    if (state != NULL)
        BCON_APPEND(filter, "state", BCON_UTF8(state));
    if (type != NULL)
        BCON_APPEND(filter, "type", BCON_UTF8(type));
    if (before != NULL)
        BCON_APPEND(filter, "_id", "{", "$lt", BCON_UTF8(before), "}");
    opts = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(limit));
    rc = find_all(&session, filter, opts, list, err);
    job_store_mongo_client_end(&session);
    if (rc != ERR_OK) {
        json_value_destroy(list);
        return rc;
    }
    *out = list;
    return ERR_OK;
}

static int64_t reply_count(const bson_t *reply, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, reply, key) ? bson_iter_as_int64(&iter) : 0;
}

/* {_id, fence: {$lte: fence}} */
static bson_t *fenced_filter(const char *id, int64_t fence)
{
    return BCON_NEW("_id", BCON_UTF8(id), "fence", "{", "$lte", BCON_INT64(fence), "}");
}

static enum err_code mongo_update(void *self, const char *id, int64_t fence, const struct json *changes, bool *applied,
                                  struct err *err)
{
    struct job_store_mongo_session session;
    bson_error_t error = {0};
    bson_t *filter = fenced_filter(id, fence);
    bson_t *set = NULL;
    bson_t *update = NULL;
    bson_t reply;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK) {
        bson_destroy(filter);
        return rc;
    }
    BCON_APPEND(filter, "state", "{", "$nin", "[", BCON_UTF8(job_state_name(JOB_SUCCEEDED)),
                BCON_UTF8(job_state_name(JOB_DEAD)), BCON_UTF8(job_state_name(JOB_CANCELLED)),
                BCON_UTF8(job_state_name(JOB_SUPERSEDED)), "]", "}");
    rc = job_store_mongo_to_bson(&set, changes, err);
    if (rc == ERR_OK) {
        update = BCON_NEW("$set", BCON_DOCUMENT(set));
        if (!mongoc_collection_update_one(session.collection, filter, update, NULL, &reply, &error))
            rc = job_store_mongo_client_failed(&error, err);
        *applied = rc == ERR_OK && reply_count(&reply, "matchedCount") > 0;
        bson_destroy(&reply);
    }
    bson_destroy(update);
    bson_destroy(set);
    bson_destroy(filter);
    job_store_mongo_client_end(&session);
    return rc;
}

static enum err_code mongo_delete_accepted(void *self, const char *id, struct err *err)
{
    struct job_store_mongo_session session;
    bson_error_t error = {0};
    bson_t *filter;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    filter = BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8(job_state_name(JOB_ACCEPTED)));
    if (!mongoc_collection_delete_one(session.collection, filter, NULL, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    bson_destroy(filter);
    job_store_mongo_client_end(&session);
    return rc;
}

/* An upsert that meets a newer fence finds nothing to replace, tries to insert, and is answered a duplicate key. So is
 * one whose document another inserted meanwhile: only the second such answer tells of a newer fence. */
static enum err_code upsert_report(struct job_store_mongo_session *session, const bson_t *filter, const bson_t *report,
                                   bool *applied, struct err *err)
{
    bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
    bson_error_t error = {0};

    for (int i = 0; i < 2 && !*applied; i++) {
        *applied = mongoc_collection_replace_one(session->collection, filter, report, opts, NULL, &error);
        if (!*applied && !job_store_mongo_client_is_duplicate(&error))
            break;
    }
    bson_destroy(opts);
    return *applied || job_store_mongo_client_is_duplicate(&error) ? ERR_OK
                                                                   : job_store_mongo_client_failed(&error, err);
}

static enum err_code mongo_put_report(void *self, const char *id, int64_t fence, const struct json *report,
                                      bool *applied, struct err *err)
{
    struct job_store_mongo_session session;
    bson_t *filter;
    bson_t *bson = NULL;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "reports", err);

    if (rc != ERR_OK)
        return rc;
    filter = fenced_filter(id, fence);
    rc = job_store_mongo_to_bson(&bson, report, err);
    if (rc == ERR_OK)
        rc = upsert_report(&session, filter, bson, applied, err);
    bson_destroy(filter);
    bson_destroy(bson);
    job_store_mongo_client_end(&session);
    return rc;
}

static void mongo_close(void *self)
{
    job_store_mongo_client_destroy(self);
}

static enum err_code mongo_ping(void *self, struct err *err)
{
    return job_store_mongo_client_ping(self, err);
}

static const struct job_store_ops mongo_ops = {
    .kind = "mongodb",
    .close = mongo_close,
    .ping = mongo_ping,
    .insert = mongo_insert,
    .get = mongo_get,
    .update = mongo_update,
    .delete_accepted = mongo_delete_accepted,
    .put_report = mongo_put_report,
    .get_report = mongo_get_report,
    .last_published = mongo_last_published,
    .list = mongo_list,
};

enum err_code job_store_mongo_open(void **self, const struct job_store_ops **ops, const char *url, int retention_days,
                                   struct err *err)
{
    struct job_store_mongo_client *client = NULL;
    enum err_code rc = job_store_mongo_client_create(&client, url, retention_days, err);

    *self = client;
    *ops = &mongo_ops;
    return rc;
}
