#include "gateway/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "gateway/settings.h"

static struct json *problem_body(const struct exchange *exchange, int status, const char *code, const char *detail)
{
    struct json *body = json_value_new_object();
    char type[96];
    bool made;

    (void)snprintf(type, sizeof type, "urn:recfleet:problem:%s", code);
    made = body != NULL && json_value_set_text(body, "type", type) &&
           json_value_set_text(body, "title", http_reply_phrase(status)) &&
           json_value_set_int(body, "status", status) && json_value_set_text(body, "detail", detail) &&
           json_value_set_text(body, "instance", exchange->request.path) &&
           json_value_set_text(body, "request_id", exchange->id);
    if (!made) {
        json_value_destroy(body);
        return NULL;
    }
    return body;
}

static struct json *legacy_body(const char *detail)
{
    struct json *body = json_value_new_object();

    if (body != NULL && json_value_set_text(body, "message", detail) && json_value_set_null(body, "exception"))
        return body;
    json_value_destroy(body);
    return NULL;
}

void problem_answer(struct exchange *exchange, int status, const char *code, const char *format, ...)
{
    char detail[ERR_MESSAGE_BYTES];
    struct json *body;
    char *text;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    body = exchange->legacy ? legacy_body(detail) : problem_body(exchange, status, code, detail);
    text = body != NULL ? json_value_print(body, false, 0) : NULL;
    json_value_destroy(body);
    /* Without memory the status alone has to do. */
    exchange_answer_text(exchange, status, exchange->legacy ? "application/json" : "application/problem+json",
                         text != NULL ? text : "{}");
    free(text);
}

void problem_answer_unavailable(struct exchange *exchange, const char *what)
{
    http_reply_add(&exchange->reply, "Retry-After", "%d", PROBLEM_RETRY_AFTER_S);
    problem_answer(exchange, 503, "unavailable", "%s is away; try again later", what);
}

void problem_answer_err(struct exchange *exchange, const struct err *err)
{
    int status = err_is_transient(err->code) || err->code == ERR_CANCELLED ? 503 : 500;
    const char *general = status == 503 ? "a service behind this one is away; try again later" : "this failed here";

    log_error("http.failed", log_text("request", exchange->id), log_text("code", err_code_name(err->code)),
              log_text("message", err->message));
    if (status == 503)
        http_reply_add(&exchange->reply, "Retry-After", "%d", PROBLEM_RETRY_AFTER_S);
    problem_answer(exchange, status, err_code_name(err->code), "%s",
                   exchange->services->settings->job.dev ? err->message : general);
}

void problem_answer_unauthorized(struct exchange *exchange)
{
    static const char message[] = "Unauthorized, invalid or missing API key";

    http_reply_add(&exchange->reply, "WWW-Authenticate", "Bearer");
    if (exchange->legacy)
        exchange_answer_text(exchange, 401, "application/json",
                             "{\"message\":\"Unauthorized, invalid or missing API key\"}");
    else
        problem_answer(exchange, 401, "unauthorized", "%s", message);
}
