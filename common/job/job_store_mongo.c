/* The store of a fleet: documents and reports in MongoDB. */
#include <mongoc/mongoc.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/job/job_store_mongo_bson.h"
#include "common/job/job_store_mongo_client.h"
#include "common/job/job_store_ops.h"

enum { MOST_SUCCESSES = 10000 }; /* types times shops */

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

static enum err_code mongo_last_published(void *self, const char *type, const char *shop, struct json **out,
                                          struct err *err)
{
    bson_t *filter = BCON_NEW("type", BCON_UTF8(type), "namespace", BCON_UTF8(shop), "published", BCON_BOOL(true));
    bson_t *opts =
        BCON_NEW("sort", "{", "created_at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1));

    return find_one(self, "reports", filter, opts, "published report", out, err);
}

/* Takes filter and opts; either is NULL where there was no memory. */
static enum err_code append_found(struct job_store_mongo_client *client, bson_t *filter, bson_t *opts,
                                  struct json *list, struct err *err)
{
    struct job_store_mongo_session session;
    enum err_code rc = job_store_mongo_client_begin(&session, client, "jobs", err);

    if (rc != ERR_OK) {
        bson_destroy(filter);
        bson_destroy(opts);
        return rc;
    }
    rc = find_all(&session, filter, opts, list, err);
    job_store_mongo_client_end(&session);
    return rc;
}

static enum err_code mongo_find(void *self, const struct job_store_filter *filter, struct json *list, struct err *err)
{
    bson_t *chosen = bson_new();

    if (filter->state != NULL)
        BCON_APPEND(chosen, "state", BCON_UTF8(filter->state));
    if (filter->type != NULL)
        BCON_APPEND(chosen, "type", BCON_UTF8(filter->type));
    if (filter->shop != NULL)
        BCON_APPEND(chosen, "namespace", BCON_UTF8(filter->shop));
    if (filter->before != NULL)
        BCON_APPEND(chosen, "_id", "{", "$lt", BCON_UTF8(filter->before), "}");
    return append_found(
        self, chosen, BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(filter->limit)), list, err);
}

static enum err_code mongo_list_unfinished(void *self, const char *created_before, const char *after, int limit,
                                           struct json *list, struct err *err)
{
    int64_t before_ms = 0;
    bson_t *filter =
        BCON_NEW("state", "{", "$in", "[", BCON_UTF8(job_state_name(JOB_ACCEPTED)),
                 BCON_UTF8(job_state_name(JOB_SCHEDULED)), BCON_UTF8(job_state_name(JOB_QUEUED)),
                 BCON_UTF8(job_state_name(JOB_RUNNING)), BCON_UTF8(job_state_name(JOB_RETRYING)), "]", "}");

    (void)clock_parse_iso8601(created_before, &before_ms); /* it was made of a time */
    BCON_APPEND(filter, "created_at", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    if (after != NULL)
        BCON_APPEND(filter, "_id", "{", "$gt", BCON_UTF8(after), "}");
    return append_found(self, filter, BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(limit)),
                        list, err);
}

/* One group {_id: {type, namespace}, finished_at} as {type, namespace, finished_at}. */
static bool append_success(struct json *list, const struct json *group)
{
    struct json *entry = json_value_dup(json_value_get(group, "_id"));

    if (entry != NULL && json_value_set(entry, "finished_at", json_value_dup(json_value_get(group, "finished_at"))))
        return json_value_append(list, entry);
    json_value_destroy(entry);
    return false;
}

static enum err_code append_successes(struct json *list, const bson_t *reply, struct err *err)
{
    struct json *answer = NULL;
    const struct json *groups;
    enum err_code rc = job_store_mongo_from_bson(&answer, reply, err);

    if (rc != ERR_OK)
        return rc;
    groups = json_value_get(json_value_get(answer, "cursor"), "firstBatch");
    for (size_t i = 0; rc == ERR_OK && i < json_value_count(groups); i++) {
        if (!append_success(list, json_value_at(groups, i)))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the last successes");
    }
    json_value_destroy(answer);
    return rc;
}

/* As a command of the database: mongoc_collection_aggregate of libmongoc 1.30.4 fails in the client. */
static enum err_code mongo_last_successes(void *self, struct json *list, struct err *err)
{
    struct job_store_mongo_session session;
    bson_error_t error = {0};
    bson_t *command;
    bson_t reply;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    command = BCON_NEW("aggregate", BCON_UTF8("jobs"), "pipeline", "[", "{", "$match", "{", "state",
                       BCON_UTF8(job_state_name(JOB_SUCCEEDED)), "}", "}", "{", "$group", "{", "_id", "{", "type",
                       BCON_UTF8("$type"), "namespace", BCON_UTF8("$namespace"), "}", "finished_at", "{", "$max",
                       BCON_UTF8("$finished_at"), "}", "}", "}", "{", "$sort", "{", "_id", BCON_INT32(1), "}", "}", "]",
                       "cursor", "{", "batchSize", BCON_INT32(MOST_SUCCESSES), "}");
    if (!job_store_mongo_client_command(&session, command, &reply, &error))
        rc = job_store_mongo_client_failed(&error, err);
    else
        rc = append_successes(list, &reply, err);
    bson_destroy(&reply);
    bson_destroy(command);
    job_store_mongo_client_end(&session);
    return rc;
}

static int64_t reply_count(const bson_t *reply, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, reply, key) ? bson_iter_as_int64(&iter) : 0;
}

static bool has_elements(const bson_t *reply, const char *key)
{
    bson_iter_t iter;
    bson_iter_t element;

    return bson_iter_init_find(&iter, reply, key) && bson_iter_recurse(&iter, &element) && bson_iter_next(&element);
}

static void append_not_terminal(bson_t *filter)
{
    BCON_APPEND(filter, "state", "{", "$nin", "[", BCON_UTF8(job_state_name(JOB_SUCCEEDED)),
                BCON_UTF8(job_state_name(JOB_DEAD)), BCON_UTF8(job_state_name(JOB_CANCELLED)),
                BCON_UTF8(job_state_name(JOB_SUPERSEDED)), "]", "}");
}

/* {_id, fence: {$lte: fence}} */
static bson_t *fenced_filter(const char *id, int64_t fence)
{
    return BCON_NEW("_id", BCON_UTF8(id), "fence", "{", "$lte", BCON_INT64(fence), "}");
}

static bson_t *amendment_filter(const struct job_store_amendment *amendment)
{
    bson_t *filter = fenced_filter(amendment->id, amendment->fence_max);

    if (amendment->fence_min == amendment->fence_max) {
        bson_destroy(filter);
        filter = BCON_NEW("_id", BCON_UTF8(amendment->id), "fence", BCON_INT64(amendment->fence_max));
    }
    if (amendment->state != NULL)
        BCON_APPEND(filter, "state", BCON_UTF8(amendment->state));
    else
        append_not_terminal(filter);
    return filter;
}

/* {$set: changes} */
static enum err_code make_update(bson_t **out, const struct json *changes, struct err *err)
{
    bson_t *set = NULL;
    enum err_code rc = job_store_mongo_to_bson(&set, changes, err);

    *out = rc == ERR_OK ? BCON_NEW("$set", BCON_DOCUMENT(set)) : NULL;
    bson_destroy(set);
    return rc;
}

static enum err_code append_amendment(mongoc_bulk_operation_t *bulk, const struct job_store_amendment *amendment,
                                      struct err *err)
{
    bson_t *filter = amendment_filter(amendment);
    bson_t *update = NULL;
    bson_error_t error = {0};
    enum err_code rc = make_update(&update, amendment->changes, err);

    if (rc == ERR_OK && !mongoc_bulk_operation_update_one_with_opts(bulk, filter, update, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    bson_destroy(update);
    bson_destroy(filter);
    return rc;
}

/* One command, whose statements the server takes each for itself. */
static enum err_code mongo_amend(void *self, const struct job_store_amendment *amendments, size_t count, bool *applied,
                                 struct err *err)
{
    struct job_store_mongo_session session;
    mongoc_bulk_operation_t *bulk;
    bson_error_t error = {0};
    bson_t *opts;
    bson_t reply;
    enum err_code rc = job_store_mongo_client_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    opts = BCON_NEW("ordered", BCON_BOOL(false));
    bulk = mongoc_collection_create_bulk_operation_with_opts(session.collection, opts);
    for (size_t i = 0; rc == ERR_OK && i < count; i++)
        rc = append_amendment(bulk, &amendments[i], err);
    if (rc == ERR_OK) {
        if (mongoc_bulk_operation_execute(bulk, &reply, &error) == 0)
            rc = job_store_mongo_client_failed(&error, err);
        *applied = rc == ERR_OK && reply_count(&reply, "nMatched") > 0;
        bson_destroy(&reply);
    }
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(opts);
    job_store_mongo_client_end(&session);
    return rc;
}

/* What the server says of each document that it did not take. */
static enum err_code read_write_errors(const bson_t *reply, size_t count, enum err_code *results, struct err *err)
{
    struct json *answer = NULL;
    const struct json *errors;
    enum err_code rc = job_store_mongo_from_bson(&answer, reply, err);

    if (rc != ERR_OK)
        return rc;
    errors = json_value_get(answer, "writeErrors");
    for (size_t i = 0; i < json_value_count(errors); i++) {
        int64_t index = -1;
        int64_t code = 0;

        (void)json_value_get_int64(json_value_at(errors, i), "index", &index);
        (void)json_value_get_int64(json_value_at(errors, i), "code", &code);
        if (index >= 0 && (size_t)index < count)
            results[index] = job_store_mongo_client_code((uint32_t)code);
    }
    json_value_destroy(answer);
    return ERR_OK;
}

/* Each document is taken for itself. Where the majority does not follow, none is known to be safe. */
static enum err_code insert_bsons(struct job_store_mongo_session *session, const bson_t **bsons, size_t count,
                                  enum err_code *results, struct err *err)
{
    bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
    bson_error_t error = {0};
    bson_t reply;
    enum err_code rc = ERR_OK;

    if (!mongoc_collection_insert_many(session->collection, bsons, count, opts, &reply, &error))
        rc = has_elements(&reply, "writeErrors") && !has_elements(&reply, "writeConcernErrors")
                 ? read_write_errors(&reply, count, results, err)
                 : job_store_mongo_client_failed(&error, err);
    bson_destroy(&reply);
    bson_destroy(opts);
    return rc;
}

static enum err_code text_to_bson(bson_t **out, const char *text, struct err *err)
{
    struct json *document = NULL;
    enum err_code rc = json_value_parse(&document, text, strlen(text), err);

    if (rc == ERR_OK)
        rc = job_store_mongo_to_bson(out, document, err);
    json_value_destroy(document);
    return rc;
}

static enum err_code mongo_insert_many(void *self, const struct job_store_text *documents, size_t count,
                                       enum err_code *results, struct err *err)
{
    struct job_store_mongo_session session;
    bson_t **bsons = mem_zeroed(count, sizeof(bson_t *));
    const bson_t **borrowed = mem_zeroed(count, sizeof(const bson_t *));
    enum err_code rc = ERR_OK;

    if (bsons == NULL || borrowed == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu documents", count);
        goto done;
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = text_to_bson(&bsons[i], documents[i].text, err);
        borrowed[i] = bsons[i];
    }
    if (rc == ERR_OK)
        rc = job_store_mongo_client_begin(&session, self, "jobs", err);
    if (rc == ERR_OK) {
        rc = insert_bsons(&session, borrowed, count, results, err);
        job_store_mongo_client_end(&session);
    }
done:
    for (size_t i = 0; bsons != NULL && i < count; i++)
        bson_destroy(bsons[i]);
    free(borrowed);
    free(bsons);
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
    .insert_many = mongo_insert_many,
    .get = mongo_get,
    .amend = mongo_amend,
    .delete_accepted = mongo_delete_accepted,
    .put_report = mongo_put_report,
    .get_report = mongo_get_report,
    .last_published = mongo_last_published,
    .find = mongo_find,
    .list_unfinished = mongo_list_unfinished,
    .last_successes = mongo_last_successes,
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
