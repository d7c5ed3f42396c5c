#include "gateway/missed_events.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/events.h"
#include "gateway/queue_client.h"

enum { SINCE_LIMIT = 2048 /* more than a queue keeps */ };

struct missed_events {
    char job_id[JOB_ID_BYTES];
    char last_id[JOB_QUEUE_STREAM_ID_BYTES];
    char oldest[JOB_QUEUE_STREAM_ID_BYTES]; /* of what the queue keeps; "": nothing, or unknown */
    bool is_live;                           /* by its HASH */
    size_t count;
    struct job_queue_event events[MISSED_EVENTS_MAX]; /* a ring */
    int pending;
    missed_events_fn fn;
    void *context;
};

static void release(struct missed_events *missed)
{
    if (--missed->pending == 0)
        missed->fn(missed->context);
}

static void on_event(void *context, size_t queue, const struct job_queue_event *event)
{
    struct missed_events *missed = context;

    (void)queue;
    if (strcmp(event->job_id, missed->job_id) == 0)
        missed->events[missed->count++ % MISSED_EVENTS_MAX] = *event;
}

static void on_events(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct missed_events *missed = context;

    if (err == NULL && job_queue_events_since_parse(reply, on_event, missed, NULL) != ERR_OK)
        missed->count = 0; /* the state now has to do */
    release(missed);
}

static void on_oldest_event(void *context, size_t queue, const struct job_queue_event *event)
{
    struct missed_events *missed = context;

    (void)queue;
    str_copy(missed->oldest, sizeof missed->oldest, event->stream_id);
}

static void on_oldest(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct missed_events *missed = context;

    if (err == NULL && job_queue_events_since_parse(reply, on_oldest_event, missed, NULL) != ERR_OK)
        missed->oldest[0] = '\0';
    release(missed);
}

static void on_described(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct missed_events *missed = context;
    struct json *fields = NULL;
    enum job_state state = JOB_QUEUED;
    enum err_code rc = err != NULL ? err->code : job_queue_describe_parse(reply, &fields, NULL);

    (void)job_state_parse(json_value_get_text(fields, "state"), &state);
    missed->is_live = rc != ERR_NOT_FOUND && !job_state_is_terminal(state);
    json_value_destroy(fields);
    release(missed);
}

struct missed_events *missed_events_ask(const struct services *services, const char *queue, const char *job_id,
                                        const char *last_id, missed_events_fn fn, void *context)
{
    struct missed_events *missed = mem_zeroed(1, sizeof *missed);
    struct redis_command command;

    if (missed == NULL)
        return NULL;
    missed->fn = fn;
    missed->context = context;
    missed->pending = 3;
    str_copy(missed->job_id, sizeof missed->job_id, job_id);
    str_copy(missed->last_id, sizeof missed->last_id, last_id);
    job_queue_events_since_command(&command, queue, last_id, SINCE_LIMIT);
    queue_client_send(services->queue, &command, on_events, missed);
    redis_command_fini(&command);
    job_queue_events_since_command(&command, queue, "0-0", 1);
    queue_client_send(services->queue, &command, on_oldest, missed);
    redis_command_fini(&command);
    job_queue_describe_command(&command, queue, job_id);
    queue_client_send(services->queue, &command, on_described, missed);
    redis_command_fini(&command);
    return missed;
}

void missed_events_destroy(struct missed_events *missed)
{
    free(missed);
}

const struct job_queue_event *missed_events_at(const struct missed_events *missed, size_t index)
{
    size_t first = missed != NULL && missed->count > MISSED_EVENTS_MAX ? missed->count - MISSED_EVENTS_MAX : 0;

    if (missed == NULL || first + index >= missed->count)
        return NULL;
    return &missed->events[(first + index) % MISSED_EVENTS_MAX];
}

bool missed_events_are_over(const struct missed_events *missed, const char *newest)
{
    return missed != NULL && missed->count == 0 && !missed->is_live && missed->oldest[0] != '\0' &&
           events_id_compare(missed->oldest, missed->last_id) <= 0 && events_id_compare(missed->last_id, newest) <= 0;
}
