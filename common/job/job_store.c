#include "common/job/job_store.h"

#include <stdlib.h>
#include <string.h>

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

enum err_code job_store_insert(struct job_store *store, const struct json *document, struct err *err)
{
    return store->ops->insert(store->self, document, err);
}

enum err_code job_store_get(struct job_store *store, const char *id, struct json **out, struct err *err)
{
    *out = NULL;
    return store->ops->get(store->self, id, out, err);
}

enum err_code job_store_update(struct job_store *store, const char *id, int64_t fence, const struct json *changes,
                               bool *applied, struct err *err)
{
    *applied = false;
    return store->ops->update(store->self, id, fence, changes, applied, err);
}

enum err_code job_store_delete_accepted(struct job_store *store, const char *id, struct err *err)
{
    return store->ops->delete_accepted(store->self, id, err);
}

enum err_code job_store_put_report(struct job_store *store, const char *id, int64_t fence, const struct json *report,
                                   bool *applied, struct err *err)
{
    *applied = false;
    return store->ops->put_report(store->self, id, fence, report, applied, err);
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
    return store->ops->list(store->self, state, type, before, limit, out, err);
}
