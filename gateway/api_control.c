#include "gateway/api_control.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "gateway/job_answer.h"
#include "gateway/job_lookup.h"
#include "gateway/job_overlay.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"
#include "gateway/submission.h"

/* Of both, in the exchange's arena; its document is the job as it was found. */
struct control {
    struct exchange *exchange;
    bool noted;                      /* cancel: the document knows */
    int64_t fence;                   /* retry: of the document opened again */
    char live[JOB_ID_BYTES];         /* retry: whose place it would have taken; "": nobody's */
    struct err err;                  /* retry: why it could not be enqueued */
    enum submission_outcome outcome; /* retry */
};

static bool is_state(const struct exchange *exchange, enum job_state state)
{
    const char *text = json_value_get_text(exchange->document, "state");

    return text != NULL && strcmp(text, job_state_name(state)) == 0;
}

static int64_t fence_of(const struct json *document)
{
    int64_t fence = 0;

    (void)json_value_get_int64(document, "fence", &fence);
    return fence;
}

static void begin(struct exchange *exchange, job_lookup_fn fn)
{
    struct control *control = arena_alloc(exchange->arena, sizeof *control);

    if (control == NULL) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for this");
        return;
    }
    *control = (struct control){.exchange = exchange};
    job_lookup_start(exchange->services, exchange->job_id, fn, control);
}

/* Cancel */

static void answer_over(struct exchange *exchange)
{
    problem_answer(exchange, 409, "job_is_over", "job %s has ended: it can not be cancelled any more",
                   exchange->job_id);
}

/* 202: its worker is told, or the upkeep will tell the queue. */
static void answer_requested(struct exchange *exchange)
{
    if (!json_value_set_text(exchange->document, "cancel", exchange->client))
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for the answer");
    else
        exchange_answer_json(exchange, 202, job_answer_view(exchange, exchange->document));
}

static void on_cancel_written(void *context, struct store_result *result)
{
    struct exchange *exchange = context;

    if (result != NULL && result->code != ERR_OK)
        log_err("job.cancel_unwritten", &result->err); /* the queue knows, and the upkeep writes it */
    exchange_answer_json(exchange, 200, job_answer_view(exchange, exchange->document));
}

/* It waited, and is cancelled: the document says so before the answer does, so that it can be retried at once. */
static void end_document(struct exchange *exchange)
{
    int64_t now_ms = clock_unix_ms(&exchange->services->clock);
    struct json *changes = json_value_new_object();
    bool made = changes != NULL && json_value_set_text(changes, "state", job_state_name(JOB_CANCELLED)) &&
                job_document_set_time(changes, "finished_at", now_ms) &&
                json_value_set_text(changes, "cancel", exchange->client) &&
                json_value_merge(exchange->document, changes);

    if (!made) {
        json_value_destroy(changes);
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for the answer");
    } else if (store_client_change(exchange->services->store, exchange->job_id, fence_of(exchange->document), changes,
                                   on_cancel_written, exchange, NULL) != ERR_OK) {
        on_cancel_written(exchange, NULL);
    }
}

/* The run ends as it would have, and whatever becomes of it, nobody has cancelled it. */
static void answer_publishing(const struct control *control)
{
    struct exchange *exchange = control->exchange;
    struct json *changes = control->noted ? json_value_new_object() : NULL;

    if (changes != NULL && json_value_set_null(changes, "cancel"))
        store_client_update(exchange->services->store, exchange->job_id, fence_of(exchange->document), changes);
    else
        json_value_destroy(changes);
    problem_answer(exchange, 409, "job_is_publishing", "job %s publishes already: it ends as it would have",
                   exchange->job_id);
}

static void on_queue_cancelled(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct control *control = context;
    struct exchange *exchange = control->exchange;
    enum job_queue_cancel outcome = JOB_QUEUE_CANCEL_NOT_FOUND;
    struct err failure;

    queue_client_note_refusal(exchange->services->queue, reply, err);
    if (err == NULL && job_queue_cancel_parse(reply, &outcome, &failure) != ERR_OK)
        err = &failure;
    if (err != NULL && !control->noted)
        problem_answer_err(exchange, err);
    else if (err != NULL || outcome == JOB_QUEUE_CANCEL_REQUESTED)
        answer_requested(exchange);
    else if (outcome == JOB_QUEUE_CANCEL_TERMINAL)
        answer_over(exchange);
    else if (outcome == JOB_QUEUE_CANCEL_PUBLISHING)
        answer_publishing(control);
    else if (outcome == JOB_QUEUE_CANCEL_DONE || control->noted)
        end_document(exchange); /* also where the queue has lost it */
    else
        problem_answer_unavailable(exchange, "the store");
}

static void cancel_in_queue(struct control *control)
{
    struct exchange *exchange = control->exchange;
    const char *queue = json_value_get_text(exchange->document, "queue");
    const char *shop = json_value_get_text(exchange->document, "namespace");
    struct redis_command command;
    enum job_type type;
    char *unique_key = NULL;

    if (queue != NULL && shop != NULL && job_type_parse(json_value_get_text(exchange->document, "type"), &type))
        unique_key = job_queue_unique_key(queue, type, shop);
    if (unique_key == NULL) {
        problem_answer(exchange, 500, "internal", "the job's document cannot be read");
        return;
    }
    job_queue_cancel_command(&command, queue, exchange->job_id, unique_key, exchange->client);
    queue_client_send(exchange->services->queue, &command, on_queue_cancelled, control);
    redis_command_fini(&command);
    free(unique_key);
}

static void go_on_cancelling(struct control *control)
{
    struct exchange *exchange = control->exchange;

    if (queue_client_is_ready(exchange->services->queue))
        cancel_in_queue(control);
    else if (control->noted) {
        log_info("job.cancel_noted", log_text("job", exchange->job_id)); /* its worker, or the upkeep, sees to it */
        answer_requested(exchange);
    } else
        job_answer_queue_away(exchange);
}

/* Once more, since the document has ended between two looks; or there is none but in the queue. */
static void on_looked_again(void *context, struct json *document, const struct err *err)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;

    if (document == NULL) {
        job_answer_lookup_failed(exchange, err);
        return;
    }
    json_value_destroy(exchange->document);
    exchange->document = document;
    if (is_state(exchange, JOB_CANCELLED))
        exchange_answer_json(exchange, 200, job_answer_view(exchange, document));
    else if (job_overlay_is_terminal(document))
        answer_over(exchange);
    else
        go_on_cancelling(control);
}

static void on_noted(void *context, struct store_result *result)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;

    control->noted = result->code == ERR_OK && result->applied;
    if (result->code == ERR_OK && !result->applied)
        job_lookup_start(exchange->services, exchange->job_id, on_looked_again, control);
    else
        go_on_cancelling(control); /* without the store the queue alone knows: its worker is told all the same */
}

static void on_found_to_cancel(void *context, struct json *document, const struct err *err)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;

    if (document == NULL) {
        job_answer_lookup_failed(exchange, err);
        return;
    }
    exchange->document = document;
    if (is_state(exchange, JOB_CANCELLED))
        exchange_answer_json(exchange, 200, job_answer_view(exchange, document));
    else if (job_overlay_is_terminal(document))
        answer_over(exchange);
    else if (store_client_request_cancel(exchange->services->store, exchange->job_id, exchange->client, on_noted,
                                         control, NULL) != ERR_OK)
        go_on_cancelling(control);
}

void api_control_cancel(struct exchange *exchange)
{
    begin(exchange, on_found_to_cancel);
}

/* Retry */

static void answer_not_retriable(struct exchange *exchange)
{
    problem_answer(exchange, 409, "not_retriable", "job %s is %s: only a dead or cancelled one is retried",
                   exchange->job_id, json_value_get_text(exchange->document, "state"));
}

static void on_put_back(void *context, struct store_result *result)
{
    const struct control *control = context;
    struct exchange *exchange = control->exchange;

    if (result != NULL && result->code != ERR_OK)
        log_err("job.not_put_back", &result->err); /* the upkeep meets the same refusal, and ends it */
    if (control->outcome == SUBMISSION_DUPLICATE) {
        job_answer_add_location(exchange, control->live);
        problem_answer(exchange, 409, "job_is_live", "job %s of this type and shop is not finished yet", control->live);
    } else if (control->err.code == ERR_UNAVAILABLE && !queue_client_is_ready(exchange->services->queue)) {
        job_answer_queue_away(exchange);
    } else {
        problem_answer_err(exchange, &control->err);
    }
}

/* The document as it was found, under the fence that it has by now. */
static void put_back(struct control *control)
{
    static const char *const members[] = {
        "state", "stage",  "progress",  "attempt",    "errors",       "lost",        "worker", "backend",
        "error", "result", "queued_at", "started_at", "heartbeat_at", "finished_at", "cancel", "run_at"};
    struct exchange *exchange = control->exchange;
    struct json *changes = json_value_new_object();
    bool made = changes != NULL;

    for (size_t i = 0; made && i < sizeof members / sizeof members[0]; i++) {
        const struct json *value = json_value_get(exchange->document, members[i]);

        made = value == NULL || json_value_set(changes, members[i], json_value_dup(value));
    }
    if (!made) {
        json_value_destroy(changes);
        on_put_back(control, NULL);
    } else if (store_client_change(exchange->services->store, exchange->job_id, control->fence, changes, on_put_back,
                                   control, NULL) != ERR_OK) {
        on_put_back(control, NULL);
    }
}

static void on_resubmitted(void *context, const struct submission_result *result)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;

    control->outcome = result->outcome;
    if (result->outcome == SUBMISSION_ACCEPTED) {
        log_info("job.retried", log_text("job", exchange->job_id), log_text("client", exchange->client));
        job_answer_add_location(exchange, exchange->job_id);
        http_reply_add(&exchange->reply, "Retry-After", "%d", JOB_ANSWER_POLL_AGAIN_S);
        exchange_answer_json(exchange, 202, job_answer_view(exchange, result->document));
        return;
    }
    str_copy(control->live, sizeof control->live, result->id);
    if (result->err != NULL)
        control->err = *result->err;
    else
        (void)ERR_SET(&control->err, ERR_INTERNAL, "the queue takes job %s for a replay", exchange->job_id);
    put_back(control);
}

static void on_reopened(void *context, struct store_result *result)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;
    struct json *document = result->document;

    if (result->code == ERR_EXISTS) {
        problem_answer(exchange, 409, "not_retriable", "job %s is not dead or cancelled, or not quite yet",
                       exchange->job_id);
    } else if (result->code != ERR_OK) {
        job_answer_lookup_failed(exchange, &result->err);
    } else {
        result->document = NULL;
        control->fence = fence_of(document);
        submission_retry(exchange->services, document, on_resubmitted, control);
    }
}

static void on_found_to_retry(void *context, struct json *document, const struct err *err)
{
    struct control *control = context;
    struct exchange *exchange = control->exchange;
    struct err refusal;

    if (document == NULL) {
        job_answer_lookup_failed(exchange, err);
        return;
    }
    exchange->document = document;
    if (!is_state(exchange, JOB_DEAD) && !is_state(exchange, JOB_CANCELLED))
        answer_not_retriable(exchange);
    else if (!queue_client_is_ready(exchange->services->queue))
        job_answer_queue_away(exchange);
    else if (store_client_reopen(exchange->services->store, exchange->job_id, on_reopened, control, &refusal) != ERR_OK)
        problem_answer_err(exchange, &refusal);
}

void api_control_retry(struct exchange *exchange)
{
    begin(exchange, on_found_to_retry);
}
