#include "gateway/server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

#include "common/base/jitter.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_shops.h"
#include "gateway/api_events.h"
#include "gateway/api_keys.h"
#include "gateway/connection.h"
#include "gateway/events.h"
#include "gateway/gateway_metrics.h"
#include "gateway/queue_client.h"
#include "gateway/rate_limit.h"
#include "gateway/readiness.h"
#include "gateway/recommendation_reader.h"
#include "gateway/request_log.h"
#include "gateway/services.h"
#include "gateway/store_client.h"
#include "gateway/upkeep.h"
#include "gateway/waiters.h"

enum {
    BACKLOG = 1024,
    SIGNAL_COUNT = 3,
    SPARE_FILES = 64,        /* descriptors beside the clients' */
    ANSWER_SLACK_MS = 60000, /* an answer may take this much longer than the longest wait */
    CUT_SLACK_MS = 20000     /* after the grace: what Redis and the store may take to answer what is pending */
};

struct server {
    const struct gateway_settings *settings;
    const struct env *env;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t sweep;
    uv_timer_t grace;
    uv_signal_t signals[SIGNAL_COUNT];
    struct services services;
    const char *queues[JOB_ROUTES_MAX];
    struct job_id_source ids;
    struct connection_pool pool;
    struct request_log log;
    struct upkeep *upkeep;
    bool ending;
    bool cut; /* the grace is over */
};

/* The end */

static void close_handles(struct server *server)
{
    request_log_close(&server->log);
    uv_close((uv_handle_t *)&server->sweep, NULL);
    uv_close((uv_handle_t *)&server->grace, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&server->signals[i], NULL);
}

static void on_store_closed(void *context)
{
    close_handles(context);
}

static void on_queue_closed(void *context)
{
    struct server *server = context;

    if (server->services.store != NULL)
        store_client_close(server->services.store, on_store_closed, server);
    else
        on_store_closed(server);
}

static void on_upkeep_closed(void *context)
{
    struct server *server = context;

    rate_limit_close(server->services.limit);
    readiness_close(server->services.readiness);
    gateway_metrics_close(server->services.metrics);
    if (server->services.waiters != NULL)
        waiters_close(server->services.waiters, NULL, NULL);
    api_events_close(server->services.event_streams);
    recommendation_reader_destroy(server->services.recommendations);
    events_close(server->services.events);
    if (server->services.queue != NULL)
        queue_client_close(server->services.queue, on_queue_closed, server);
    else
        on_queue_closed(server);
}

/* No connection and no exchange is left: only the upkeep calls the services any more. */
static void on_empty(void *context)
{
    struct server *server = context;

    if (server->upkeep != NULL)
        upkeep_close(server->upkeep, on_upkeep_closed, server);
    else
        on_upkeep_closed(server);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct server *server = timer->data;

    if (server->cut) {
        log_error("gateway.end_overdue", log_int("connections", (int64_t)server->pool.count));
        uv_stop(&server->loop);
        return;
    }
    server->cut = true;
    log_warn("gateway.grace_over", log_int("connections", (int64_t)server->pool.count));
    connection_abort(&server->pool);
    (void)uv_timer_start(timer, on_grace_over, CUT_SLACK_MS, 0);
}

static void end(struct server *server, const char *signal_name)
{
    log_info("gateway.ending", log_text("signal", signal_name), log_int("connections", (int64_t)server->pool.count));
    server->ending = true;
    uv_close((uv_handle_t *)&server->listener, NULL);
    (void)uv_timer_start(&server->grace, on_grace_over, (uint64_t)server->settings->job.grace_ms, 0);
    readiness_drain(server->services.readiness);
    if (server->services.waiters != NULL)
        waiters_drain(server->services.waiters);
    if (server->services.event_streams != NULL)
        api_events_drain(server->services.event_streams);
    connection_drain(&server->pool);
}

/* Events */

/* What cannot be read leaves that of before in force. */
static void reload_files(struct server *server)
{
    const struct gateway_settings *settings = server->settings;
    struct api_keys *keys;
    struct job_shops *shops;
    struct err err;

    if (api_keys_create(&keys, settings->api_key, settings->api_keys_file, &err) == ERR_OK) {
        api_keys_destroy(server->services.keys);
        server->services.keys = keys;
        log_info("keys.reloaded", log_int("keys", (int64_t)api_keys_count(keys)));
    } else {
        log_err("keys.reload_failed", &err);
    }
    if (job_shops_create(&shops, settings->job.shop, settings->job.namespaces_file, &err) == ERR_OK) {
        job_shops_destroy(server->services.shops);
        server->services.shops = shops;
        log_info("shops.reloaded", log_int("shops", (int64_t)job_shops_count(shops)));
    } else {
        log_err("shops.reload_failed", &err);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;

    if (number == SIGHUP)
        reload_files(server);
    else if (!server->ending)
        end(server, number == SIGTERM ? "SIGTERM" : "SIGINT");
    else if (!server->cut)
        on_grace_over(&server->grace);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;

    if (status == 0)
        connection_accept(&server->pool, listener);
    else
        log_warn("http.accept_failed", log_text("message", uv_strerror(status)));
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = timer->data;

    connection_sweep(&server->pool);
}

/* The start */

static enum err_code listen_on(struct server *server, struct err *err)
{
    const struct gateway_settings *settings = server->settings;
    struct sockaddr_storage address;
    int size = sizeof address;
    int status = uv_ip4_addr(settings->listen, settings->port, (struct sockaddr_in *)(void *)&address);

    if (status != 0)
        status = uv_ip6_addr(settings->listen, settings->port, (struct sockaddr_in6 *)(void *)&address);
    if (status == 0)
        status = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &size);
    if (status != 0)
        return ERR_SET(err, ERR_IO, "listen on %s port %d: %s", settings->listen, settings->port, uv_strerror(status));
    log_info("gateway.listening", log_text("address", settings->listen),
             log_int("port", ntohs(address.ss_family == AF_INET6
                                       ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
                                       : ((const struct sockaddr_in *)(const void *)&address)->sin_port)),
             log_text("version", RECFLEET_VERSION));
    return ERR_OK;
}

static enum err_code open_events(struct server *server, struct err *err)
{
    const struct job_queue_names *names = &server->settings->job.routes.all;
    struct events_config config = {
        .url = server->settings->job.queue_redis, .queues = server->queues, .queue_count = names->count};

    for (size_t i = 0; i < names->count; i++)
        server->queues[i] = names->names[i];
    return events_create(&server->services.events, &server->loop, &config, err);
}

static enum err_code open_services(struct server *server, struct err *err)
{
    const struct gateway_settings *settings = server->settings;
    struct services *services = &server->services;
    struct queue_client_config queue = {.url = settings->job.queue_redis, .queues = &settings->job.routes.all};
    enum err_code rc = store_client_create(&services->store, &server->loop, settings->job.store_url,
                                           settings->job.retention_days, err);

    if (rc == ERR_OK)
        rc = queue_client_create(&services->queue, &server->loop, &queue, err);
    if (rc != ERR_OK)
        return rc;
    rc = open_events(server, err);
    if (rc != ERR_OK)
        return rc;
    rc = gateway_metrics_create(&services->metrics, services, &server->pool, err);
    if (rc != ERR_OK)
        return rc;
    services->limit = rate_limit_create(services);
    services->readiness = readiness_create(services);
    services->waiters = waiters_create(services);
    services->event_streams = api_events_create(services);
    services->recommendations = recommendation_reader_create(services, server->env);
    if (services->limit == NULL || services->readiness == NULL || services->waiters == NULL ||
        services->event_streams == NULL || services->recommendations == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the gateway's services");
    server->upkeep = upkeep_create(services);
    return server->upkeep != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the queue's upkeep");
}

static enum err_code open_handles(struct server *server, struct err *err)
{
    static const int numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};
    int status = uv_tcp_init(&server->loop, &server->listener);

    request_log_init(&server->log, &server->loop);
    (void)uv_timer_init(&server->loop, &server->sweep); /* these never fail */
    (void)uv_timer_init(&server->loop, &server->grace);
    server->listener.data = server;
    server->sweep.data = server;
    server->grace.data = server;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        if (status == 0)
            status = uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    if (status == 0)
        status = uv_timer_start(&server->sweep, on_sweep, CONNECTION_SWEEP_MS, CONNECTION_SWEEP_MS);
    return status == 0 ? ERR_OK : ERR_SET(err, ERR_INTERNAL, "event loop: %s", uv_strerror(status));
}

/* Room for as many descriptors as there may be clients. */
static void raise_file_limit(int max_connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)max_connections + SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_warn("gateway.few_files", log_int("limit", (int64_t)limit.rlim_cur), log_int("wanted", (int64_t)wanted));
}

static void fill(struct server *server, const struct gateway_settings *settings, const struct env *env,
                 struct api_keys *keys, struct job_shops *shops)
{
    uint32_t chance;

    server->settings = settings;
    server->env = env;
    server->services = (struct services){.loop = &server->loop,
                                         .clock = clock_system(),
                                         .ids = &server->ids,
                                         .settings = settings,
                                         .keys = keys,
                                         .shops = shops};
    server->pool = (struct connection_pool){.services = &server->services,
                                            .log = &server->log,
                                            .max_connections = (size_t)settings->max_connections,
                                            .idle_timeout_ms = settings->idle_timeout_ms,
                                            .request_timeout_ms = settings->request_timeout_ms,
                                            .answer_timeout_ms = settings->legacy_wait_ms + ANSWER_SLACK_MS,
                                            .on_empty = on_empty,
                                            .context = server};
    chance = jitter_bits(); /* so that two gateways' request ids differ */
    str_hex(server->pool.id_prefix, &chance, sizeof chance);
}

enum err_code server_run(const struct gateway_settings *settings, const struct env *env, struct api_keys *keys,
                         struct job_shops *shops, struct err *err)
{
    struct server server = {0};
    enum err_code rc;
    int status = uv_loop_init(&server.loop);

    fill(&server, settings, env, keys, shops);
    if (status != 0) {
        rc = ERR_SET(err, ERR_INTERNAL, "event loop: %s", uv_strerror(status));
        goto done;
    }
    raise_file_limit(settings->max_connections);
    rc = open_handles(&server, err);
    if (rc == ERR_OK)
        rc = open_services(&server, err);
    if (rc == ERR_OK)
        rc = listen_on(&server, err);
    if (rc != ERR_OK)
        end(&server, NULL);
    (void)uv_run(&server.loop, UV_RUN_DEFAULT);
    status = uv_loop_close(&server.loop);
    if (status != 0 && rc == ERR_OK)
        rc = ERR_SET(err, ERR_INTERNAL, "at the end of the event loop: %s", uv_strerror(status));
    if (status == 0)
        log_info("gateway.ended", LOG_NO_FIELDS);
done:
    api_keys_destroy(server.services.keys);
    job_shops_destroy(server.services.shops);
    return rc;
}
