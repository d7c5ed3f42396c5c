#include "gateway/api_legacy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_shops.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/rate_limit.h"
#include "gateway/settings.h"
#include "gateway/submission.h"
#include "gateway/waiters.h"

enum { POLL_AGAIN_S = 10 };

struct legacy {
    const char *route;
    enum job_type type;
    const char *done;
    const char *going_on;
    const char *failed;
};

static const struct legacy legacies[] = {
    {"/train_homepage_and_similar_products_model_by_http_request", JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
     "Model trained and recommendations updated", "The model is being trained",
     "An error occurred while training the model"},
    {"/train_cross_sell_model_by_http_request", JOB_CROSS_SELL, "Model trained and recommendations updated",
     "The model is being trained", "An error occurred while training the model"},
    {"/test_hyperparameter_optimization", JOB_HYPERPARAMETER_SEARCH, "Hyperparameter optimization completed",
     "The hyperparameters are being optimized", "An error occurred during hyperparameter optimization"},
};

static const struct legacy *legacy_of(const struct exchange *exchange)
{
    size_t i = 0;

    while (strcmp(legacies[i].route, exchange->route) != 0) {
        i++;
        assert(i < sizeof legacies / sizeof legacies[0]); /* the router names no other */
    }
    return &legacies[i];
}

/* Answers; NULL bodies (out of memory) become a 500. */

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
    if (body != NULL && !(json_value_set_text(body, "message", legacy_of(exchange)->going_on) &&
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
        exchange_answer_json(
            exchange, 500,
            body_create(legacy_of(exchange)->failed, exchange->services->settings->job.dev ? message : NULL));
}

/* What a search found lies in its result, which the store alone has. */
static void answer_search(struct exchange *exchange, const struct json *result)
{
    static const char *const members[] = {"best_params", "best_score", "test_info"};
    struct json *body = json_value_new_object();
    bool made;

    if (json_value_kind(result) != JSON_KIND_OBJECT) {
        json_value_destroy(body);
        answer_going_on(exchange);
        return;
    }
    made = body != NULL && json_value_set_text(body, "message", legacy_of(exchange)->done);
    for (size_t i = 0; made && i < sizeof members / sizeof members[0]; i++) {
        const struct json *value = json_value_get(result, members[i]);

        made = json_value_set(body, members[i], value != NULL ? json_value_dup(value) : json_value_new_null());
    }
    if (!made) {
        json_value_destroy(body);
        body = NULL;
    }
    exchange_answer_json(exchange, 200, body);
}

static void answer_done(struct exchange *exchange, const struct json *document)
{
    struct json *body;

    if (legacy_of(exchange)->type == JOB_HYPERPARAMETER_SEARCH) {
        answer_search(exchange, json_value_get(document, "result"));
        return;
    }
    body = json_value_new_object();
    if (body != NULL && !json_value_set_text(body, "message", legacy_of(exchange)->done)) {
        json_value_destroy(body);
        body = NULL;
    }
    exchange_answer_json(exchange, 200, body);
}

/* The wait */

static void on_waited(struct exchange *exchange, struct json *document, const struct err *err)
{
    enum job_state state = JOB_ACCEPTED;

    (void)err; /* nobody can tell now: the job goes on, as far as is known */
    (void)job_state_parse(json_value_get_text(document, "state"), &state);
    if (!job_state_is_terminal(state))
        answer_going_on(exchange);
    else if (state == JOB_SUCCEEDED)
        answer_done(exchange, document);
    else
        answer_failed(exchange, document);
    json_value_destroy(document);
}

/* For the job of exchange->job_id; a client may want to wait for less than we would. */
static void wait_for_end(struct exchange *exchange)
{
    const struct services *services = exchange->services;
    int64_t wait_ms = services->settings->legacy_wait_ms;
    int wait_s = http_request_wait_s(&exchange->request);

    if (http_request_token(&exchange->request, "prefer", "respond-async") != NULL) {
        http_reply_add(&exchange->reply, "Preference-Applied", "respond-async");
        answer_going_on(exchange);
        return;
    }
    if (wait_s >= 0 && (int64_t)wait_s * 1000 < wait_ms)
        wait_ms = (int64_t)wait_s * 1000;
    if (waiters_add(services->waiters, exchange, exchange->job_id, NULL, wait_ms, on_waited, NULL) != ERR_OK)
        answer_going_on(exchange);
}

static void join(struct exchange *exchange)
{
    log_info("job.joined", log_text("job", exchange->job_id)); /* a second GET joins the first one's */
    wait_for_end(exchange);
}

/* The start: a run that is live is joined and counts as a read, a new one as a submission. */

static void on_submitted(void *context, const struct submission_result *result)
{
    struct exchange *exchange = context;

    str_copy(exchange->job_id, sizeof exchange->job_id, result->id);
    if (result->outcome == SUBMISSION_FAILED)
        problem_answer_err(exchange, result->err);
    else if (result->outcome == SUBMISSION_DUPLICATE) {
        rate_limit_refund(exchange, RATE_LIMIT_SUBMIT); /* another one was quicker */
        join(exchange);
    } else
        wait_for_end(exchange);
}

static void on_submit_charged(struct exchange *exchange, const void *context, bool allowed)
{
    const struct services *services = exchange->services;
    struct submission_request request = {.type = legacy_of(exchange)->type,
                                         .shop = services->settings->job.shop,
                                         .client = exchange->client,
                                         .max_errors = JOB_SETTINGS_MAX_ERRORS,
                                         .fingerprint = ""};
    struct err err;

    (void)context;
    if (!allowed)
        rate_limit_refuse(exchange);
    else if (submission_start(services, &request, on_submitted, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}

static void submit(struct exchange *exchange)
{
    exchange->job_id[0] = '\0';
    rate_limit_charge(exchange, RATE_LIMIT_SUBMIT, on_submit_charged, NULL);
}

static void on_join_charged(struct exchange *exchange, const void *context, bool allowed)
{
    (void)context;
    if (allowed)
        join(exchange);
    else
        rate_limit_refuse(exchange);
}

static const char *queue_of(const struct exchange *exchange)
{
    return exchange->services->settings->job.routes.queue[legacy_of(exchange)->type];
}

/* The holder of the unique lock: where its HASH is gone or terminal, the lock is free to be taken over. */
static void on_holder(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct exchange *exchange = context;
    struct json *fields = NULL;
    enum job_state state = JOB_SUCCEEDED;

    if (err == NULL && job_queue_describe_parse(reply, &fields, NULL) == ERR_OK)
        (void)job_state_parse(json_value_get_text(fields, "state"), &state);
    json_value_destroy(fields);
    if (job_state_is_terminal(state))
        submit(exchange);
    else
        rate_limit_charge(exchange, RATE_LIMIT_READ, on_join_charged, NULL);
}

static void on_lock(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct exchange *exchange = context;
    const char *id = err == NULL ? redis_reply_text(reply) : NULL;
    struct redis_command command;

    if (id == NULL || !job_id_is_valid(id)) {
        submit(exchange); /* whatever the reason: it finds out for itself */
        return;
    }
    str_copy(exchange->job_id, sizeof exchange->job_id, id);
    job_queue_describe_command(&command, queue_of(exchange), id);
    queue_client_send(exchange->services->queue, &command, on_holder, exchange);
    redis_command_fini(&command);
}

static void look_for_live_run(struct exchange *exchange)
{
    char *key =
        job_queue_unique_key(queue_of(exchange), legacy_of(exchange)->type, exchange->services->settings->job.shop);
    struct redis_command command;

    if (key == NULL) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory to look for a live run");
        return;
    }
    redis_command_init(&command, "GET");
    redis_command_add(&command, key);
    free(key);
    queue_client_send(exchange->services->queue, &command, on_lock, exchange);
    redis_command_fini(&command);
}

void api_legacy_run(struct exchange *exchange)
{
    const struct services *services = exchange->services;

    if (job_shops_know(services->shops, services->settings->job.shop))
        look_for_live_run(exchange);
    else
        exchange_answer_json(exchange, 400, body_create("There are several shops, and none is API_NAMESPACE", NULL));
}
