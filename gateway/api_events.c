#include "gateway/api_events.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/jitter.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/event_text.h"
#include "gateway/events.h"
#include "gateway/job_lookup.h"
#include "gateway/missed_events.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"

enum {
    TICK_MS = 1000,
    LOOK_MS = 30000, /* without an event */
    RETRY_LOW_MS = 2000,
    RETRY_HIGH_MS = 5000 /* so that clients of a gateway that ended do not all come back at once */
};

enum phase { PHASE_FINDING, PHASE_CATCHING_UP, PHASE_FOLLOWING };

struct stream {
    struct api_events *streams;
    struct stream *next;
    struct stream **link;      /* what points here */
    struct exchange *exchange; /* NULL: answered */
    struct events_subscriber subscriber;
    enum phase phase;
    char queue[JOB_SETTINGS_NAME_BYTES];
    struct missed_events *missed; /* NULL: the client comes for the first time */
    struct job_queue_event shown; /* the last that was sent; no stream id where it is not to be compared */
    bool has_shown;
    struct json *document;                    /* of the look under way */
    char position[JOB_QUEUE_STREAM_ID_BYTES]; /* which has all events up to this one; "": unknown */
    int pending;                              /* answers to come */
    bool look_again;
    bool look_owed; /* Redis could not be asked */
    bool ending;
    uint64_t comment_ms; /* when to send one */
    uint64_t look_ms;    /* when to look without an event */
};

struct api_events {
    const struct services *services;
    uv_timer_t timer;
    struct stream *first;
    size_t count;
    bool draining;
};

static void settle(struct stream *stream);

/* The end */

static void finish(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;

    events_unsubscribe(stream->streams->services->events, &stream->subscriber);
    *stream->link = stream->next;
    if (stream->next != NULL)
        stream->next->link = stream->link;
    if (--stream->streams->count == 0)
        (void)uv_timer_stop(&stream->streams->timer);
    json_value_destroy(stream->document);
    missed_events_destroy(stream->missed);
    free(stream);
    if (exchange == NULL)
        return;
    exchange->on_left = NULL;
    if (exchange->streamed)
        exchange_stream_end(exchange);
    else
        problem_answer_unavailable(exchange, "the stream of events");
}

/* At once, or when the answers that are under way have come. */
static void stream_end(struct stream *stream)
{
    stream->ending = true;
    if (stream->pending == 0)
        finish(stream);
}

/* The exchange was answered otherwise. */
static void stream_forget(struct stream *stream)
{
    stream->exchange = NULL;
    stream->ending = true;
}

static void fail(struct stream *stream, const struct err *err)
{
    struct exchange *exchange = stream->exchange;

    exchange->on_left = NULL;
    stream_forget(stream);
    if (err->code == ERR_NOT_FOUND)
        problem_answer(exchange, 404, "not_found", "there is no job %s", exchange->job_id);
    else
        problem_answer_err(exchange, err);
}

static void release(struct stream *stream)
{
    if (--stream->pending == 0)
        settle(stream);
}

/* Out */

static void write_text(struct stream *stream, struct str *text)
{
    uint64_t now_ms = uv_now(stream->streams->services->loop);

    stream->comment_ms = now_ms + (uint64_t)stream->streams->services->settings->event_comment_ms;
    if (text->failed || !exchange_stream_write(stream->exchange, text->text, text->length))
        stream->ending = true;
    str_fini(text);
}

static void send_event(struct stream *stream, const char *name, const struct job_queue_event *event)
{
    struct str text = {0};

    stream->shown = *event;
    stream->has_shown = true;
    event_text_append(&text, name, event);
    write_text(stream, &text);
}

/* What a queue's event says of the job; a transition leaves stage and progress as they were. */
static void send_change(struct stream *stream, const struct job_queue_event *event)
{
    const struct job_queue_event *shown = &stream->shown;
    bool is_transition = event->progress < 0;
    struct job_queue_event full = *event;

    if (is_transition && event->state != JOB_RUNNING) {
        memcpy(full.stage, shown->stage, sizeof full.stage);
        full.progress = event->state == JOB_SUCCEEDED ? 1 : shown->progress;
    } else if (is_transition) {
        full.progress = 0;
    }
    send_event(stream, is_transition || event->state != shown->state ? "state" : "progress", &full);
}

/* The job as it was looked up, where that is news. */
static void send_document(struct stream *stream)
{
    const struct job_queue_event *shown = &stream->shown;
    const char *stage = json_value_get_text(stream->document, "stage");
    struct job_queue_event now = {0};
    bool is_new_state;
    bool is_over;

    if (!job_state_parse(json_value_get_text(stream->document, "state"), &now.state))
        return;
    /* Without Redis the store alone is asked, which may be behind; and what was sent since may be newer. */
    if (stream->has_shown && !job_state_is_terminal(now.state) &&
        (stream->position[0] == '\0' || events_id_compare(stream->position, shown->stream_id) < 0))
        return;
    if (now.state == JOB_SUCCEEDED)
        now.progress = 1; /* the HASH keeps that of the last beat */
    else
        (void)json_value_get_double(stream->document, "progress", &now.progress);
    str_copy(now.stage, sizeof now.stage, stage != NULL ? stage : "");
    str_copy(now.job_id, sizeof now.job_id, stream->subscriber.job_id);
    if (events_id_compare(stream->position, "0-0") > 0)
        str_copy(now.stream_id, sizeof now.stream_id, stream->position);
    is_new_state = !stream->has_shown || now.state != shown->state;
    is_over = job_state_is_terminal(now.state);
    if (is_new_state)
        send_event(stream, "state", &now);
    else if (!is_over && (strcmp(now.stage, shown->stage) != 0 || now.progress != shown->progress))
        send_event(stream, "progress", &now);
    else
        stream->shown = now;
    stream->ending = stream->ending || is_over;
}

/* Looks: the queue's newest event first, then the job, so that what comes behind that event is news. */

static void on_position(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct stream *stream = context;

    if (err != NULL || job_queue_events_last_parse(reply, stream->position, NULL) != ERR_OK)
        stream->look_owed = true;
    release(stream);
}

static void on_looked_up(void *context, struct json *document, const struct err *err)
{
    struct stream *stream = context;

    json_value_destroy(stream->document);
    stream->document = document;
    if (document == NULL && stream->phase != PHASE_FOLLOWING && stream->exchange != NULL && !stream->ending)
        fail(stream, err);
    else if (document == NULL && err->code == ERR_NOT_FOUND)
        stream->ending = true;
    release(stream);
}

/* `pending` holds one for the caller, so that nothing ends from within. */
static void ask(struct stream *stream)
{
    const struct services *services = stream->streams->services;
    struct redis_command command;

    stream->look_again = false;
    stream->look_owed = false;
    stream->look_ms = uv_now(services->loop) + LOOK_MS;
    stream->position[0] = '\0';
    if (stream->queue[0] != '\0') {
        stream->pending++;
        job_queue_events_last_command(&command, stream->queue);
        queue_client_send(services->queue, &command, on_position, stream);
        redis_command_fini(&command);
    }
    stream->pending++;
    job_lookup_start(services, stream->subscriber.job_id, on_looked_up, stream);
}

static void look(struct stream *stream)
{
    if (stream->pending > 0) {
        stream->look_again = true;
        return;
    }
    stream->pending++;
    ask(stream);
    release(stream);
}

/* The begin */

static void on_missed(void *context)
{
    release(context);
}

static void catch_up(struct stream *stream)
{
    char last_id[JOB_QUEUE_STREAM_ID_BYTES];

    stream->phase = PHASE_CATCHING_UP;
    stream->pending = 2;
    event_text_read_last_id(&stream->exchange->request, stream->exchange->arena, last_id);
    if (last_id[0] != '\0')
        stream->missed = missed_events_ask(stream->streams->services, stream->queue, stream->subscriber.job_id, last_id,
                                           on_missed, stream);
    if (stream->missed == NULL)
        release(stream); /* without memory the state now has to do */
    ask(stream);
    release(stream);
}

static bool is_terminal(const struct json *document)
{
    enum job_state state;

    return job_state_parse(json_value_get_text(document, "state"), &state) && job_state_is_terminal(state);
}

static void begin(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;
    struct str text = {0};

    if (is_terminal(stream->document) && missed_events_are_over(stream->missed, stream->position)) {
        /* It has seen the end. 204 is how a client of such streams is told not to come back. */
        exchange->on_left = NULL;
        stream_forget(stream);
        exchange_answer(exchange, 204);
        return;
    }
    stream->phase = PHASE_FOLLOWING;
    http_reply_add(&exchange->reply, "X-Accel-Buffering", "no");
    exchange_stream_begin(exchange, 200, "text/event-stream");
    event_text_append_retry(&text, jitter_between(RETRY_LOW_MS, RETRY_HIGH_MS));
    write_text(stream, &text);
    for (size_t i = 0; missed_events_at(stream->missed, i) != NULL && !stream->ending; i++)
        send_change(stream, missed_events_at(stream->missed, i));
    missed_events_destroy(stream->missed);
    stream->missed = NULL;
    if (!stream->ending)
        send_document(stream);
    if (strcmp(exchange->request.method, "HEAD") == 0 || exchange->client_left)
        stream->ending = true;
}

/* All that was asked for is here. */
static void settle(struct stream *stream)
{
    if (!stream->ending && stream->phase == PHASE_FINDING) {
        const char *queue = json_value_get_text(stream->document, "queue");

        str_copy(stream->queue, sizeof stream->queue, queue != NULL ? queue : "");
        catch_up(stream);
        return;
    }
    if (!stream->ending && stream->phase == PHASE_CATCHING_UP)
        begin(stream);
    else if (!stream->ending && stream->document != NULL)
        send_document(stream);
    json_value_destroy(stream->document);
    stream->document = NULL;
    if (stream->ending)
        finish(stream);
    else if (stream->look_again)
        look(stream);
}

/* In */

static void on_event(void *context, const struct job_queue_event *event)
{
    struct stream *stream = context;

    if (stream->ending)
        return;
    if (event == NULL)
        stream->shown.stream_id[0] = '\0'; /* ids may begin anew */
    if (event == NULL || stream->phase != PHASE_FOLLOWING) {
        look(stream);
        return;
    }
    if (events_id_compare(event->stream_id, stream->shown.stream_id) <= 0)
        return; /* it was looked up, or missed and sent */
    send_change(stream, event);
    if (stream->ending || job_state_is_terminal(event->state))
        stream_end(stream);
}

static void on_left(struct exchange *exchange, void *context)
{
    struct stream *stream = context;

    (void)exchange;
    if (stream->phase == PHASE_FOLLOWING) /* else it may still read what it asked for */
        stream_end(stream);
}

static void on_tick(uv_timer_t *timer)
{
    struct api_events *streams = timer->data;
    bool queue_is_ready = queue_client_is_ready(streams->services->queue);
    uint64_t now_ms = uv_now(timer->loop);

    for (struct stream *stream = streams->first, *next; stream != NULL; stream = next) {
        struct str text = {0};

        next = stream->next;
        if (stream->phase != PHASE_FOLLOWING || stream->ending)
            continue;
        if (now_ms >= stream->comment_ms) {
            event_text_append_comment(&text, "still here");
            write_text(stream, &text);
        }
        if (stream->ending)
            stream_end(stream);
        else if (now_ms >= stream->look_ms || (stream->look_owed && queue_is_ready))
            look(stream);
    }
}

void api_events_get(struct exchange *exchange)
{
    struct api_events *streams = exchange->services->event_streams;
    struct stream *stream = NULL;

    if (!streams->draining && streams->count < (size_t)exchange->services->settings->max_event_streams)
        stream = mem_zeroed(1, sizeof *stream);
    if (stream == NULL) {
        http_reply_add(&exchange->reply, "Retry-After", "%d", PROBLEM_RETRY_AFTER_S);
        problem_answer(exchange, 503, "too_many_streams", "no more streams of events can be served now");
        return;
    }
    stream->streams = streams;
    stream->exchange = exchange;
    stream->next = streams->first;
    stream->link = &streams->first;
    if (stream->next != NULL)
        stream->next->link = &stream->next;
    streams->first = stream;
    if (streams->count++ == 0)
        (void)uv_timer_start(&streams->timer, on_tick, TICK_MS, TICK_MS);
    exchange->on_left = on_left;
    exchange->left_context = stream;
    events_subscribe(exchange->services->events, &stream->subscriber, exchange->job_id, on_event, stream);
    look(stream);
}

/* Life */

struct api_events *api_events_create(const struct services *services)
{
    struct api_events *streams = mem_zeroed(1, sizeof *streams);

    if (streams == NULL)
        return NULL;
    streams->services = services;
    (void)uv_timer_init(services->loop, &streams->timer); /* never fails, as start with a callback */
    streams->timer.data = streams;
    return streams;
}

size_t api_events_count(const struct api_events *streams)
{
    return streams->count;
}

void api_events_drain(struct api_events *streams)
{
    streams->draining = true;
    for (struct stream *stream = streams->first, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream_end(stream);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void api_events_close(struct api_events *streams)
{
    if (streams != NULL)
        uv_close((uv_handle_t *)&streams->timer, on_closed);
}
