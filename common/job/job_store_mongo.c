/* The store of a fleet: MongoDB through a pool of clients. Indexes are made with the first call that reaches it. */
#include <mongoc/mongoc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_store_mongo_bson.h"
#include "common/job/job_store_ops.h"

enum {
    SELECTION_TIMEOUT_MS = 5000,
    SOCKET_TIMEOUT_MS = 30000,
    POOL_SIZE = 16,
    CODE_DUPLICATE_KEY = 11000,
    CODE_AUTHENTICATION_FAILED = 18,
    DAY_S = 86400
};

struct mongo_store {
    mongoc_client_pool_t *pool;
    char *database;
    int retention_days;
    atomic_bool has_indexes;
};

/* A client of the pool for one call. */
struct session {
    struct mongo_store *store;
    mongoc_client_t *client;
    mongoc_collection_t *collection;
};

static enum err_code failed(const bson_error_t *error, struct err *err)
{
    if (error->code == CODE_DUPLICATE_KEY)
        return ERR_SET(err, ERR_EXISTS, "the job store has such a document already");
    if (error->domain == MONGOC_ERROR_CLIENT && error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
        return ERR_SET(err, ERR_CONFIG, "the job store refuses these credentials: %s", error->message);
    if (error->domain == MONGOC_ERROR_BSON || error->domain == MONGOC_ERROR_COMMAND)
        return ERR_SET(err, ERR_REMOTE, "the job store: %s", error->message);
    return ERR_SET(err, ERR_UNAVAILABLE, "the job store: %s", error->message);
}

/* Sends a command whose text is JSON with one %d for the retention in seconds. */
static bool make_indexes(mongoc_client_t *client, const char *database, const char *json, int seconds,
                         bson_error_t *error)
{
    char *text = str_format("%s%d}]}", json, seconds);
    bson_t *command = text != NULL ? bson_new_from_json((const uint8_t *)text, -1, error) : NULL;
    bool ok = command != NULL && mongoc_client_write_command_with_opts(client, database, command, NULL, NULL, error);

    bson_destroy(command);
    free(text);
    return ok;
}

static enum err_code ensure_indexes(struct session *session, struct err *err)
{
    static const char jobs[] = "{\"createIndexes\":\"jobs\",\"indexes\":["
                               "{\"name\":\"state_created\",\"key\":{\"state\":1,\"created_at\":1}},"
                               "{\"name\":\"type_created\",\"key\":{\"type\":1,\"created_at\":1}},"
                               "{\"name\":\"created\",\"key\":{\"created_at\":1}},"
                               "{\"name\":\"retention\",\"key\":{\"finished_at\":1},\"expireAfterSeconds\":";
    static const char reports[] =
        "{\"createIndexes\":\"reports\",\"indexes\":["
        "{\"name\":\"type_created\",\"key\":{\"type\":1,\"created_at\":1}},"
        "{\"name\":\"shop_published\",\"key\":{\"type\":1,\"namespace\":1,\"published\":1,\"created_at\":-1}},"
        "{\"name\":\"retention\",\"key\":{\"created_at\":1},\"expireAfterSeconds\":";
    struct mongo_store *store = session->store;
    bson_error_t error = {0};
    int seconds = store->retention_days * DAY_S;

    if (atomic_load(&store->has_indexes))
        return ERR_OK;
    if (!make_indexes(session->client, store->database, jobs, seconds, &error) ||
        !make_indexes(session->client, store->database, reports, seconds, &error))
        return failed(&error, err);
    atomic_store(&store->has_indexes, true);
    return ERR_OK;
}

static void session_end(struct session *session)
{
    if (session->collection != NULL)
        mongoc_collection_destroy(session->collection);
    if (session->client != NULL)
        mongoc_client_pool_push(session->store->pool, session->client);
}

static enum err_code session_begin(struct session *session, struct mongo_store *store, const char *collection,
                                   struct err *err)
{
    enum err_code rc;

    *session = (struct session){.store = store, .client = mongoc_client_pool_pop(store->pool)};
    session->collection = mongoc_client_get_collection(session->client, store->database, collection);
    rc = ensure_indexes(session, err);
    if (rc != ERR_OK)
        session_end(session);
    return rc;
}

static enum err_code mongo_ping(void *self, struct err *err)
{
    struct mongo_store *store = self;
    mongoc_client_t *client = mongoc_client_pool_pop(store->pool);
    bson_t *command = BCON_NEW("ping", BCON_INT32(1));
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    if (!mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
        rc = failed(&error, err);
    bson_destroy(command);
    mongoc_client_pool_push(store->pool, client);
    return rc;
}

static enum err_code mongo_insert(void *self, const struct json *document, struct err *err)
{
    struct session session;
    bson_error_t error = {0};
    bson_t *bson = NULL;
    enum err_code rc = session_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    rc = job_store_mongo_to_bson(&bson, document, err);
    if (rc == ERR_OK && !mongoc_collection_insert_one(session.collection, bson, NULL, NULL, &error))
        rc = failed(&error, err);
    bson_destroy(bson);
    session_end(&session);
    return rc;
}

/* All that the filter finds, appended to `list`. Takes filter and opts. */
static enum err_code find_all(struct session *session, bson_t *filter, bson_t *opts, struct json *list, struct err *err)
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
        rc = failed(&error, err);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    bson_destroy(opts);
    return rc;
}

/* Takes filter and opts. */
static enum err_code find_one(struct mongo_store *store, const char *collection, bson_t *filter, bson_t *opts,
                              const char *what, struct json **out, struct err *err)
{
    struct session session;
    struct json *list = json_value_new_array();
    enum err_code rc = session_begin(&session, store, collection, err);

    if (rc != ERR_OK) {
        bson_destroy(filter);
        bson_destroy(opts);
        json_value_destroy(list);
        return rc;
    }
    rc = find_all(&session, filter, opts, list, err);
    session_end(&session);
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
    struct session session;
    struct json *list = json_value_new_array();
    bson_t *filter;
    bson_t *opts;
    enum err_code rc = session_begin(&session, self, "jobs", err);

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
    session_end(&session);
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
    struct session session;
    bson_error_t error = {0};
    bson_t *filter = fenced_filter(id, fence);
    bson_t *set = NULL;
    bson_t *update = NULL;
    bson_t reply;
    enum err_code rc = session_begin(&session, self, "jobs", err);

    if (rc != ERR_OK) {
        bson_destroy(filter);
        return rc;
    }
    BCON_APPEND(filter, "state", "{", "$nin", "[", BCON_UTF8(job_state_name(JOB_SUCCEEDED)),
                BCON_UTF8(job_state_name(JOB_DEAD)), BCON_UTF8(job_state_name(JOB_CANCELLED)),
                BCON_UTF8(job_state_name(JOB_SUPERSEDED)), "]", "}");
    rc = job_store_mongo_changes_to_bson(&set, changes, fence, err);
    if (rc == ERR_OK) {
        update = BCON_NEW("$set", BCON_DOCUMENT(set));
        if (!mongoc_collection_update_one(session.collection, filter, update, NULL, &reply, &error))
            rc = failed(&error, err);
        *applied = rc == ERR_OK && reply_count(&reply, "matchedCount") > 0;
        bson_destroy(&reply);
    }
    bson_destroy(update);
    bson_destroy(set);
    bson_destroy(filter);
    session_end(&session);
    return rc;
}

static enum err_code mongo_delete_accepted(void *self, const char *id, struct err *err)
{
    struct session session;
    bson_error_t error = {0};
    bson_t *filter;
    enum err_code rc = session_begin(&session, self, "jobs", err);

    if (rc != ERR_OK)
        return rc;
    filter = BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8(job_state_name(JOB_ACCEPTED)));
    if (!mongoc_collection_delete_one(session.collection, filter, NULL, NULL, &error))
        rc = failed(&error, err);
    bson_destroy(filter);
    session_end(&session);
    return rc;
}

/* An upsert that meets a newer fence finds nothing to replace, tries to insert, and is answered a duplicate key. */
static enum err_code mongo_put_report(void *self, const char *id, int64_t fence, const struct json *report,
                                      bool *applied, struct err *err)
{
    struct session session;
    bson_error_t error = {0};
    bson_t *filter = NULL;
    bson_t *opts = NULL;
    bson_t *bson = NULL;
    enum err_code rc = session_begin(&session, self, "reports", err);

    if (rc != ERR_OK)
        return rc;
    rc = job_store_mongo_report_to_bson(&bson, report, id, fence, err);
    if (rc == ERR_OK) {
        filter = fenced_filter(id, fence);
        opts = BCON_NEW("upsert", BCON_BOOL(true));
        *applied = mongoc_collection_replace_one(session.collection, filter, bson, opts, NULL, &error);
        if (!*applied && error.code != CODE_DUPLICATE_KEY)
            rc = failed(&error, err);
    }
    bson_destroy(filter);
    bson_destroy(opts);
    bson_destroy(bson);
    session_end(&session);
    return rc;
}

static void mongo_close(void *self)
{
    struct mongo_store *store = self;

    if (store->pool != NULL)
        mongoc_client_pool_destroy(store->pool);
    free(store->database);
    free(store);
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

static void set_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
    if (!mongoc_uri_has_option(uri, option))
        (void)mongoc_uri_set_option_as_int32(uri, option, value);
}

/* Majority and journal, whatever the URL says: a document that was acknowledged must be there after a crash. */
static void set_options(mongoc_uri_t *uri)
{
    mongoc_write_concern_t *concern = mongoc_write_concern_new();

    mongoc_write_concern_set_w(concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_uri_set_write_concern(uri, concern);
    mongoc_write_concern_destroy(concern);
    set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_TIMEOUT_MS);
    set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, SELECTION_TIMEOUT_MS);
    set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_TIMEOUT_MS);
}

static enum err_code open_pool(struct mongo_store *store, const mongoc_uri_t *uri, struct err *err)
{
    const char *database = mongoc_uri_get_database(uri);

    store->database = strdup(database != NULL ? database : "pa_recommender");
    store->pool = mongoc_client_pool_new(uri);
    if (store->database == NULL || store->pool == NULL)
        return ERR_SET(err, ERR_CONFIG, "STORE_URL: the MongoDB client cannot use it (TLS not built in, or no memory)");
    (void)mongoc_client_pool_set_error_api(store->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(store->pool, POOL_SIZE);
    return ERR_OK;
}

enum err_code job_store_mongo_open(void **self, const struct job_store_ops **ops, const char *url, int retention_days,
                                   struct err *err)
{
    struct mongo_store *store;
    bson_error_t error = {0};
    mongoc_uri_t *uri;
    enum err_code rc;

    mongoc_init(); /* counts itself; never cleaned up, since other threads may be inside */
    mongoc_log_set_handler(NULL, NULL);
    uri = mongoc_uri_new_with_error(url, &error);
    if (uri == NULL)
        return ERR_SET(err, ERR_CONFIG, "STORE_URL: %s", error.message);
    set_options(uri);
    store = mem_zeroed(1, sizeof *store);
    rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the job store");
    if (store != NULL) {
        store->retention_days = retention_days;
        rc = open_pool(store, uri, err);
    }
    mongoc_uri_destroy(uri);
    if (rc != ERR_OK) {
        if (store != NULL)
            mongo_close(store);
        return rc;
    }
    *self = store;
    *ops = &mongo_ops;
    return ERR_OK;
}
