#include "common/job/job_new.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/json_print.h"

enum { PARAMS_BYTES = 256 /* of most */ };

static size_t bytes_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Moves the text behind *to, which it puts behind that. */
static void keep(const char **text, char **to)
{
    size_t bytes = bytes_of(*text);

    if (bytes == 0)
        return;
    memcpy(*to, *text, bytes);
    *text = *to;
    *to += bytes;
}

static bool keep_texts(struct job_new *job)
{
    struct job_request *request = &job->request;
    const char **const texts[] = {&request->id,           &request->shop,        &request->queue,
                                  &request->requested_by, &request->fingerprint, &request->idempotency_hash};
    size_t bytes = 0;
    char *to;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bytes += bytes_of(*texts[i]);
    to = malloc(bytes);
    job->texts = to;
    for (size_t i = 0; to != NULL && i < sizeof texts / sizeof texts[0]; i++)
        keep(texts[i], &to);
    return job->texts != NULL;
}

bool job_new_init(struct job_new *job, const struct job_request *request, int64_t now_ms)
{
    *job = (struct job_new){.request = *request};
    job->request.params = NULL;
    clock_format_iso8601(job->created_at, now_ms);
    if (request->run_at_ms != 0)
        clock_format_iso8601(job->run_at, request->run_at_ms);
    str_reserve(&job->params, PARAMS_BYTES);
    if (request->params != NULL)
        json_print_append(&job->params, request->params);
    else
        str_append_text(&job->params, "{}");
    if (!job->params.failed && keep_texts(job))
        return true;
    job_new_fini(job);
    return false;
}

void job_new_fini(struct job_new *job)
{
    str_fini(&job->params);
    free(job->texts);
    job->texts = NULL;
}

/* ,"key": */
static void print_key(struct str *out, const char *key)
{
    str_append_text(out, ",\"");
    str_append_text(out, key);
    str_append_text(out, "\":");
}

/* null where there is no value */
static void print_text(struct str *out, const char *key, const char *value)
{
    print_key(out, key);
    if (value != NULL)
        json_print_append_text(out, value, strlen(value));
    else
        str_append_text(out, "null");
}

static void print_int(struct str *out, const char *key, int64_t value)
{
    print_key(out, key);
    str_append_int(out, value);
}

static void print_params(struct str *out, const struct job_new *job)
{
    str_append_text(out, ",\"params\":");
    str_append(out, job->params.text, job->params.length);
}

static const char *run_at_of(const struct job_new *job)
{
    return job->run_at[0] != '\0' ? job->run_at : NULL;
}

void job_new_print_document(struct str *out, const struct job_new *job)
{
    const struct job_request *request = &job->request;

    str_append_text(out, "{\"_id\":\"");
    str_append_text(out, request->id);
    str_append_char(out, '"');
    print_text(out, "type", job_type_name(request->type));
    print_text(out, "namespace", request->shop);
    print_text(out, "queue", request->queue);
    print_params(out, job);
    print_text(out, "run_at", run_at_of(job));
    print_int(out, "max_errors", request->max_errors);
    print_int(out, "max_lost", request->max_lost);
    print_text(out, "idempotency_hash", request->idempotency_hash);
    print_text(out, "fingerprint", request->fingerprint);
    print_text(out, "requested_by", request->requested_by);
    str_append_text(out,
                    ",\"state\":\"accepted\",\"stage\":\"\",\"progress\":0.0,\"attempt\":0,\"errors\":0,\"lost\":0,"
                    "\"fence\":0,\"generation\":0,\"cancel\":null,\"worker\":null,\"backend\":null,"
                    "\"queued_at\":null,\"started_at\":null,\"heartbeat_at\":null,\"finished_at\":null,"
                    "\"error\":null,\"result\":null");
    print_text(out, "created_at", job->created_at);
    str_append_char(out, '}');
}

static void print_link(struct str *out, const char *key, const char *id, const char *rest)
{
    str_append_text(out, key);
    str_append_text(out, "\":\"/v1/jobs/");
    str_append_text(out, id);
    str_append_text(out, rest);
}

void job_new_print_view(struct str *out, const struct job_new *job, enum job_state state)
{
    const struct job_request *request = &job->request;

    str_append_text(out, "{\"id\":\"");
    str_append_text(out, request->id);
    str_append_char(out, '"');
    print_text(out, "type", job_type_name(request->type));
    print_text(out, "namespace", request->shop);
    print_text(out, "state", job_state_name(state));
    str_append_text(out, ",\"stage\":\"\",\"progress\":0.0,\"attempt\":0,\"errors\":0,\"lost\":0");
    print_text(out, "created_at", job->created_at);
    str_append_text(out, ",\"started_at\":null,\"heartbeat_at\":null,\"finished_at\":null,\"stalled\":false,"
                         "\"queue_position\":null,\"worker\":null,\"backend\":null");
    print_params(out, job);
    print_text(out, "run_at", run_at_of(job));
    str_append_text(out, ",\"error\":null,\"result\":null,\"cancel_requested\":false,\"links\":{\"");
    print_link(out, "self", request->id, "\",\"");
    print_link(out, "cancel", request->id, "/cancel\",\"");
    print_link(out, "events", request->id, "/events\",\"");
    print_link(out, "report", request->id, "/report\"}}");
}

void job_new_print_args(struct str *out, const struct job_new *job)
{
    str_append_text(out, "{\"params\":");
    str_append(out, job->params.text, job->params.length);
    print_text(out, "namespace", job->request.shop);
    str_append_char(out, '}');
}
