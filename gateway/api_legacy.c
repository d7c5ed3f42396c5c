#include "gateway/api_legacy.h"

#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "gateway/problem.h"
#include "gateway/settings.h"
#include "gateway/submission.h"
#include "gateway/waiters.h"

enum { POLL_AGAIN_S = 10 };

/* {"message":…,"exception":…}; exception NULL is null */
static struct json *body_create(const char *message, const char *exception)
{
    struct json *body = json_value_new_object();

    if (body != NULL && json_value_set_text(body, "message", message) &&
        json_value_set_text(body, "exception", exception))
        return body;
    json_value_destroy(body);
    return NULL;
}

static void answer_going_on(struct exchange *exchange)
{
    struct json *body = json_value_new_object();
    char url[64];

    (void)snprintf(url, sizeof url, "/v1/jobs/%s", exchange->job_id);
    http_reply_add(&exchange->reply, "Location", "%s", url);
    http_reply_add(&exchange->reply, "Retry-After", "%d", POLL_AGAIN_S);
    if (body != NULL && !(json_value_set_text(body, "message", "The model is being trained") &&
                          json_value_set_text(body, "job", url))) {
        json_value_destroy(body);
        body = NULL;
    }
    exchange_answer_json(exchange, 202, body);
}

static void answer_failed(struct exchange *exchange, const struct json *document)
{
    const struct json *error = json_value_get(document, "error");
    const char *code = json_value_get_text(error, "code");
    const char *message = json_value_get_text(error, "message");

    if (message == NULL)
        message = json_value_get_text(document, "state");
    if (code != NULL && strcmp(code, err_code_name(ERR_NO_DATA)) == 0)
        exchange_answer_json(exchange, 400, body_create(message, NULL));
    else
        exchange_answer_json(exchange, 500,
                             body_create("An error occurred while training the model",
                                         exchange->services->settings->job.dev ? message : NULL));
}

static void on_waited(struct exchange *exchange, struct json *document, const struct err *err)
{
    enum job_state state = JOB_ACCEPTED;

    (void)err; /* nobody can tell now: the job goes on, as far as is known */
    (void)job_state_parse(json_value_get_text(document, "state"), &state);
    if (!job_state_is_terminal(state))
        answer_going_on(exchange);
    else if (state == JOB_SUCCEEDED)
        exchange_answer_text(exchange, 200, "application/json",
                             "{\"message\":\"Model trained and recommendations updated\"}");
    else
        answer_failed(exchange, document);
    json_value_destroy(document);
}

static void on_submitted(void *context, const struct submission_result *result)
{
    struct exchange *exchange = context;
    const struct services *services = exchange->services;

    (void)snprintf(exchange->job_id, sizeof exchange->job_id, "%s", result->id);
    if (result->outcome == SUBMISSION_FAILED) {
        problem_answer_err(exchange, result->err);
        return;
    }
    if (result->outcome == SUBMISSION_DUPLICATE)
        log_info("job.joined", log_text("job", result->id)); /* the live one: a second GET joins the first */
    if (http_request_token(&exchange->request, "prefer", "respond-async") != NULL ||
        waiters_add(services->waiters, exchange, exchange->job_id, NULL, services->settings->legacy_wait_ms, on_waited,
                    NULL) != ERR_OK)
        answer_going_on(exchange);
}

void api_legacy_train(struct exchange *exchange)
{
    const struct services *services = exchange->services;
    struct submission_request request = {.type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
                                         .shop = services->settings->job.shop,
                                         .client = exchange->client,
                                         .max_errors = JOB_SETTINGS_MAX_ERRORS,
                                         .fingerprint = ""};
    struct err err;

    if (submission_start(services, &request, on_submitted, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}
