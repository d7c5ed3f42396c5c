#include "gateway/job_answer.h"

#include <string.h>

#include "common/job/job_queue_control.h"
#include "gateway/job_overlay.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"

struct json *job_answer_view(const struct exchange *exchange, const struct json *document)
{
    const struct services *services = exchange->services;

    return job_overlay_view(document, clock_unix_ms(&services->clock), services->settings->job.lease_ms);
}

void job_answer_lookup_failed(struct exchange *exchange, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND)
        problem_answer(exchange, 404, "not_found", "there is no job %s", exchange->job_id);
    else
        problem_answer_err(exchange, err);
}

void job_answer_queue_away(struct exchange *exchange)
{
    http_reply_add(&exchange->reply, "Retry-After", "%d", PROBLEM_RETRY_AFTER_S);
    problem_answer(exchange, 503, "unavailable", "%s; try again later", queue_client_reason(exchange->services->queue));
}

void job_answer_add_location(struct exchange *exchange, const char *id)
{
    http_reply_add(&exchange->reply, "Location", "/v1/jobs/%s", id);
}

/* Lives in the exchange's arena. */
struct position_call {
    struct exchange *exchange;
    job_answer_position_fn fn;
};

static void on_position(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct position_call *call = context;
    int64_t position = 0;

    if (err == NULL && job_queue_position_parse(reply, &position, NULL) != ERR_OK)
        position = 0;
    call->fn(call->exchange, position);
}

void job_answer_ask_position(struct exchange *exchange, const struct json *document, job_answer_position_fn fn)
{
    struct queue_client *client = exchange->services->queue;
    const char *state = json_value_get_text(document, "state");
    const char *queue = json_value_get_text(document, "queue");
    const char *id = json_value_get_text(document, "_id");
    struct position_call *call = NULL;
    struct redis_command command;

    if (state != NULL && strcmp(state, job_state_name(JOB_QUEUED)) == 0 && queue != NULL && id != NULL &&
        queue_client_is_ready(client))
        call = arena_alloc(exchange->arena, sizeof *call);
    if (call == NULL) {
        fn(exchange, 0);
        return;
    }
    *call = (struct position_call){.exchange = exchange, .fn = fn};
    job_queue_position_command(&command, queue, id);
    queue_client_send(client, &command, on_position, call);
    redis_command_fini(&command);
}
