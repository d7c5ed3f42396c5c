#include "gateway/job_overlay.h"

#include <string.h>

#include "common/base/str.h"
#include "common/job/job.h"
#include "common/job/job_settings.h"

static int64_t field_int(const struct json *fields, const char *name, int64_t fallback)
{
    const char *text = json_value_get_text(fields, name);
    int64_t value;

    return text != NULL && str_to_int64(text, &value) ? value : fallback;
}

bool job_overlay_is_terminal(const struct json *document)
{
    enum job_state state;

    return job_state_parse(json_value_get_text(document, "state"), &state) && job_state_is_terminal(state);
}

static bool apply_numbers(struct json *document, const struct json *fields)
{
    static const struct {
        const char *field;
        const char *member;
    } numbers[] = {{"attempt", "attempt"}, {"errs", "errors"}, {"lost", "lost"}, {"fence", "fence"}};
    const char *progress = json_value_get_text(fields, "progress");
    double done;
    bool ok = true;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t value = field_int(fields, numbers[i].field, -1);

        if (value >= 0)
            ok = json_value_set_int(document, numbers[i].member, value) && ok;
    }
    if (progress != NULL && str_to_double(progress, &done))
        ok = json_value_set_real(document, "progress", done) && ok;
    return ok;
}

static bool apply_texts(struct json *document, const struct json *fields)
{
    static const struct {
        const char *field;
        const char *member;
    } texts[] = {{"state", "state"}, {"stage", "stage"}, {"worker", "worker"}, {"cancel", "cancel"}};
    bool ok = true;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = json_value_get_text(fields, texts[i].field);

        if (text != NULL && text[0] != '\0')
            ok = json_value_set_text(document, texts[i].member, text) && ok;
    }
    return ok;
}

static bool apply_times(struct json *document, const struct json *fields)
{
    static const struct {
        const char *field;
        const char *member;
    } times[] = {{"enq", "queued_at"}, {"started", "started_at"}, {"hb", "heartbeat_at"}};
    bool ok = true;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t unix_ms = field_int(fields, times[i].field, 0);

        if (unix_ms > 0)
            ok = job_document_set_time(document, times[i].member, unix_ms) && ok;
    }
    return ok;
}

/* `err` is JSON text {code, message, transient}; what a script wrote there is a plain text. */
static bool apply_error(struct json *document, const struct json *fields)
{
    const char *text = json_value_get_text(fields, "err");
    struct json *error = NULL;

    if (text == NULL || text[0] == '\0')
        return true;
    if (json_value_parse(&error, text, strlen(text), NULL) == ERR_OK && json_value_kind(error) == JSON_KIND_OBJECT)
        return json_value_set(document, "error", error);
    json_value_destroy(error);
    error = json_value_new_object();
    if (error == NULL || !json_value_set_text(error, "code", err_code_name(ERR_INTERNAL)) ||
        !json_value_set_text(error, "message", text) || !json_value_set_bool(error, "transient", false)) {
        json_value_destroy(error);
        return false;
    }
    return json_value_set(document, "error", error);
}

bool job_overlay_is_earlier(const struct json *document, const struct json *fields)
{
    int64_t generation = 0;
    int64_t fence = 0;

    (void)json_value_get_int64(document, "generation", &generation);
    (void)json_value_get_int64(document, "fence", &fence);
    return field_int(fields, "gen", 0) < generation || field_int(fields, "fence", fence) < fence;
}

bool job_overlay_apply(struct json *document, const struct json *fields)
{
    if (job_overlay_is_terminal(document) || job_overlay_is_earlier(document, fields))
        return true;
    return apply_numbers(document, fields) && apply_texts(document, fields) && apply_times(document, fields) &&
           apply_error(document, fields);
}

int64_t job_overlay_id_time_ms(const char *id)
{
    static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t unix_ms = 0;

    if (!job_id_is_valid(id))
        return -1;
    for (int i = 0; i < 10; i++)
        unix_ms = unix_ms * 32 + (strchr(base32, id[i]) - base32);
    return unix_ms;
}

struct json *job_overlay_document(const char *id, const char *queue, const struct json *fields)
{
    const char *text = json_value_get_text(fields, "args");
    const char *client = json_value_get_text(fields, "client");
    struct json *args = NULL;
    struct json *document = NULL;
    struct job_request request = {.id = id,
                                  .queue = queue,
                                  .requested_by = client != NULL ? client : "",
                                  .max_errors = (int)field_int(fields, "max_errs", JOB_SETTINGS_MAX_ERRORS),
                                  .max_lost = (int)field_int(fields, "max_lost", JOB_SETTINGS_MAX_LOST),
                                  .fingerprint = ""};

    if (text == NULL || json_value_parse(&args, text, strlen(text), NULL) != ERR_OK ||
        !job_type_parse(json_value_get_text(fields, "type"), &request.type))
        goto done;
    request.shop = json_value_get_text(args, "namespace");
    request.params = json_value_get(args, "params");
    document = job_document_create(&request, job_overlay_id_time_ms(id));
    if (document != NULL && !job_overlay_apply(document, fields)) {
        json_value_destroy(document);
        document = NULL;
    }
done:
    json_value_destroy(args);
    return document;
}

struct json *job_overlay_view(const struct json *document, int64_t now_ms, int64_t lease_ms)
{
    struct json *view = job_document_view(document);
    const char *state = json_value_get_text(document, "state");
    const char *beaten = json_value_get_text(document, "heartbeat_at");
    int64_t beaten_ms;
    bool stalled = state != NULL && strcmp(state, job_state_name(JOB_RUNNING)) == 0 && beaten != NULL &&
                   clock_parse_iso8601(beaten, &beaten_ms) && now_ms - beaten_ms > lease_ms;

    if (view != NULL && !json_value_set_bool(view, "stalled", stalled)) {
        json_value_destroy(view);
        return NULL;
    }
    return view;
}
