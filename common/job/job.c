#include "common/job/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { CLOCK_BACK_MS = 1000 };

static const char *const type_names[JOB_TYPE_COUNT] = {
    [JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS] = "homepage_and_similar_products",
    [JOB_CROSS_SELL] = "cross_sell",
    [JOB_HYPERPARAMETER_SEARCH] = "hyperparameter_search",
    [JOB_WAREHOUSE] = "warehouse",
};

static const char *const state_names[JOB_STATE_COUNT] = {
    [JOB_ACCEPTED] = "accepted", [JOB_SCHEDULED] = "scheduled", [JOB_QUEUED] = "queued",
    [JOB_RUNNING] = "running",   [JOB_RETRYING] = "retrying",   [JOB_SUCCEEDED] = "succeeded",
    [JOB_DEAD] = "dead",         [JOB_CANCELLED] = "cancelled", [JOB_SUPERSEDED] = "superseded",
};

static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */

const char *job_type_name(enum job_type type)
{
    return (unsigned)type < JOB_TYPE_COUNT ? type_names[type] : "unknown";
}

bool job_type_parse(const char *name, enum job_type *out)
{
    for (unsigned i = 0; name != NULL && i < JOB_TYPE_COUNT; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *out = (enum job_type)i;
            return true;
        }
    }
    return false;
}

const char *job_state_name(enum job_state state)
{
    return (unsigned)state < JOB_STATE_COUNT ? state_names[state] : "unknown";
}

bool job_state_parse(const char *name, enum job_state *out)
{
    for (unsigned i = 0; name != NULL && i < JOB_STATE_COUNT; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *out = (enum job_state)i;
            return true;
        }
    }
    return false;
}

bool job_state_is_terminal(enum job_state state)
{
    return state == JOB_SUCCEEDED || state == JOB_DEAD || state == JOB_CANCELLED || state == JOB_SUPERSEDED;
}

/* 48 bits of milliseconds, 80 of chance, five bits a character from the top. */
static void print_id(char *out, const struct job_id_source *source)
{
    unsigned buffer = 0;
    unsigned bits = 2; /* 26 characters hold 130 bits: two zeros lead */
    size_t used = 0;

    for (size_t i = 0; i < 6 + sizeof source->chance; i++) {
        unsigned byte = i < 6 ? (unsigned)((uint64_t)source->unix_ms >> (8 * (5 - i))) & 0xffu : source->chance[i - 6];

        buffer = (buffer << 8 | byte) & 0xffffu;
        for (bits += 8; bits >= 5; bits -= 5)
            out[used++] = base32[buffer >> (bits - 5) & 31u];
    }
    out[used] = '\0';
}

/* One more; false: there is none above it. */
static bool raise_chance(struct job_id_source *source)
{
    for (size_t i = sizeof source->chance; i > 0; i--) {
        if (++source->chance[i - 1] != 0)
            return true;
    }
    return false;
}

/* A clock may be set back a little: then the ids' time stands still until it is there again. */
static bool is_near(const struct job_id_source *source, int64_t unix_ms)
{
    return unix_ms <= source->unix_ms && unix_ms > source->unix_ms - CLOCK_BACK_MS;
}

enum err_code job_id_next(char *out, struct job_id_source *source, const struct clock_source *clock, struct err *err)
{
    int64_t unix_ms = clock_unix_ms(clock);

    if (!is_near(source, unix_ms) || !raise_chance(source)) {
        if (getrandom(source->chance, sizeof source->chance, 0) != (ssize_t)sizeof source->chance)
            return ERR_SET(err, ERR_IO, "getrandom: %s", strerror(errno));
        source->unix_ms = unix_ms;
    }
    print_id(out, source);
    return ERR_OK;
}

enum err_code job_id_generate(char *out, const struct clock_source *clock, struct err *err)
{
    struct job_id_source source = {0};

    return job_id_next(out, &source, clock, err);
}

bool job_id_is_valid(const char *text)
{
    return strlen(text) == JOB_ID_BYTES - 1 && strspn(text, base32) == JOB_ID_BYTES - 1;
}

bool job_document_set_time(struct json *document, const char *key, int64_t unix_ms)
{
    char text[CLOCK_ISO8601_BYTES];

    if (unix_ms == 0)
        return json_value_set_null(document, key);
    clock_format_iso8601(text, unix_ms);
    return json_value_set_text(document, key, text);
}

static bool fill_request(struct json *document, const struct job_request *request)
{
    struct json *params = request->params != NULL ? json_value_dup(request->params) : json_value_new_object();
    bool ok = json_value_set_text(document, "_id", request->id);

    ok = json_value_set_text(document, "type", job_type_name(request->type)) && ok;
    ok = json_value_set_text(document, "namespace", request->shop) && ok;
    ok = json_value_set_text(document, "queue", request->queue) && ok;
    ok = json_value_set(document, "params", params) && ok;
    ok = job_document_set_time(document, "run_at", request->run_at_ms) && ok;
    ok = json_value_set_int(document, "max_errors", request->max_errors) && ok;
    ok = json_value_set_int(document, "max_lost", request->max_lost) && ok;
    ok = json_value_set_text(document, "idempotency_hash", request->idempotency_hash) && ok;
    ok = json_value_set_text(document, "fingerprint", request->fingerprint) && ok;
    return json_value_set_text(document, "requested_by", request->requested_by) && ok;
}

static bool fill_state(struct json *document, int64_t now_ms)
{
    static const char *const nulls[] = {"cancel",       "worker",      "backend", "queued_at", "started_at",
                                        "heartbeat_at", "finished_at", "error",   "result"};
    static const char *const zeros[] = {"attempt", "errors", "lost", "fence", "generation"};
    bool ok = json_value_set_text(document, "state", job_state_name(JOB_ACCEPTED));

    ok = json_value_set_text(document, "stage", "") && ok;
    ok = json_value_set_real(document, "progress", 0) && ok;
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
        ok = json_value_set_int(document, zeros[i], 0) && ok;
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        ok = json_value_set_null(document, nulls[i]) && ok;
    return job_document_set_time(document, "created_at", now_ms) && ok;
}

struct json *job_document_create(const struct job_request *request, int64_t now_ms)
{
    struct json *document = json_value_new_object();

    if (document == NULL)
        return NULL;
    if (!fill_request(document, request) || !fill_state(document, now_ms)) {
        json_value_destroy(document);
        return NULL;
    }
    return document;
}

/* What is shown of a document, before and behind what is not of it. */
static const char *const shown_before[] = {"type",       "namespace",  "state",        "stage",
                                           "progress",   "attempt",    "errors",       "lost",
                                           "created_at", "started_at", "heartbeat_at", "finished_at"};
static const char *const shown_after[] = {"worker", "backend", "params", "run_at", "error", "result"};
static const char *const links[] = {"cancel", "events", "report"};

/* A member as it is, or null. */
static bool show(struct json *view, const char *key, const struct json *document)
{
    const struct json *value = json_value_get(document, key);

    return json_value_set(view, key, value != NULL ? json_value_share(value) : json_value_new_null());
}

static bool show_links(struct json *view, const char *id)
{
    struct json *object = json_value_new_object();
    char url[64];
    size_t length = (size_t)snprintf(url, sizeof url - 16, "/v1/jobs/%.26s", id);
    bool ok = object != NULL && json_value_set_text(object, "self", url);

    for (size_t i = 0; ok && i < sizeof links / sizeof links[0]; i++) {
        url[length] = '/';
        memcpy(url + length + 1, links[i], strlen(links[i]) + 1);
        ok = json_value_set_text(object, links[i], url);
    }
    return json_value_set(view, "links", object) && ok;
}

/* `cancel` is null, or says who asked or that somebody did. */
static bool is_cancel_requested(const struct json *document)
{
    const struct json *cancel = json_value_get(document, "cancel");
    bool truth = json_value_kind(cancel) != JSON_KIND_NULL;

    (void)json_value_to_bool(cancel, &truth);
    return truth;
}

struct json *job_document_view(const struct json *document)
{
    const char *id = json_value_get_text(document, "_id");
    struct json *view = json_value_new_object();
    bool ok = view != NULL && json_value_set_text(view, "id", id);

    for (size_t i = 0; ok && i < sizeof shown_before / sizeof shown_before[0]; i++)
        ok = show(view, shown_before[i], document);
    ok = ok && json_value_set_bool(view, "stalled", false) && json_value_set_null(view, "queue_position");
    for (size_t i = 0; ok && i < sizeof shown_after / sizeof shown_after[0]; i++)
        ok = show(view, shown_after[i], document);
    ok = ok && json_value_set_bool(view, "cancel_requested", is_cancel_requested(document));
    if (!ok || !show_links(view, id != NULL ? id : "")) {
        json_value_destroy(view);
        return NULL;
    }
    return view;
}
