#include "gateway/queue_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/redis_async.h"

enum { PROMOTE_MS = 1000, MAX_PROMOTIONS = 100 };

struct queue_client {
    uv_loop_t *loop;
    struct queue_client_config config;
    struct redis_async *redis;
    uv_timer_t promote;
    size_t promoting; /* promotions that are under way */
    bool group_made;  /* on this connection */
    bool closing;
    int open_handles;
    queue_client_closed_fn on_closed;
    void *closed_context;
};

/* One enqueue until it is answered. */
struct enqueue {
    queue_client_enqueued_fn fn;
    void *context;
};

struct describe {
    queue_client_described_fn fn;
    void *context;
};

/* One promotion: first what the job is, then the move. */
struct promotion {
    struct queue_client *client;
    char id[JOB_ID_BYTES];
    int64_t fence;
};

static void on_group(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct queue_client *client = context;
    struct err failure;

    if (reply == NULL && err != NULL) {
        failure = *err;
    } else if (job_queue_group_parse(reply, &failure) == ERR_OK) {
        client->group_made = true;
        return;
    }
    log_err("queue.group_failed", &failure);
}

static void make_group(struct queue_client *client)
{
    struct redis_command command;

    job_queue_group_command(&command, client->config.queue);
    redis_async_send(client->redis, &command, on_group, client);
    redis_command_fini(&command);
}

static void on_state(void *context, bool ready, const struct err *err)
{
    struct queue_client *client = context;

    client->group_made = false;
    if (ready) {
        log_info("queue.ready", log_text("queue", client->config.queue));
        make_group(client);
    } else if (!client->closing && err != NULL) {
        log_err("queue.away", err);
    }
}

/* Promotion */

static void promotion_destroy(struct promotion *promotion)
{
    promotion->client->promoting--;
    free(promotion);
}

static void on_promoted(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct promotion *promotion = context;
    struct queue_client *client = promotion->client;
    int64_t outcome = 0;

    if (err != NULL)
        log_err("queue.promote_failed", err);
    else if (redis_reply_to_int64(reply, &outcome) && outcome != 0) {
        log_info("job.promoted", log_text("job", promotion->id),
                 log_text("state", outcome > 0 ? "queued" : "superseded"));
        if (client->config.on_promoted != NULL)
            client->config.on_promoted(client->config.context, promotion->id, promotion->fence, outcome < 0);
    }
    promotion_destroy(promotion);
}

static void on_due_job(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct promotion *promotion = context;
    struct queue_client *client = promotion->client;
    struct json *fields = NULL;
    struct redis_command command;
    const char *unique_key;

    if (err != NULL || job_queue_describe_parse(reply, &fields, NULL) != ERR_OK) {
        promotion_destroy(promotion); /* the next tick tries again; a job without a HASH is the sweep's */
        return;
    }
    unique_key = json_value_get_text(fields, "uniq");
    if (!str_to_int64(json_value_get_text(fields, "fence") != NULL ? json_value_get_text(fields, "fence") : "0",
                      &promotion->fence))
        promotion->fence = 0;
    job_queue_promote_command(&command, client->config.queue, promotion->id, unique_key != NULL ? unique_key : "");
    if (unique_key != NULL)
        redis_async_send(client->redis, &command, on_promoted, promotion);
    else
        promotion_destroy(promotion);
    redis_command_fini(&command);
    json_value_destroy(fields);
}

static void promote(struct queue_client *client, const char *id)
{
    struct promotion *promotion;
    struct redis_command command;

    if (!job_id_is_valid(id) || client->promoting >= MAX_PROMOTIONS)
        return;
    promotion = mem_zeroed(1, sizeof *promotion);
    if (promotion == NULL)
        return;
    promotion->client = client;
    client->promoting++;
    (void)snprintf(promotion->id, sizeof promotion->id, "%s", id);
    job_queue_describe_command(&command, client->config.queue, id);
    redis_async_send(client->redis, &command, on_due_job, promotion);
    redis_command_fini(&command);
}

static void on_due(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct queue_client *client = context;

    if (err != NULL || client->closing)
        return;
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const char *id = redis_reply_text(redis_reply_at(reply, i));

        if (id != NULL)
            promote(client, id);
    }
}

static void on_promote(uv_timer_t *timer)
{
    struct queue_client *client = timer->data;
    struct clock_source clock = clock_system();
    struct redis_command command;

    if (!redis_async_is_ready(client->redis) || client->promoting > 0)
        return;
    if (!client->group_made)
        make_group(client);
    job_queue_due_command(&command, client->config.queue, clock_unix_ms(&clock));
    redis_async_send(client->redis, &command, on_due, client);
    redis_command_fini(&command);
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

static void on_timer_closed(uv_handle_t *handle)
{
    closed_one(handle->data);
}

enum err_code queue_client_create(struct queue_client **out, uv_loop_t *loop, const struct queue_client_config *config,
                                  struct err *err)
{
    struct queue_client *client = mem_zeroed(1, sizeof *client);
    struct redis_async_config redis = {.url = config->url, .on_state = on_state, .context = client};
    uint64_t every_ms = config->promote_ms > 0 ? (uint64_t)config->promote_ms : PROMOTE_MS;
    enum err_code rc;

    *out = NULL;
    if (client == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the queue");
    client->loop = loop;
    client->config = *config;
    rc = redis_async_create(&client->redis, loop, &redis, err);
    if (rc != ERR_OK) {
        free(client);
        return rc;
    }
    (void)uv_timer_init(loop, &client->promote); /* never fails, as start with a callback */
    client->promote.data = client;
    client->open_handles = 2;
    (void)uv_timer_start(&client->promote, on_promote, every_ms, every_ms);
    *out = client;
    return ERR_OK;
}

void queue_client_close(struct queue_client *client, queue_client_closed_fn on_closed, void *context)
{
    if (client == NULL || client->closing)
        return;
    client->closing = true;
    client->on_closed = on_closed;
    client->closed_context = context;
    uv_close((uv_handle_t *)&client->promote, on_timer_closed);
    redis_async_close(client->redis, on_redis_closed, client);
}

bool queue_client_is_ready(const struct queue_client *client)
{
    return !client->closing && redis_async_is_ready(client->redis);
}

/* Calls */

static void on_enqueued(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct enqueue *call = context;
    enum job_queue_enqueued outcome = JOB_QUEUE_NEW;
    char id[JOB_ID_BYTES] = "";
    struct err failure;

    if (err == NULL && job_queue_enqueue_parse(reply, &outcome, id, &failure) != ERR_OK)
        err = &failure;
    call->fn(call->context, outcome, id, err);
    free(call);
}

void queue_client_enqueue(struct queue_client *client, const struct job_queue_enqueue *job, queue_client_enqueued_fn fn,
                          void *context)
{
    struct enqueue *call = mem_zeroed(1, sizeof *call);
    struct redis_command command;
    struct err err;

    if (call == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to enqueue");
        fn(context, JOB_QUEUE_NEW, "", &err);
        return;
    }
    *call = (struct enqueue){.fn = fn, .context = context};
    job_queue_enqueue_command(&command, job);
    redis_async_send(client->redis, &command, on_enqueued, call);
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

void queue_client_describe(struct queue_client *client, const char *id, queue_client_described_fn fn, void *context)
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
    job_queue_describe_command(&command, client->config.queue, id);
    redis_async_send(client->redis, &command, on_described, call);
    redis_command_fini(&command);
}
