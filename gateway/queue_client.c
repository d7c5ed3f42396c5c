#include "gateway/queue_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"

enum {
    RETRY_MS = 1000,
    REASON_BYTES = 96,
    GROUP_MOST = 16 /* enqueues that are sent together */
};

enum state { STATE_AWAY, STATE_GROUPING, STATE_READY };

/* What the log says last: a server that comes and goes, and never takes a write, is told of once. */
enum told { TOLD_NOTHING, TOLD_READY, TOLD_AWAY, TOLD_REFUSED };

struct queue_client {
    uv_loop_t *loop;
    struct queue_client_config config;
    struct redis_async *redis;
    uv_timer_t retry;
    enum state state;
    enum told told;
    char reason[REASON_BYTES];     /* while it is not READY */
    size_t grouping;               /* answers to come */
    bool refused;                  /* one of them was no */
    struct enqueue *first_waiting; /* to be enqueued, in their order */
    struct enqueue **last_waiting; /* where the next one goes */
    uv_prepare_t turn_end;         /* while some may be sent */
    /* Redis answers all that it finds together. So it is sent groups, one that it works at and one that it finds then:
     * while it has something to do, so has the loop. Unanswered of the one and of the other: */
    size_t groups[2];
    queue_client_ready_fn on_ready;
    void *ready_context;
    bool closing;
    int open_handles;
    queue_client_closed_fn on_closed;
    void *closed_context;
};

/* One enqueue until it is answered. */
struct enqueue {
    struct queue_client *client;
    struct enqueue *next;         /* while it waits */
    struct redis_command command; /* until it is sent */
    queue_client_enqueued_fn fn;
    void *context;
};

struct describe {
    queue_client_described_fn fn;
    void *context;
};

/* Readiness */

static void become_ready(struct queue_client *client)
{
    client->state = STATE_READY;
    if (client->told != TOLD_READY)
        log_info("queue.ready", log_int("queues", (int64_t)client->config.queues->count),
                 log_text("queue", client->config.queues->names[0]));
    client->told = TOLD_READY;
    if (client->on_ready != NULL)
        client->on_ready(client->ready_context);
}

static const char *reason_of(const struct redis_reply *reply)
{
    if (redis_reply_is_error(reply, "OOM"))
        return "the queue's Redis is full (maxmemory)";
    if (redis_reply_is_error(reply, "READONLY"))
        return "the queue's Redis is a read-only replica";
    return "the queue's Redis takes no writes";
}

void queue_client_note_refusal(struct queue_client *client, const struct redis_reply *reply, const struct err *err)
{
    if (client->closing || client->state == STATE_AWAY || reply == NULL || err == NULL || err->code != ERR_UNAVAILABLE)
        return;
    client->state = STATE_GROUPING; /* the next try tells when it takes writes again */
    str_copy(client->reason, sizeof client->reason, reason_of(reply));
    if (client->told != TOLD_REFUSED)
        log_err("queue.refuses", err);
    client->told = TOLD_REFUSED;
}

static void on_group(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct queue_client *client = context;
    struct err failure;

    client->grouping--;
    if (reply == NULL) {
        client->refused = true; /* the connection is lost, which on_state tells */
    } else if (job_queue_group_parse(reply, &failure) != ERR_OK) {
        client->refused = true;
        if (failure.code == ERR_UNAVAILABLE)
            queue_client_note_refusal(client, reply, &failure);
        else
            log_err("queue.group_failed", &failure);
    }
    (void)err;
    if (client->grouping == 0 && !client->refused && client->state == STATE_GROUPING && !client->closing)
        become_ready(client);
}

static void make_groups(struct queue_client *client)
{
    const struct job_queue_names *queues = client->config.queues;

    client->refused = false;
    client->grouping += queues->count;
    for (size_t i = 0; i < queues->count; i++) {
        struct redis_command command;

        job_queue_group_command(&command, queues->names[i]);
        redis_async_send(client->redis, &command, on_group, client);
        redis_command_fini(&command);
    }
}

static void on_state(void *context, bool ready, const struct err *err)
{
    struct queue_client *client = context;

    client->state = ready ? STATE_GROUPING : STATE_AWAY;
    if (ready) {
        make_groups(client);
        return;
    }
    (void)snprintf(client->reason, sizeof client->reason, "the queue's Redis is away");
    if (client->closing || err == NULL || client->told == TOLD_AWAY || client->told == TOLD_REFUSED)
        return;
    log_err("queue.away", err);
    client->told = TOLD_AWAY;
}

static void on_retry(uv_timer_t *timer)
{
    struct queue_client *client = timer->data;

    if (client->state == STATE_GROUPING && client->grouping == 0)
        make_groups(client);
}

/* Life */

static void closed_one(struct queue_client *client)
{
    queue_client_closed_fn on_closed = client->on_closed;
    void *context = client->closed_context;

    if (--client->open_handles > 0)
        return;
    free(client);
    if (on_closed != NULL)
        on_closed(context);
}

static void on_redis_closed(void *context)
{
    closed_one(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    closed_one(handle->data);
}

enum err_code queue_client_create(struct queue_client **out, uv_loop_t *loop, const struct queue_client_config *config,
                                  struct err *err)
{
    struct queue_client *client = mem_zeroed(1, sizeof *client);
    struct redis_async_config redis = {.url = config->url, .on_state = on_state, .context = client};
    uint64_t every_ms = config->retry_ms > 0 ? (uint64_t)config->retry_ms : RETRY_MS;
    enum err_code rc;

    *out = NULL;
    if (client == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the queue");
    client->loop = loop;
    client->config = *config;
    client->last_waiting = &client->first_waiting;
    (void)snprintf(client->reason, sizeof client->reason, "the queue's Redis is not connected yet");
    rc = redis_async_create(&client->redis, loop, &redis, err);
    if (rc != ERR_OK) {
        free(client);
        return rc;
    }
    (void)uv_timer_init(loop, &client->retry); /* never fails, as start with a callback; so the prepare handle */
    (void)uv_prepare_init(loop, &client->turn_end);
    client->retry.data = client;
    client->turn_end.data = client;
    client->open_handles = 3;
    (void)uv_timer_start(&client->retry, on_retry, every_ms, every_ms);
    *out = client;
    return ERR_OK;
}

static void refuse_waiting(struct queue_client *client);

void queue_client_close(struct queue_client *client, queue_client_closed_fn on_closed, void *context)
{
    if (client == NULL || client->closing)
        return;
    client->closing = true;
    client->on_closed = on_closed;
    client->closed_context = context;
    uv_close((uv_handle_t *)&client->retry, on_handle_closed);
    uv_close((uv_handle_t *)&client->turn_end, on_handle_closed);
    redis_async_close(client->redis, on_redis_closed, client);
    refuse_waiting(client);
}

void queue_client_watch(struct queue_client *client, queue_client_ready_fn fn, void *context)
{
    client->on_ready = fn;
    client->ready_context = context;
}

const struct job_queue_names *queue_client_queues(const struct queue_client *client)
{
    return client->config.queues;
}

bool queue_client_is_ready(const struct queue_client *client)
{
    return !client->closing && client->state == STATE_READY;
}

const char *queue_client_reason(const struct queue_client *client)
{
    return client->reason;
}

uint64_t queue_client_reconnects(const struct queue_client *client)
{
    return redis_async_reconnects(client->redis);
}

/* Calls */

void queue_client_send(struct queue_client *client, const struct redis_command *command, redis_async_reply_fn fn,
                       void *context)
{
    redis_async_send(client->redis, command, fn, context);
}

static void send_at_turn_end(struct queue_client *client);

static void count_answer(struct queue_client *client)
{
    client->groups[client->groups[0] > 0 ? 0 : 1]--;
    if (client->groups[0] > 0)
        return;
    client->groups[0] = client->groups[1];
    client->groups[1] = 0;
}

static void on_enqueued(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct enqueue *call = context;
    struct queue_client *client = call->client;
    enum job_queue_enqueued outcome = JOB_QUEUE_NEW;
    char id[JOB_ID_BYTES] = "";
    struct err failure;

    count_answer(client);
    queue_client_note_refusal(client, reply, err);
    if (err == NULL && job_queue_enqueue_parse(reply, &outcome, id, &failure) != ERR_OK)
        err = &failure;
    call->fn(call->context, outcome, id, err);
    free(call);
    send_at_turn_end(client);
}

/* Also when the connection is lost: each is told so by its own answer. */
static void send_first_waiting(struct queue_client *client, size_t *group)
{
    struct enqueue *call = client->first_waiting;
    struct redis_command command = call->command;

    client->first_waiting = call->next;
    if (client->first_waiting == NULL)
        client->last_waiting = &client->first_waiting;
    ++*group;
    redis_async_give(client->redis, &command, on_enqueued, call); /* the call may be gone */
}

static void on_turn_end(uv_prepare_t *turn_end)
{
    struct queue_client *client = turn_end->data;
    size_t *group = &client->groups[client->groups[0] > 0 ? 1 : 0];

    for (size_t i = 0; i < GROUP_MOST && client->first_waiting != NULL; i++)
        send_first_waiting(client, group);
    redis_async_flush(client->redis);
    if (client->first_waiting == NULL || client->groups[1] > 0)
        (void)uv_prepare_stop(turn_end);
}

static void send_at_turn_end(struct queue_client *client)
{
    if (!client->closing && client->first_waiting != NULL && client->groups[1] == 0)
        (void)uv_prepare_start(&client->turn_end, on_turn_end);
}

/* At the end each is refused at once. */
static void refuse_waiting(struct queue_client *client)
{
    while (client->first_waiting != NULL)
        send_first_waiting(client, &client->groups[0]);
}

void queue_client_enqueue(struct queue_client *client, const struct job_queue_enqueue *job, queue_client_enqueued_fn fn,
                          void *context)
{
    struct enqueue *call = mem_zeroed(1, sizeof *call);
    struct err err;

    if (call == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to enqueue");
        fn(context, JOB_QUEUE_NEW, "", &err);
        return;
    }
    *call = (struct enqueue){.client = client, .fn = fn, .context = context};
    job_queue_enqueue_command(&call->command, job);
    *client->last_waiting = call;
    client->last_waiting = &call->next;
    if (client->closing)
        refuse_waiting(client);
    else
        send_at_turn_end(client);
}

static void on_told(void *context, const struct redis_reply *reply, const struct err *err)
{
    queue_client_note_refusal(context, reply, err);
}

void queue_client_tell(struct queue_client *client, const char *queue, const char *id, enum job_state state)
{
    struct redis_command command;

    job_queue_tell_command(&command, queue, id, state);
    redis_async_send(client->redis, &command, on_told, client);
    redis_command_fini(&command);
}

static void on_described(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct describe *call = context;
    struct json *fields = NULL;
    struct err failure;

    if (err == NULL && job_queue_describe_parse(reply, &fields, &failure) != ERR_OK)
        err = &failure;
    call->fn(call->context, fields, err);
    free(call);
}

void queue_client_describe(struct queue_client *client, const char *queue, const char *id, queue_client_described_fn fn,
                           void *context)
{
    struct describe *call = mem_zeroed(1, sizeof *call);
    struct redis_command command;
    struct err err;

    if (call == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to look a job up");
        fn(context, NULL, &err);
        return;
    }
    *call = (struct describe){.fn = fn, .context = context};
    job_queue_describe_command(&command, queue, id);
    redis_async_send(client->redis, &command, on_described, call);
    redis_command_fini(&command);
}
