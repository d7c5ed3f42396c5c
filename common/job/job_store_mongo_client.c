#include "common/job/job_store_mongo_client.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

enum {
    SELECTION_TIMEOUT_MS = 5000,
    ANSWER_TIMEOUT_MS = 10000, /* of one answer, and of the majority behind it */
    POOL_SIZE = 16,
    DAY_S = 86400,
    MAX_EXPIRY_S = INT32_MAX, /* of a TTL index */
    CODE_DUPLICATE_KEY = 11000
};

struct job_store_mongo_client {
    mongoc_client_pool_t *pool;
    char *database;
    int retention_days;
    atomic_bool has_indexes;
};

static bool is_among(uint32_t code, const uint32_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

#define IS_AMONG(code, codes) is_among((code), (codes), sizeof(codes) / sizeof(codes)[0])

/* What the driver specification of retryable writes lists, a passed time limit, a lock, and a full disk. */
static const uint32_t passing_codes[] = {6,   7,   24,   46,    50,    64,    89,    91,    100,  112,
                                         189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031};
static const uint32_t refused_codes[] = {13, 18, 8000}; /* Unauthorized, AuthenticationFailed, Atlas's */

bool job_store_mongo_client_is_duplicate(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_SERVER && error->code == CODE_DUPLICATE_KEY;
}

enum err_code job_store_mongo_client_code(uint32_t code)
{
    if (code == CODE_DUPLICATE_KEY)
        return ERR_EXISTS;
    if (IS_AMONG(code, refused_codes))
        return ERR_CONFIG;
    return IS_AMONG(code, passing_codes) ? ERR_UNAVAILABLE : ERR_REMOTE;
}

enum err_code job_store_mongo_client_failed(const bson_error_t *error, struct err *err)
{
    enum err_code code = ERR_UNAVAILABLE;

    if (error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_WRITE_CONCERN)
        code = job_store_mongo_client_code(error->code);
    else if (error->domain == MONGOC_ERROR_CLIENT && error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
        code = ERR_CONFIG;
    else if (error->domain == MONGOC_ERROR_BSON || error->domain == MONGOC_ERROR_COMMAND)
        code = ERR_REMOTE;
    if (code == ERR_EXISTS)
        return ERR_SET(err, code, "the job store has such a document already");
    if (code == ERR_CONFIG)
        return ERR_SET(err, code, "the job store refuses these credentials: %s", error->message);
    return ERR_SET(err, code, "the job store: %s", error->message);
}

/* A collection's indexes, up to where the seconds that its documents live belong. */
struct index_set {
    const char *create;
    const char *change_expiry;
};

static const struct index_set index_sets[] = {
    {"{\"createIndexes\":\"jobs\",\"indexes\":["
     "{\"name\":\"state_created\",\"key\":{\"state\":1,\"created_at\":1}},"
     "{\"name\":\"type_created\",\"key\":{\"type\":1,\"created_at\":1}},"
     "{\"name\":\"created\",\"key\":{\"created_at\":1}},"
     "{\"name\":\"retention\",\"key\":{\"finished_at\":1},\"expireAfterSeconds\":",
     "{\"collMod\":\"jobs\",\"index\":{\"name\":\"retention\",\"expireAfterSeconds\":"},
    {"{\"createIndexes\":\"reports\",\"indexes\":["
     "{\"name\":\"type_created\",\"key\":{\"type\":1,\"created_at\":1}},"
     "{\"name\":\"shop_published\",\"key\":{\"type\":1,\"namespace\":1,\"published\":1,\"created_at\":-1}},"
     "{\"name\":\"retention\",\"key\":{\"created_at\":1},\"expireAfterSeconds\":",
     "{\"collMod\":\"reports\",\"index\":{\"name\":\"retention\",\"expireAfterSeconds\":"},
};

/* Sends the command that is `begin`, the seconds, `end`. */
static bool command_with_expiry(struct job_store_mongo_session *session, const char *begin, const char *end,
                                bson_error_t *error)
{
    const struct job_store_mongo_client *client = session->owner;
    int64_t seconds = (int64_t)client->retention_days * DAY_S;
    char *text = str_format("%s%lld%s", begin, (long long)(seconds < MAX_EXPIRY_S ? seconds : MAX_EXPIRY_S), end);
    bson_t *command = text != NULL ? bson_new_from_json((const uint8_t *)text, -1, error) : NULL;
    bool ok = command != NULL &&
              mongoc_client_write_command_with_opts(session->connection, client->database, command, NULL, NULL, error);

    bson_destroy(command);
    free(text);
    return ok;
}

/* An index that is there with another expiry is a conflict: JOB_RETENTION_DAYS has been changed. */
static bool make_indexes(struct job_store_mongo_session *session, const struct index_set *set, bson_error_t *error)
{
    static const uint32_t conflict_codes[] = {85, 86}; /* IndexOptionsConflict, IndexKeySpecsConflict */

    if (command_with_expiry(session, set->create, "}]}", error))
        return true;
    return IS_AMONG(error->code, conflict_codes) && command_with_expiry(session, set->change_expiry, "}}", error) &&
           command_with_expiry(session, set->create, "}]}", error);
}

static enum err_code ensure_indexes(struct job_store_mongo_session *session, struct err *err)
{
    bson_error_t error = {0};

    if (atomic_load(&session->owner->has_indexes))
        return ERR_OK;
    for (size_t i = 0; i < sizeof index_sets / sizeof index_sets[0]; i++) {
        if (!make_indexes(session, &index_sets[i], &error))
            return job_store_mongo_client_failed(&error, err);
    }
    atomic_store(&session->owner->has_indexes, true);
    return ERR_OK;
}

void job_store_mongo_client_end(struct job_store_mongo_session *session)
{
    mongoc_collection_destroy(session->collection);
    mongoc_client_pool_push(session->owner->pool, session->connection);
}

bool job_store_mongo_client_command(const struct job_store_mongo_session *session, const bson_t *command, bson_t *reply,
                                    bson_error_t *error)
{
    return mongoc_client_read_command_with_opts(session->connection, session->owner->database, command, NULL, NULL,
                                                reply, error);
}

static enum err_code take_connection(mongoc_client_t **out, struct job_store_mongo_client *client, struct err *err)
{
    *out = mongoc_client_pool_pop(client->pool);
    if (*out == NULL)
        return ERR_SET(err, ERR_UNAVAILABLE, "all %d connections to the job store are busy", POOL_SIZE);
    return ERR_OK;
}

enum err_code job_store_mongo_client_begin(struct job_store_mongo_session *session,
                                           struct job_store_mongo_client *client, const char *collection,
                                           struct err *err)
{
    enum err_code rc;

    *session = (struct job_store_mongo_session){.owner = client};
    rc = take_connection(&session->connection, client, err);
    if (rc != ERR_OK)
        return rc;
    session->collection = mongoc_client_get_collection(session->connection, client->database, collection);
    rc = ensure_indexes(session, err);
    if (rc != ERR_OK)
        job_store_mongo_client_end(session);
    return rc;
}

enum err_code job_store_mongo_client_ping(struct job_store_mongo_client *client, struct err *err)
{
    mongoc_client_t *connection;
    bson_t *command;
    bson_error_t error = {0};
    enum err_code rc = take_connection(&connection, client, err);

    if (rc != ERR_OK)
        return rc;
    command = BCON_NEW("ping", BCON_INT32(1));
    if (!mongoc_client_command_simple(connection, "admin", command, NULL, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    bson_destroy(command);
    mongoc_client_pool_push(client->pool, connection);
    return rc;
}

static void set_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
    if (!mongoc_uri_has_option(uri, option))
        (void)mongoc_uri_set_option_as_int32(uri, option, value);
}

/* Majority and journal, read from the primary, whatever the URL says: a document that was acknowledged must be there
 * after a crash, and found by the next who asks. Every wait ends. */
static void set_options(mongoc_uri_t *uri, int32_t answer_timeout_ms)
{
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

    mongoc_write_concern_set_w(concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_write_concern_set_wtimeout_int64(concern, answer_timeout_ms);
    mongoc_uri_set_write_concern(uri, concern);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_read_prefs_destroy(primary);
    mongoc_write_concern_destroy(concern);
    (void)mongoc_uri_set_appname(uri, "recfleet");
    set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_TIMEOUT_MS);
    set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, SELECTION_TIMEOUT_MS);
    set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, answer_timeout_ms + 5000); /* the server speaks first */
    set_default(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, ANSWER_TIMEOUT_MS);
}

const char *job_store_mongo_client_database_of(const mongoc_uri_t *uri)
{
    const char *database = mongoc_uri_get_database(uri);

    return database != NULL ? database : "pa_recommender";
}

static enum err_code open_pool(struct job_store_mongo_client *client, const mongoc_uri_t *uri, struct err *err)
{
    client->database = strdup(job_store_mongo_client_database_of(uri));
    client->pool = mongoc_client_pool_new(uri);
    if (client->database == NULL || client->pool == NULL)
        return ERR_SET(err, ERR_CONFIG, "STORE_URL: the MongoDB client cannot use it (TLS not built in, or no memory)");
    (void)mongoc_client_pool_set_error_api(client->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(client->pool, POOL_SIZE);
    return ERR_OK;
}

/* The driver's own lines: what matters in them comes back as an error too. */
static void on_driver_log(mongoc_log_level_t level, const char *domain, const char *message, void *context)
{
    (void)level;
    (void)context;
    log_debug("store.driver", log_text("domain", domain), log_text("message", message));
}

/* The driver's message repeats a password that is not percent-encoded. */
static enum err_code refuse_url(const bson_error_t *error, struct err *err)
{
    bool is_secret = strstr(error->message, "assword") != NULL || strstr(error->message, "sername") != NULL;

    return ERR_SET(err, ERR_CONFIG, "STORE_URL: %s",
                   is_secret ? "its user name or password must be percent-encoded" : error->message);
}

enum err_code job_store_mongo_client_uri(mongoc_uri_t **out, const char *url, int32_t answer_timeout_ms,
                                         struct err *err)
{
    bson_error_t error = {0};

    mongoc_log_set_handler(on_driver_log, NULL);
    mongoc_init(); /* the first call counts; never undone, since other stores may be open */
    *out = mongoc_uri_new_with_error(url, &error);
    if (*out == NULL)
        return refuse_url(&error, err);
    set_options(*out, answer_timeout_ms);
    return ERR_OK;
}

enum err_code job_store_mongo_client_create(struct job_store_mongo_client **out, const char *url, int retention_days,
                                            struct err *err)
{
    struct job_store_mongo_client *client = NULL;
    mongoc_uri_t *uri;
    enum err_code rc = job_store_mongo_client_uri(&uri, url, ANSWER_TIMEOUT_MS, err);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    client = mem_zeroed(1, sizeof *client);
    if (client == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the job store");
        goto done;
    }
    client->retention_days = retention_days;
    rc = open_pool(client, uri, err);
    if (rc != ERR_OK)
        goto done;
    *out = client;
    client = NULL; /* now the caller's */
done:
    job_store_mongo_client_destroy(client);
    mongoc_uri_destroy(uri);
    return rc;
}

void job_store_mongo_client_destroy(struct job_store_mongo_client *client)
{
    if (client == NULL)
        return;
    if (client->pool != NULL)
        mongoc_client_pool_destroy(client->pool);
    free(client->database);
    free(client);
}
