#include "common/job/job_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_store_ops.h"

static const char analytics_type[] = "analytics";

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

/* Whether a member is a time, as its name says. */
static bool is_time(const char *key, const struct json *value)
{
    size_t length = strlen(key);

    return length > strlen("_at") && strcmp(key + length - strlen("_at"), "_at") == 0 &&
           json_value_kind(value) != JSON_KIND_NULL;
}

static bool canonical_member(void *context, const char *key, const struct json *value)
{
    struct canonical *canonical = context;
    int64_t unix_ms;

    if (!is_time(key, value))
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

static void destroy_all(struct json **documents, size_t count)
{
    for (size_t i = 0; documents != NULL && i < count; i++)
        json_value_destroy(documents[i]);
    free(documents);
}

enum err_code job_store_insert_many(struct job_store *store, const struct job_store_text *documents, size_t count,
                                    enum err_code *results, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (documents[i].id == NULL || documents[i].id[0] == '\0')
            return ERR_SET(err, ERR_ARGUMENT, "a document needs an _id");
        results[i] = ERR_OK;
    }
    return count > 0 ? store->ops->insert_many(store->self, documents, count, results, err) : ERR_OK;
}

enum err_code job_store_insert_text(struct job_store *store, const struct job_store_text *document, struct err *err)
{
    enum err_code result = ERR_OK;
    enum err_code rc = job_store_insert_many(store, document, 1, &result, err);

    if (rc != ERR_OK || result == ERR_OK)
        return rc;
    return ERR_SET(err, result,
                   result == ERR_EXISTS ? "the job store has such a document already"
                                        : "the job store does not take this document");
}

/* The member's text, or "". */
static const char *text_of(const struct json *document, const char *key)
{
    const char *text = json_value_get_text(document, key);

    return text != NULL ? text : "";
}

enum err_code job_store_insert(struct job_store *store, const struct json *document, struct err *err)
{
    struct job_store_text insertion = {.id = json_value_get_text(document, "_id")};
    struct json *complete = NULL;
    char *text = NULL;
    enum err_code rc;

    (void)json_value_get_int64(document, "fence", &insertion.fence);
    rc = make_canonical(&complete, document, NULL, insertion.fence, err);
    if (rc != ERR_OK)
        return rc;
    text = json_value_print(complete, false, 0);
    insertion.state = text_of(complete, "state");
    insertion.type = text_of(complete, "type");
    insertion.created_at = text_of(complete, "created_at");
    insertion.text = text;
    rc = text != NULL ? job_store_insert_text(store, &insertion, err)
                      : ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    free(text);
    json_value_destroy(complete);
    return rc;
}

enum err_code job_store_get(struct job_store *store, const char *id, struct json **out, struct err *err)
{
    *out = NULL;
    return store->ops->get(store->self, id, out, err);
}

/* What an update of that fence may change, and nothing that a newer run has written. */
static struct job_store_amendment amendment_of(const char *id, int64_t fence, const struct json *changes)
{
    return (struct job_store_amendment){.id = id, .fence_min = INT64_MIN, .fence_max = fence, .changes = changes};
}

enum err_code job_store_update(struct job_store *store, const char *id, int64_t fence, const struct json *changes,
                               bool *applied, struct err *err)
{
    struct json *complete = NULL;
    enum err_code rc = make_canonical(&complete, changes, NULL, fence, err);

    *applied = false;
    if (rc == ERR_OK) {
        struct job_store_amendment amendment = amendment_of(id, fence, complete);

        rc = store->ops->amend(store->self, &amendment, 1, applied, err);
    }
    json_value_destroy(complete);
    return rc;
}

enum err_code job_store_update_many(struct job_store *store, const struct job_store_change *changes, size_t count,
                                    struct err *err)
{
    struct json **copies = mem_zeroed(count, sizeof(struct json *));
    struct job_store_amendment *amendments = mem_zeroed(count, sizeof *amendments);
    bool applied = false;
    enum err_code rc = ERR_OK;

    if (copies == NULL || amendments == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu updates", count);
        goto done;
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = make_canonical(&copies[i], changes[i].changes, NULL, changes[i].fence, err);
        amendments[i] = amendment_of(changes[i].id, changes[i].fence, copies[i]);
    }
    if (rc == ERR_OK && count > 0)
        rc = store->ops->amend(store->self, amendments, count, &applied, err);
done:
    free(amendments);
    destroy_all(copies, count);
    return rc;
}

enum err_code job_store_delete_accepted(struct job_store *store, const char *id, struct err *err)
{
    return store->ops->delete_accepted(store->self, id, err);
}

/* Takes the member out of the report, as a report of its own; *out is NULL where there is none. */
static enum err_code take_analytics(struct json **out, struct json *report, const char *id, int64_t fence,
                                    struct err *err)
{
    struct json *analytics;
    char *own_id;
    bool good;
    enum err_code rc;

    *out = NULL;
    if (json_value_kind(json_value_get(report, "analytics")) != JSON_KIND_OBJECT)
        return ERR_OK;
    analytics = json_value_dup(json_value_get(report, "analytics"));
    own_id = str_format("%s.analytics", id);
    json_value_remove(report, "analytics");
    good = own_id != NULL && json_value_set_text(analytics, "type", analytics_type) &&
           json_value_set_text(analytics, "job", id) && json_value_set_bool(analytics, "published", true) &&
           json_value_set(analytics, "namespace", json_value_dup(json_value_get(report, "namespace"))) &&
           json_value_set(analytics, "created_at", json_value_dup(json_value_get(report, "created_at")));
    rc = good ? make_canonical(out, analytics, own_id, fence, err)
              : ERR_SET(err, ERR_NO_MEMORY, "no memory for a report of analytics");
    json_value_destroy(analytics);
    free(own_id);
    return rc;
}

enum err_code job_store_put_report(struct job_store *store, const char *id, int64_t fence, const struct json *report,
                                   bool *applied, struct err *err)
{
    struct json *complete = NULL;
    enum err_code rc = make_canonical(&complete, report, id, fence, err);

    struct json *analytics = NULL;
    bool analytics_applied = false;

    *applied = false;
    if (rc == ERR_OK)
        rc = take_analytics(&analytics, complete, id, fence, err);
    if (rc == ERR_OK)
        rc = store->ops->put_report(store->self, id, fence, complete, applied, err);
    if (rc == ERR_OK && *applied && analytics != NULL)
        rc = store->ops->put_report(store->self, json_value_get_text(analytics, "_id"), fence, analytics,
                                    &analytics_applied, err);
    json_value_destroy(analytics);
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
    return store->ops->last_published(store->self, job_type_name(type), shop, out, err);
}

enum err_code job_store_latest_analytics(struct job_store *store, const char *shop, struct json **out, struct err *err)
{
    *out = NULL;
    return store->ops->last_published(store->self, analytics_type, shop, out, err);
}

enum err_code job_store_request_cancel(struct job_store *store, const char *id, const char *reason, bool *applied,
                                       struct err *err)
{
    struct json *changes = json_value_new_object();
    struct job_store_amendment amendment = amendment_of(id, INT64_MAX, changes);
    enum err_code rc = ERR_OK;

    *applied = false;
    if (changes == NULL || !json_value_set_text(changes, "cancel", reason))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to cancel a job");
    if (rc == ERR_OK)
        rc = store->ops->amend(store->self, &amendment, 1, applied, err);
    json_value_destroy(changes);
    return rc;
}

/* What makes an ended job a new one. NULL: no memory. */
static struct json *make_reopening(const struct json *document, int64_t fence)
{
    static const char *const counters[] = {"attempt", "errors", "lost", "progress"};
    static const char *const forgotten[] = {"worker",     "backend",     "error",        "result",   "cancel",
                                            "started_at", "finished_at", "heartbeat_at", "queued_at"};
    struct json *changes = json_value_new_object();
    int64_t generation = 0;
    bool made = json_value_set_text(changes, "state", job_state_name(JOB_ACCEPTED)) &&
                json_value_set_text(changes, "stage", "") && json_value_set_null(changes, "run_at");

    (void)json_value_get_int64(document, "generation", &generation);
    made = made && json_value_set_int(changes, "generation", generation + 1) &&
           json_value_set_int(changes, "fence", fence + 1);
    for (size_t i = 0; made && i < sizeof counters / sizeof counters[0]; i++)
        made = json_value_set_int(changes, counters[i], 0);
    for (size_t i = 0; made && i < sizeof forgotten / sizeof forgotten[0]; i++)
        made = json_value_set_null(changes, forgotten[i]);
    if (made)
        return changes;
    json_value_destroy(changes);
    return NULL;
}

/* What opens the document again, if it still is what it was then; ERR_EXISTS: its state forbids it. *changes is the
 * caller's. */
static enum err_code begin_reopening(struct job_store_amendment *out, struct json **changes,
                                     const struct json *document, struct err *err)
{
    const char *state = json_value_get_text(document, "state");
    int64_t fence = 0;

    (void)json_value_get_int64(document, "fence", &fence);
    if (state == NULL ||
        (strcmp(state, job_state_name(JOB_DEAD)) != 0 && strcmp(state, job_state_name(JOB_CANCELLED)) != 0))
        return ERR_SET(err, ERR_EXISTS, "job %s is %s: only a dead or cancelled one can be retried", out->id,
                       state != NULL ? state : "in no state");
    *changes = make_reopening(document, fence);
    out->state = state;
    out->fence_min = fence;
    out->fence_max = fence;
    out->changes = *changes;
    return *changes != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory to retry a job");
}

enum err_code job_store_reopen(struct job_store *store, const char *id, struct json **out, struct err *err)
{
    struct json *document = NULL;
    struct json *changes = NULL;
    struct job_store_amendment amendment = {.id = id};
    bool applied = false;
    enum err_code rc = job_store_get(store, id, &document, err);

    *out = NULL;
    if (rc == ERR_OK)
        rc = begin_reopening(&amendment, &changes, document, err);
    if (rc == ERR_OK)
        rc = store->ops->amend(store->self, &amendment, 1, &applied, err);
    if (rc == ERR_OK && !applied)
        rc = ERR_SET(err, ERR_EXISTS, "job %s was changed meanwhile", id);
    if (rc == ERR_OK && !json_value_merge(document, changes))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to retry a job");
    if (rc == ERR_OK) {
        *out = document;
        document = NULL;
    }
    json_value_destroy(changes);
    json_value_destroy(document);
    return rc;
}

/* Hands on a list, or what failed. */
static enum err_code give_list(struct json **out, struct json *list, enum err_code rc)
{
    *out = rc == ERR_OK ? list : NULL;
    if (rc != ERR_OK)
        json_value_destroy(list);
    return rc;
}

static enum err_code check_limit(int limit, struct err *err)
{
    return limit >= 1 ? ERR_OK
                      : ERR_SET(err, ERR_ARGUMENT, "a list of jobs needs a limit of at least 1, not %d", limit);
}

static enum err_code new_list(struct json **list, struct err *err)
{
    *list = json_value_new_array();
    return *list != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a list of jobs");
}

enum err_code job_store_find(struct job_store *store, const struct job_store_filter *filter, struct json **out,
                             struct err *err)
{
    struct json *list = NULL;
    enum err_code rc = check_limit(filter->limit, err);

    if (rc == ERR_OK)
        rc = new_list(&list, err);
    if (rc == ERR_OK)
        rc = store->ops->find(store->self, filter, list, err);
    return give_list(out, list, rc);
}

enum err_code job_store_list_unfinished(struct job_store *store, int64_t created_before_ms, const char *after,
                                        int limit, struct json **out, struct err *err)
{
    char created_before[CLOCK_ISO8601_BYTES];
    struct json *list = NULL;
    enum err_code rc = check_limit(limit, err);

    clock_format_iso8601(created_before, created_before_ms);
    if (rc == ERR_OK)
        rc = new_list(&list, err);
    if (rc == ERR_OK)
        rc = store->ops->list_unfinished(store->self, created_before, after, limit, list, err);
    return give_list(out, list, rc);
}

enum err_code job_store_last_successes(struct job_store *store, struct json **out, struct err *err)
{
    struct json *list = NULL;
    enum err_code rc = new_list(&list, err);

    if (rc == ERR_OK)
        rc = store->ops->last_successes(store->self, list, err);
    return give_list(out, list, rc);
}
