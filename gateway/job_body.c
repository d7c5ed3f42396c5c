#include "gateway/job_body.h"

#include <string.h>
#include <strings.h>

#include "common/job/job_params.h"
#include "common/job/job_settings.h"
#include "common/job/job_shops.h"
#include "gateway/problem.h"
#include "gateway/settings.h"

/* application/json or application/…+json, with or without parameters */
static bool is_json(const char *content_type)
{
    size_t length = content_type != NULL ? strcspn(content_type, "; \t") : 0;

    if (length == strlen("application/json") && strncasecmp(content_type, "application/json", length) == 0)
        return true;
    return length > strlen("application/+json") &&
           strncasecmp(content_type, "application/", strlen("application/")) == 0 &&
           strncasecmp(content_type + length - strlen("+json"), "+json", strlen("+json")) == 0;
}

static bool parse(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct err err;

    if (!is_json(http_request_header(request, "content-type"))) {
        http_reply_add(&exchange->reply, "Accept", "application/json");
        problem_answer(exchange, 415, "unsupported_media_type", "the body must be application/json");
        return false;
    }
    if (json_value_parse(&exchange->document, request->body, request->body_length, &err) != ERR_OK) {
        problem_answer(exchange, 400, "malformed_json", "%s", err.message);
        return false;
    }
    if (json_value_kind(exchange->document) != JSON_KIND_OBJECT) {
        problem_answer(exchange, 400, "malformed_json", "the body must be a JSON object");
        return false;
    }
    return true;
}

/* The name of a member that is none of ours, or NULL. */
static bool on_member(void *context, const char *key, const struct json *value)
{
    static const char *const known[] = {"type", "params", "run_at", "max_errors"};
    const char **unknown = context;

    (void)value;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(key, known[i]) == 0)
            return true;
    }
    *unknown = key;
    return false;
}

static bool read_type(struct exchange *exchange, struct submission_request *out)
{
    const char *type = json_value_get_text(exchange->document, "type");
    const char *unknown = NULL;

    json_value_each(exchange->document, on_member, &unknown);
    if (unknown != NULL)
        problem_answer(exchange, 422, "unknown_parameter", "\"%.100s\" is not known here", unknown);
    else if (type == NULL)
        problem_answer(exchange, 422, "unknown_type", "\"type\" is missing or not a text");
    else if (!job_type_parse(type, &out->type))
        problem_answer(exchange, 422, "unknown_type",
                       "\"%.100s\" is no type of job; there are homepage_and_similar_products, cross_sell, "
                       "hyperparameter_search, warehouse",
                       type);
    else
        return true;
    return false;
}

static bool read_params(struct exchange *exchange, struct submission_request *out)
{
    const struct services *services = exchange->services;
    const struct json *params = json_value_get(exchange->document, "params");
    const char *shop = json_value_get_text(params, "namespace");
    struct err err;

    if (job_params_check(out->type, params, &err) != ERR_OK) {
        problem_answer(exchange, 422, "unknown_parameter", "%s", err.message);
        return false;
    }
    out->params = json_value_kind(params) == JSON_KIND_OBJECT ? params : NULL;
    out->shop = shop != NULL ? shop : services->settings->job.shop;
    if (job_shops_know(services->shops, out->shop))
        return true;
    if (out->shop[0] == '\0')
        problem_answer(exchange, 422, "unknown_namespace",
                       "there are several shops: \"namespace\" in \"params\" names one");
    else
        problem_answer(exchange, 422, "unknown_namespace", "there is no shop \"%.100s\"", out->shop);
    return false;
}

static bool read_rest(struct exchange *exchange, struct submission_request *out)
{
    const struct json *run_at = json_value_get(exchange->document, "run_at");
    const struct json *max_errors = json_value_get(exchange->document, "max_errors");
    int64_t number = JOB_SETTINGS_MAX_ERRORS;

    if (json_value_kind(run_at) != JSON_KIND_NULL &&
        (json_value_text(run_at) == NULL || !clock_parse_iso8601(json_value_text(run_at), &out->run_at_ms) ||
         out->run_at_ms < 0)) {
        problem_answer(exchange, 422, "bad_run_at", "\"run_at\" must be null or a time such as 2026-01-31T06:00:00Z");
        return false;
    }
    if (json_value_kind(max_errors) != JSON_KIND_NULL &&
        (!json_value_to_int64(max_errors, &number) || number < 0 || number > JOB_BODY_MAX_ERRORS)) {
        problem_answer(exchange, 422, "bad_max_errors", "\"max_errors\" must be a whole number from 0 to %d",
                       JOB_BODY_MAX_ERRORS);
        return false;
    }
    out->max_errors = (int)number;
    return true;
}

bool job_body_check(struct exchange *exchange, struct submission_request *out)
{
    *out = (struct submission_request){.client = exchange->client, .fingerprint = ""};
    return read_type(exchange, out) && read_params(exchange, out) && read_rest(exchange, out);
}

bool job_body_read(struct exchange *exchange, struct submission_request *out)
{
    return parse(exchange) && job_body_check(exchange, out);
}
