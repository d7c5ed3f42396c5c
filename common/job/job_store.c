#include "common/job/job_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_store_ops.h"

struct job_store {
    const struct job_store_ops *ops;
    void *self;
};

static enum err_code open_by_url(struct job_store *store, const char *url, int retention_days, struct err *err)
{
    if (str_starts_with(url, "sqlite:"))
        return job_store_sqlite_open(&store->self, &store->ops, url + strlen("sqlite:"), retention_days, err);
    if (str_starts_with(url, "mongodb://") || str_starts_with(url, "mongodb+srv://"))
        return job_store_mongo_open(&store->self, &store->ops, url, retention_days, err);
    return ERR_SET(err, ERR_CONFIG, "STORE_URL begins with mongodb://, mongodb+srv:// or sqlite:");
}

enum err_code job_store_open(struct job_store **out, const char *url, int retention_days, struct err *err)
{
    struct job_store *store = mem_zeroed(1, sizeof *store);
    enum err_code rc;

    *out = NULL;
    if (store == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the job store");
    rc = open_by_url(store, url, retention_days, err);
    if (rc != ERR_OK) {
        free(store);
        return rc;
    }
    *out = store;
    return ERR_OK;
}

void job_store_close(struct job_store *store)
{
    if (store == NULL)
        return;
    store->ops->close(store->self);
    free(store);
}

const char *job_store_kind(const struct job_store *store)
{
    return store->ops->kind;
}

enum err_code job_store_ping(struct job_store *store, struct err *err)
{
    return store->ops->ping(store->self, err);
}

/* Brings the times of a document into the one form that both stores keep. */
struct canonical {
    struct json *copy;
    const char *bad; /* a member that ends in _at and is no time */
    bool no_memory;
};

static bool set_time(struct json *document, const char *key, int64_t unix_ms)
{
    char text[CLOCK_ISO8601_BYTES];

    clock_format_iso8601(text, unix_ms); /* job_document_set_time would make null of 1970 */
    return json_value_set_text(document, key, text);
}

static bool canonical_member(void *context, const char *key, const struct json *value)
{
    struct canonical *canonical = context;
    size_t length = strlen(key);
    int64_t unix_ms;

    if (length <= strlen("_at") || strcmp(key + length - strlen("_at"), "_at") != 0 ||
        json_value_kind(value) == JSON_KIND_NULL)
        return true;
    if (json_value_text(value) == NULL || !clock_parse_iso8601(json_value_text(value), &unix_ms))
        canonical->bad = key;
    else
        canonical->no_memory = !set_time(canonical->copy, key, unix_ms);
    return canonical->bad == NULL && !canonical->no_memory;
}

/* A copy with its times in that form and with _id (unless NULL) and fence set. */
static enum err_code make_canonical(struct json **out, const struct json *document, const char *id, int64_t fence,
                                    struct err *err)
{
    struct canonical canonical = {.copy = json_value_dup(document)};

    *out = NULL;
    canonical.no_memory = canonical.copy == NULL || !json_value_set_int(canonical.copy, "fence", fence) ||
                          (id != NULL && !json_value_set_text(canonical.copy, "_id", id));
    if (!canonical.no_memory)
        json_value_each(document, canonical_member, &canonical);
    if (canonical.bad == NULL && !canonical.no_memory) {
        *out = canonical.copy;
        return ERR_OK;
    }
    json_value_destroy(canonical.copy);
    return canonical.bad != NULL ? ERR_SET(err, ERR_FORMAT, "the document's member %.64s is no time", canonical.bad)
                                 : ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
}

enum err_code job_store_insert(struct job_store *store, const struct json *document, struct err *err)
{
    const char *id = json_value_get_text(document, "_id");
    struct json *complete = NULL;
    int64_t fence = 0;
    enum err_code rc;

    if (id == NULL || id[0] == '\0')
        return ERR_SET(err, ERR_ARGUMENT, "a document needs an _id");
    (void)json_value_get_int64(document, "fence", &fence);
    rc = make_canonical(&complete, document, NULL, fence, err);
    if (rc == ERR_OK)
        rc = store->ops->insert(store->self, complete, err);
    json_value_destroy(complete);
    return rc;
}

enum err_code job_store_get(struct job_store *store, const char *id, struct json **out, struct err *err)
{
    *out = NULL;
    return store->ops->get(store->self, id, out, err);
}

enum err_code job_store_update(struct job_store *store, const char *id, int64_t fence, const struct json *changes,
                               bool *applied, struct err *err)
{
    struct json *complete = NULL;
    enum err_code rc = make_canonical(&complete, changes, NULL, fence, err);

    *applied = false;
    if (rc == ERR_OK)
        rc = store->ops->update(store->self, id, fence, complete, applied, err);
    json_value_destroy(complete);
    return rc;
}

enum err_code job_store_delete_accepted(struct job_store *store, const char *id, struct err *err)
{
    return store->ops->delete_accepted(store->self, id, err);
}

enum err_code job_store_put_report(struct job_store *store, const char *id, int64_t fence, const struct json *report,
                                   bool *applied, struct err *err)
{
    struct json *complete = NULL;
    enum err_code rc = make_canonical(&complete, report, id, fence, err);

    *applied = false;
    if (rc == ERR_OK)
        rc = store->ops->put_report(store->self, id, fence, complete, applied, err);
    json_value_destroy(complete);
    return rc;
}

enum err_code job_store_get_report(struct job_store *store, const char *id, struct json **out, struct err *err)
{
    *out = NULL;
    return store->ops->get_report(store->self, id, out, err);
}

enum err_code job_store_last_published(struct job_store *store, enum job_type type, const char *shop, struct json **out,
                                       struct err *err)
{
    *out = NULL;
    return store->ops->last_published(store->self, type, shop, out, err);
}

enum err_code job_store_list(struct job_store *store, const char *state, const char *type, const char *before,
                             int limit, struct json **out, struct err *err)
{
    *out = NULL;
    if (limit < 1)
        return ERR_SET(err, ERR_ARGUMENT, "a list of jobs needs a limit of at least 1, not %d", limit);
    return store->ops->list(store->self, state, type, before, limit, out, err);
}
