#include "gateway/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/redis_async.h"

enum {
    SLOTS = 1024,
    BLOCK_MS = 5000,
    AGAIN_MS = 1000,
    REST_MS = 1000,
    /* A queue keeps its newest 1,000 events or more, so a read that brings fewer has missed none. */
    READ_LIMIT = 1000
};

enum state { STATE_AWAY, STATE_POSITIONING, STATE_READING, STATE_RESTING, STATE_CLOSED };

struct position {
    struct events *events;
    char after[JOB_QUEUE_STREAM_ID_BYTES]; /* the last id seen; "": none yet */
    int read;                              /* events of the read under way */
};

struct events {
    uv_loop_t *loop;
    struct events_config config;
    struct redis_async *redis;
    uv_timer_t again; /* after an error that left the connection */
    enum state state;
    struct position *positions; /* one a queue */
    const char **after;         /* their ids */
    size_t positions_to_come;
    struct err position_err;
    bool complained; /* of the error that goes on */
    struct events_subscriber *slots[SLOTS];
    size_t count;
    uint64_t left_ms;                    /* when the last of them left, by uv_now */
    bool is_woken;                       /* from its rest: the positions are on their way */
    struct events_subscriber *next_told; /* of the slot that is being told */
    int open_handles;
};

/* Ids */

static bool parse_id(const char *id, uint64_t *ms, uint64_t *number)
{
    char *end;

    if (id[0] < '0' || id[0] > '9')
        return false;
    *ms = strtoull(id, &end, 10);
    if (end[0] != '-' || end[1] < '0' || end[1] > '9')
        return false;
    *number = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

bool events_id_is_valid(const char *id)
{
    uint64_t ms;
    uint64_t number;

    return strlen(id) < JOB_QUEUE_STREAM_ID_BYTES && parse_id(id, &ms, &number);
}

int events_id_compare(const char *a, const char *b)
{
    uint64_t parts[4] = {0};

    if (!parse_id(a, &parts[0], &parts[1]))
        parts[0] = parts[1] = 0;
    if (!parse_id(b, &parts[2], &parts[3]))
        parts[2] = parts[3] = 0;
    if (parts[0] != parts[2])
        return parts[0] < parts[2] ? -1 : 1;
    return parts[1] == parts[3] ? 0 : parts[1] < parts[3] ? -1 : 1;
}

/* Subscribers */

static struct events_subscriber **find_slot(struct events *events, const char *job_id)
{
    uint32_t hash = 2166136261u; /* FNV-1a; the ids are ours */

    for (; *job_id != '\0'; job_id++)
        hash = (hash ^ (unsigned char)*job_id) * 16777619u;
    return &events->slots[hash % SLOTS];
}

static void wake(struct events *events);

void events_subscribe(struct events *events, struct events_subscriber *subscriber, const char *job_id, events_fn fn,
                      void *context)
{
    struct events_subscriber **slot = find_slot(events, job_id);

    *subscriber = (struct events_subscriber){.fn = fn, .context = context, .next = *slot, .link = slot};
    str_copy(subscriber->job_id, sizeof subscriber->job_id, job_id);
    if (subscriber->next != NULL)
        subscriber->next->link = &subscriber->next;
    *slot = subscriber;
    events->count++;
    if (events->state == STATE_RESTING)
        wake(events);
}

void events_unsubscribe(struct events *events, struct events_subscriber *subscriber)
{
    if (subscriber->link == NULL)
        return;
    if (events->next_told == subscriber)
        events->next_told = subscriber->next;
    *subscriber->link = subscriber->next;
    if (subscriber->next != NULL)
        subscriber->next->link = subscriber->link;
    subscriber->link = NULL;
    events->count--;
    events->left_ms = uv_now(events->loop);
}

uint64_t events_reconnects(const struct events *events)
{
    return redis_async_reconnects(events->redis);
}

size_t events_count(const struct events *events)
{
    return events->count;
}

/* Those of one slot that wait for the event's job; all of them where there is none. */
static void tell_slot(struct events *events, struct events_subscriber *first, const struct job_queue_event *event)
{
    for (struct events_subscriber *subscriber = first; subscriber != NULL; subscriber = events->next_told) {
        events->next_told = subscriber->next;
        if (event == NULL || strcmp(subscriber->job_id, event->job_id) == 0)
            subscriber->fn(subscriber->context, event);
    }
}

/* `why` is logged where there is one. */
static void tell_all_to_look(struct events *events, const char *why)
{
    if (events->count > 0 && why != NULL)
        log_info("events.gap", log_text("reason", why), log_int("subscribers", (int64_t)events->count));
    for (size_t i = 0; i < SLOTS; i++)
        tell_slot(events, events->slots[i], NULL);
}

/* Reading */

static void read_more(struct events *events);
static void on_again(uv_timer_t *timer);

/* The connection is there and the answer is of no use. What cannot be read is passed over. */
static void try_again_later(struct events *events, const struct err *err)
{
    if (!events->complained)
        log_err("events.read_failed", err);
    events->complained = true;
    for (size_t i = 0; i < events->config.queue_count; i++)
        events->positions[i].after[0] = '\0';
    (void)uv_timer_start(&events->again, on_again, AGAIN_MS, 0);
}

static void on_event(void *context, size_t queue, const struct job_queue_event *event)
{
    struct events *events = context;
    struct position *position = &events->positions[queue];

    str_copy(position->after, sizeof position->after, event->stream_id);
    position->read++;
    tell_slot(events, *find_slot(events, event->job_id), event);
}

/* Nobody has listened for a while: each job that comes would be read in vain. */
static bool may_rest(const struct events *events)
{
    return events->count == 0 && uv_now(events->loop) >= events->left_ms + (uint64_t)events->config.rest_ms;
}

static void on_read(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct events *events = context;
    const struct events_config *config = &events->config;
    struct err failure;
    int most = 0;

    if (events->state != STATE_READING)
        return; /* on_state goes on from there */
    for (size_t i = 0; i < config->queue_count; i++)
        events->positions[i].read = 0;
    if (err == NULL &&
        job_queue_events_parse(reply, config->queues, config->queue_count, on_event, events, &failure) != ERR_OK)
        err = &failure;
    for (size_t i = 0; i < config->queue_count; i++)
        most = events->positions[i].read > most ? events->positions[i].read : most;
    if (err == NULL && most == 0 && redis_reply_kind(reply) != REDIS_REPLY_KIND_NIL) {
        (void)ERR_SET(&failure, ERR_FORMAT, "none of %zu streams' events can be read", redis_reply_count(reply));
        err = &failure;
    }
    if (err != NULL) {
        try_again_later(events, err);
        return;
    }
    events->complained = false;
    if (may_rest(events))
        events->state = STATE_RESTING;
    else
        read_more(events);
    if (most >= READ_LIMIT)
        tell_all_to_look(events, "trimmed");
}

static void read_more(struct events *events)
{
    const struct events_config *config = &events->config;
    struct redis_command command;

    events->state = STATE_READING;
    for (size_t i = 0; i < config->queue_count; i++)
        events->after[i] = events->positions[i].after;
    job_queue_events_command(&command, config->queues, events->after, config->queue_count, config->block_ms,
                             READ_LIMIT);
    redis_async_send(events->redis, &command, on_read, events);
    redis_command_fini(&command);
}

/* Positions: behind the last id seen, or behind the newest of all where there is none or Redis lost what was seen. */

static void on_position(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct position *position = context;
    struct events *events = position->events;
    char newest[JOB_QUEUE_STREAM_ID_BYTES];
    struct err failure;

    if (events->state != STATE_POSITIONING)
        return;
    if (err == NULL && job_queue_events_last_parse(reply, newest, &failure) != ERR_OK)
        err = &failure;
    if (err != NULL)
        events->position_err = *err;
    else if (position->after[0] == '\0' || events_id_compare(newest, position->after) < 0)
        str_copy(position->after, sizeof position->after, newest);
    if (--events->positions_to_come > 0)
        return;
    if (events->position_err.code != ERR_OK) {
        try_again_later(events, &events->position_err);
        return;
    }
    read_more(events);
    tell_all_to_look(events, events->is_woken ? NULL : "connected");
    events->is_woken = false;
}

static void find_positions(struct events *events)
{
    events->state = STATE_POSITIONING;
    events->positions_to_come = events->config.queue_count;
    events->position_err = (struct err){.code = ERR_OK};
    for (size_t i = 0; i < events->config.queue_count; i++) {
        struct redis_command command;

        job_queue_events_last_command(&command, events->config.queues[i]);
        redis_async_send(events->redis, &command, on_position, &events->positions[i]);
        redis_command_fini(&command);
    }
}

/* What came meanwhile is nobody's; who has subscribed now looks again when the positions are known. */
static void wake(struct events *events)
{
    for (size_t i = 0; i < events->config.queue_count; i++)
        events->positions[i].after[0] = '\0';
    events->is_woken = true;
    find_positions(events);
}

static void on_again(uv_timer_t *timer)
{
    struct events *events = timer->data;

    if (events->state != STATE_AWAY && events->state != STATE_CLOSED)
        find_positions(events);
}

static void on_state(void *context, bool ready, const struct err *err)
{
    struct events *events = context;

    if (events->state == STATE_CLOSED)
        return;
    (void)uv_timer_stop(&events->again);
    events->state = STATE_AWAY;
    events->is_woken = false;
    if (ready)
        find_positions(events);
    else
        log_warn("events.away", log_text("message", err->message));
}

bool events_are_followed(const struct events *events)
{
    return events->state == STATE_READING;
}

/* Life */

static void free_when_closed(struct events *events)
{
    if (--events->open_handles > 0)
        return;
    free(events->positions);
    free(events->after);
    free(events);
}

static void on_redis_closed(void *context)
{
    free_when_closed(context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

static enum err_code allocate(struct events **out, uv_loop_t *loop, const struct events_config *config, struct err *err)
{
    struct events *events = mem_zeroed(1, sizeof *events);

    *out = events;
    if (events != NULL) {
        events->loop = loop;
        events->left_ms = uv_now(loop);
        events->config = *config;
        events->config.block_ms = config->block_ms > 0 ? config->block_ms : BLOCK_MS;
        events->config.rest_ms = config->rest_ms > 0 ? config->rest_ms : REST_MS;
        events->positions = mem_zeroed(config->queue_count, sizeof *events->positions);
        events->after = mem_zeroed(config->queue_count, sizeof *events->after);
    }
    if (events == NULL || events->positions == NULL || events->after == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the events");
    for (size_t i = 0; i < config->queue_count; i++)
        events->positions[i].events = events;
    return ERR_OK;
}

enum err_code events_create(struct events **out, uv_loop_t *loop, const struct events_config *config, struct err *err)
{
    struct redis_async_config redis = {.url = config->url, .on_state = on_state};
    struct events *events;
    enum err_code rc = allocate(&events, loop, config, err);

    *out = NULL;
    if (rc != ERR_OK)
        goto done;
    redis.context = events;
    rc = redis_async_create(&events->redis, loop, &redis, err);
    if (rc != ERR_OK)
        goto done;
    (void)uv_timer_init(loop, &events->again); /* never fails, as start with a callback */
    events->again.data = events;
    events->open_handles = 2;
    *out = events;
    events = NULL;
done:
    if (events != NULL) {
        events->open_handles = 1;
        free_when_closed(events);
    }
    return rc;
}

void events_close(struct events *events)
{
    if (events == NULL || events->state == STATE_CLOSED)
        return;
    events->state = STATE_CLOSED;
    uv_close((uv_handle_t *)&events->again, on_timer_closed);
    redis_async_close(events->redis, on_redis_closed, events);
}
