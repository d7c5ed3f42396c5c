#include "gateway/gateway_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/job/job_queue_control.h"
#include "common/job/job_routes.h"
#include "common/net/metrics_listener.h"
#include "common/net/metrics_process.h"
#include "gateway/api_events.h"
#include "gateway/events.h"
#include "gateway/gateway_metrics_families.h"
#include "gateway/queue_client.h"
#include "gateway/rate_limit.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"
#include "gateway/waiters.h"

enum { FRESH_MS = 1000, DEADLINE_MS = 2000 };

/* One queue that is asked about. */
struct query {
    struct gateway_metrics *metrics;
    const char *queue;
};

struct gateway_metrics {
    const struct services *services;
    const struct connection_pool *pool;
    struct metrics *registry;
    struct gateway_metrics_families families;
    struct metrics_process process;
    struct metrics_listener *listener; /* NULL: nothing is served, or not any more */
    struct query queries[JOB_ROUTES_MAX];
    uv_timer_t deadline;
    uint64_t collected_ms;
    bool collected;
    bool waiting; /* the listener, for the collection */
    size_t pending;
    bool timer_open;
    bool closing;
};

static void free_when_done(struct gateway_metrics *metrics)
{
    if (!metrics->closing || metrics->timer_open || metrics->pending > 0 || metrics->listener != NULL)
        return;
    metrics_destroy(metrics->registry);
    free(metrics);
}

/* As they happen */

/* Of a method that anybody may have made up only those that routes have. */
static const char *method_label(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i]) == 0)
            return known[i];
    }
    return "other";
}

void gateway_metrics_count_request(struct gateway_metrics *metrics, const struct exchange *exchange)
{
    const char *route = exchange->route != NULL ? exchange->route : "none";
    const char *method = method_label(exchange->request.method);
    char code[16];

    if (metrics == NULL)
        return;
    (void)snprintf(code, sizeof code, "%d", exchange->reply.status);
    metrics_increase(metrics->families.requests, 1, METRICS_LABELS(route, method, code));
    if (!exchange->streamed) /* how long somebody watched says nothing */
        metrics_observe(metrics->families.durations, (double)(uv_hrtime() - exchange->begun_ns) / 1e9,
                        METRICS_LABELS(route, method));
}

void gateway_metrics_count_limited(struct gateway_metrics *metrics, const struct exchange *exchange)
{
    if (metrics != NULL)
        metrics_increase(metrics->families.limited, 1,
                         METRICS_LABELS(exchange->route != NULL ? exchange->route : "none"));
}

/* When somebody asks */

static void finish(struct gateway_metrics *metrics)
{
    (void)uv_timer_stop(&metrics->deadline);
    if (!metrics->waiting)
        return;
    metrics->waiting = false;
    metrics->collected = true;
    metrics->collected_ms = uv_now(metrics->services->loop);
    metrics_listener_collected(metrics->listener);
}

static void take_answer(struct gateway_metrics *metrics)
{
    metrics->pending--;
    if (metrics->closing)
        free_when_done(metrics);
    else if (metrics->pending == 0)
        finish(metrics);
}

static void set_counts(const struct gateway_metrics *metrics, const char *queue, const struct job_queue_counts *counts)
{
    static const enum job_state live[] = {JOB_SCHEDULED, JOB_QUEUED, JOB_RUNNING, JOB_RETRYING};
    const struct gateway_metrics_families *families = &metrics->families;
    int64_t now_ms = clock_unix_ms(&metrics->services->clock);
    int64_t age_ms = counts->oldest_queued_ms > 0 ? now_ms - counts->oldest_queued_ms : 0;

    for (size_t i = 0; i < sizeof live / sizeof live[0]; i++)
        metrics_set(families->jobs, (double)counts->by_state[live[i]], METRICS_LABELS(queue, job_state_name(live[i])));
    metrics_set(families->open, (double)counts->open, METRICS_LABELS(queue));
    metrics_set(families->oldest, age_ms > 0 ? (double)age_ms / 1000 : 0, METRICS_LABELS(queue));
    metrics_set(families->paused, counts->paused ? 1 : 0, METRICS_LABELS(queue));
    metrics_set(families->pending, (double)counts->pending, METRICS_LABELS(queue));
    metrics_set(families->entries, (double)counts->stream_length, METRICS_LABELS(queue));
    if (counts->lag >= 0)
        metrics_set(families->lag, (double)counts->lag, METRICS_LABELS(queue));
}

static void on_counts(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct query *query = context;
    struct job_queue_counts counts;

    if (err == NULL && job_queue_counts_parse(reply, &counts, NULL) == ERR_OK)
        set_counts(query->metrics, query->queue, &counts);
    take_answer(query->metrics);
}

static void set_workers(const struct gateway_metrics *metrics, const char *queue, const struct json *workers)
{
    double idle = 0;
    double busy = 0;
    double stopping = 0;

    for (size_t i = 0; i < json_value_count(workers); i++) {
        const struct json *worker = json_value_at(workers, i);
        const char *state = json_value_get_text(worker, "state");

        if (state != NULL && strcmp(state, "stopping") == 0)
            stopping++;
        else if (json_value_get_text(worker, "job") != NULL)
            busy++;
        else
            idle++;
    }
    metrics_set(metrics->families.workers, idle, METRICS_LABELS(queue, "idle"));
    metrics_set(metrics->families.workers, busy, METRICS_LABELS(queue, "busy"));
    metrics_set(metrics->families.workers, stopping, METRICS_LABELS(queue, "stopping"));
}

static void on_workers(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct query *query = context;
    struct json *workers = NULL;

    if (err == NULL && job_queue_workers_parse(reply, &workers, NULL) == ERR_OK)
        set_workers(query->metrics, query->queue, workers);
    json_value_destroy(workers);
    take_answer(query->metrics);
}

static void set_success(const struct gateway_metrics *metrics, const struct json *success)
{
    const char *type = json_value_get_text(success, "type");
    const char *shop = json_value_get_text(success, "namespace");
    const char *time = json_value_get_text(success, "finished_at");
    int64_t unix_ms;

    if (type != NULL && shop != NULL && time != NULL && clock_parse_iso8601(time, &unix_ms))
        metrics_set(metrics->families.last_success, (double)unix_ms / 1000, METRICS_LABELS(type, shop));
}

static void on_successes(void *context, struct store_result *result)
{
    struct gateway_metrics *metrics = context;

    for (size_t i = 0; result->code == ERR_OK && i < json_value_count(result->document); i++)
        set_success(metrics, json_value_at(result->document, i));
    metrics_set(metrics->families.store_up, result->code == ERR_OK ? 1 : 0, NULL);
    take_answer(metrics);
}

static void set_store_call(void *context, const char *operation, uint64_t calls, uint64_t failures)
{
    const struct gateway_metrics_families *families = context;

    metrics_set(families->store_calls, (double)calls, METRICS_LABELS(operation));
    metrics_set(families->store_failures, (double)failures, METRICS_LABELS(operation));
}

/* What is known here. */
static void set_own(struct gateway_metrics *metrics)
{
    const struct services *services = metrics->services;
    struct gateway_metrics_families *families = &metrics->families;

    metrics_process_update(&metrics->process);
    metrics_set(families->connections, (double)metrics->pool->count, NULL);
    metrics_set(families->streams, (double)api_events_count(services->event_streams), NULL);
    metrics_set(families->waiters, (double)waiters_count(services->waiters), NULL);
    metrics_set(families->queue_up, queue_client_is_ready(services->queue) ? 1 : 0, NULL);
    metrics_set(families->reconnects,
                (double)(queue_client_reconnects(services->queue) + events_reconnects(services->events)), NULL);
    store_client_each_count(services->store, set_store_call, families);
}

static void ask_queue(struct gateway_metrics *metrics, struct query *query)
{
    struct queue_client *client = metrics->services->queue;
    struct redis_command command;

    metrics->pending += 2;
    job_queue_counts_command(&command, query->queue);
    queue_client_send(client, &command, on_counts, query);
    redis_command_fini(&command);
    job_queue_workers_command(&command, query->queue);
    queue_client_send(client, &command, on_workers, query);
    redis_command_fini(&command);
}

static void ask(struct gateway_metrics *metrics)
{
    const struct job_queue_names *queues = &metrics->services->settings->job.routes.all;

    gateway_metrics_families_clear(&metrics->families);
    metrics->pending++; /* so that an answer from within does not end it too early */
    for (size_t i = 0; queue_client_is_ready(metrics->services->queue) && i < queues->count; i++) {
        metrics->queries[i] = (struct query){.metrics = metrics, .queue = queues->names[i]};
        ask_queue(metrics, &metrics->queries[i]);
    }
    metrics->pending++;
    if (store_client_last_successes(metrics->services->store, on_successes, metrics, NULL) != ERR_OK) {
        metrics_set(metrics->families.store_up, 0, NULL);
        metrics->pending--;
    }
    take_answer(metrics);
}

static void on_deadline(uv_timer_t *timer)
{
    finish(timer->data); /* with what has come */
}

static void on_collect(void *context)
{
    struct gateway_metrics *metrics = context;

    metrics->waiting = true;
    set_own(metrics);
    if (metrics->pending > 0 || /* late since before */
        (metrics->collected && uv_now(metrics->services->loop) - metrics->collected_ms < FRESH_MS)) {
        metrics->waiting = false;
        metrics_listener_collected(metrics->listener);
        return;
    }
    (void)uv_timer_start(&metrics->deadline, on_deadline, DEADLINE_MS, 0);
    ask(metrics);
}

/* Life */

static enum err_code listen_on(struct gateway_metrics *metrics, struct err *err)
{
    const struct metrics_address *address = &metrics->services->settings->metrics;
    const struct metrics_listener_config config = {
        .address = *address, .metrics = metrics->registry, .collect = on_collect, .context = metrics};
    enum err_code rc;

    if (address->host[0] == '\0')
        return ERR_OK;
    rc = metrics_listener_create(&metrics->listener, metrics->services->loop, &config, err);
    if (rc != ERR_EXISTS || address->given)
        return rc;
    log_warn("metrics.port_taken", log_text("address", address->host), log_int("port", address->port));
    return ERR_OK; /* two gateways on one machine, and nobody said which one has the port */
}

enum err_code gateway_metrics_create(struct gateway_metrics **out, const struct services *services,
                                     const struct connection_pool *pool, struct err *err)
{
    struct gateway_metrics *metrics = mem_zeroed(1, sizeof *metrics);
    enum err_code rc;

    *out = metrics;
    if (metrics == NULL || (metrics->registry = metrics_create()) == NULL) {
        free(metrics);
        *out = NULL;
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for metrics");
    }
    metrics->services = services;
    metrics->pool = pool;
    metrics_process_add(&metrics->process, metrics->registry, "gateway");
    gateway_metrics_families_add(&metrics->families, metrics->registry);
    (void)uv_timer_init(services->loop, &metrics->deadline); /* never fails, as start with a callback */
    metrics->deadline.data = metrics;
    metrics->timer_open = true;
    rc = metrics_is_whole(metrics->registry) ? listen_on(metrics, err)
                                             : ERR_SET(err, ERR_NO_MEMORY, "no memory for metrics");
    if (rc != ERR_OK) {
        gateway_metrics_close(metrics);
        *out = NULL;
    }
    return rc;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct gateway_metrics *metrics = handle->data;

    metrics->timer_open = false;
    free_when_done(metrics);
}

static void on_listener_closed(void *context)
{
    struct gateway_metrics *metrics = context;

    metrics->listener = NULL;
    free_when_done(metrics);
}

void gateway_metrics_close(struct gateway_metrics *metrics)
{
    if (metrics == NULL)
        return;
    metrics->closing = true;
    uv_close((uv_handle_t *)&metrics->deadline, on_timer_closed);
    if (metrics->listener != NULL)
        metrics_listener_close(metrics->listener, on_listener_closed, metrics);
}
