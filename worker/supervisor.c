#include "worker/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/jitter.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "worker/supervisor_attempt.h"
#include "worker/supervisor_intake.h"
#include "worker/supervisor_news.h"
#include "worker/worker_metrics.h"

enum {
    WORKER_NAME_BYTES = 128,
    REGISTRY_TICK_MS = 1000,
    REGISTER_EVERY_TICKS = 20,
    LAST_WORDS_MS = 5000, /* to give a job back when the grace time is over */
    DEVICE_PAUSE_MS = 5000,
    REPLY_TIMEOUT_MS = 10000
};

static const char DEVICE[] = "cpu"; /* what jobs run on */

struct supervisor {
    uv_loop_t loop;
    const struct job_settings *settings;
    const char *env_file;
    char worker[WORKER_NAME_BYTES];
    char host[64];
    char queues[JOB_ROUTES_MAX * JOB_ROUTES_NAME_BYTES]; /* "train,cpu" */
    int64_t started_ms;
    char job[JOB_ID_BYTES]; /* "": none */
    struct redis_async *redis;
    struct redis_async *reader;
    struct supervisor_news news;
    struct supervisor_store *store;
    struct supervisor_intake *intake;
    struct supervisor_attempt *attempt;
    struct worker_metrics *metrics;
    uv_signal_t term;
    uv_signal_t interrupt;
    uv_timer_t grace;    /* then the job is given back; then it is abandoned */
    uv_timer_t registry; /* renews the worker's entry */
    int registry_ticks;  /* since it was renewed */
    uv_timer_t pause;    /* after a device was lost */
    bool stopping;
    bool out_of_grace;
    bool intake_stopped;
    bool closing;
    size_t unregistered; /* queues that took the worker off their list */
};

static void name_worker(struct supervisor *supervisor)
{
    struct clock_source clock = clock_system();

    supervisor->started_ms = clock_unix_ms(&clock);
    if (gethostname(supervisor->host, sizeof supervisor->host - 1) != 0)
        (void)snprintf(supervisor->host, sizeof supervisor->host, "unknown");
    (void)snprintf(supervisor->worker, sizeof supervisor->worker, "%s-%d-%08x", supervisor->host, (int)getpid(),
                   (unsigned)jitter_bits());
}

static void name_queues(struct supervisor *supervisor)
{
    const struct job_queue_names *queues = &supervisor->settings->worker_queues;
    size_t used = 0;

    for (size_t i = 0; i < queues->count; i++) /* there is room for all */
        used += (size_t)snprintf(supervisor->queues + used, sizeof supervisor->queues - used, "%s%s", i > 0 ? "," : "",
                                 queues->names[i]);
    supervisor->news.queues = supervisor->queues;
}

/* Of all writes this one comes first and at any time, so it tells whether the queue takes any. */
static void on_registered(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor *supervisor = context;

    if (err == NULL)
        supervisor_news_ready(&supervisor->news);
    else if (!supervisor_news_take(&supervisor->news, reply, err))
        log_err("worker.not_registered", err);
}

static void register_at(struct supervisor *supervisor, const char *queue)
{
    const struct job_queue_worker worker = {.name = supervisor->worker,
                                            .host = supervisor->host,
                                            .device = DEVICE,
                                            .version = RECFLEET_VERSION,
                                            .job = supervisor->job,
                                            .state = supervisor->stopping ? "stopping" : "working",
                                            .queues = supervisor->queues,
                                            .pid = getpid(),
                                            .started_ms = supervisor->started_ms};
    struct redis_command command;

    job_queue_register_command(&command, queue, &worker);
    redis_async_send(supervisor->redis, &command, on_registered, supervisor);
    redis_command_fini(&command);
}

/* With each of its queues, for those who look who is there. */
static void register_worker(struct supervisor *supervisor)
{
    const struct job_queue_names *queues = &supervisor->settings->worker_queues;

    supervisor->registry_ticks = 0;
    if (!redis_async_is_ready(supervisor->redis))
        return;
    for (size_t i = 0; i < queues->count; i++)
        register_at(supervisor, queues->names[i]);
}

/* More often while the queue takes no writes, to notice when it does again. */
static void on_registry(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;

    if (supervisor->news.told == SUPERVISOR_NEWS_REFUSED || ++supervisor->registry_ticks >= REGISTER_EVERY_TICKS)
        register_worker(supervisor);
}

static void on_redis_state(void *context, bool ready, const struct err *err)
{
    struct supervisor *supervisor = context;

    if (!ready) {
        supervisor_news_away(&supervisor->news, err);
        return;
    }
    register_worker(supervisor);
    if (supervisor->attempt != NULL)
        supervisor_attempt_on_ready(supervisor->attempt);
}

static void close_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

/* One that cannot be taken off the list is off it soon by itself. */
static void on_unregistered(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor *supervisor = context;

    (void)reply;
    (void)err;
    if (++supervisor->unregistered == supervisor->settings->worker_queues.count)
        redis_async_close(supervisor->redis, NULL, NULL);
}

/* When no job and no search is left: everything closes, and the loop ends by itself. */
static void close_when_done(struct supervisor *supervisor)
{
    const struct job_queue_names *queues = &supervisor->settings->worker_queues;
    struct redis_command command;

    if (!supervisor->intake_stopped || supervisor->attempt != NULL || supervisor->closing)
        return;
    supervisor->closing = true;
    close_timer(&supervisor->grace);
    close_timer(&supervisor->registry);
    close_timer(&supervisor->pause);
    uv_close((uv_handle_t *)&supervisor->term, NULL);
    uv_close((uv_handle_t *)&supervisor->interrupt, NULL);
    worker_metrics_close(supervisor->metrics);
    supervisor_intake_close(supervisor->intake);
    redis_async_close(supervisor->reader, NULL, NULL);
    for (size_t i = 0; i < queues->count; i++) { /* the last answer closes the connection */
        job_queue_unregister_command(&command, queues->names[i], supervisor->worker);
        redis_async_send(supervisor->redis, &command, on_unregistered, supervisor);
        redis_command_fini(&command);
    }
}

static void on_intake_stopped(void *context)
{
    struct supervisor *supervisor = context;

    supervisor->intake_stopped = true;
    close_when_done(supervisor);
}

static void search(struct supervisor *supervisor)
{
    supervisor->job[0] = '\0';
    register_worker(supervisor);
    if (supervisor->intake_stopped)
        close_when_done(supervisor);
    else
        supervisor_intake_search(supervisor->intake);
}

static void on_pause_over(uv_timer_t *timer)
{
    search(timer->data);
}

static void on_over(void *context, const struct job_queue_lease *lease, const struct supervisor_outcome *outcome)
{
    struct supervisor *supervisor = context;

    supervisor->attempt = NULL;
    worker_metrics_end(supervisor->metrics, lease, outcome);
    if (outcome->verdict == SUPERVISOR_RELEASED && !supervisor->stopping) {
        if (outcome->floor_fence > 0) {
            supervisor_intake_restart(supervisor->intake, &lease->entry, outcome->floor_fence);
            return;
        }
        if (outcome->device_lost) { /* another worker may have a better one */
            (void)uv_timer_start(&supervisor->pause, on_pause_over, DEVICE_PAUSE_MS, 0);
            return;
        }
    }
    search(supervisor);
}

static void on_started(void *context, const struct supervisor_started *started)
{
    struct supervisor *supervisor = context;
    struct supervisor_attempt_config config = {.loop = &supervisor->loop,
                                               .redis = supervisor->redis,
                                               .news = &supervisor->news,
                                               .store = supervisor->store,
                                               .settings = supervisor->settings,
                                               .worker = supervisor->worker,
                                               .env_file = supervisor->env_file,
                                               .on_over = on_over,
                                               .context = supervisor};
    struct err err;

    str_copy(supervisor->job, sizeof supervisor->job, started->lease.entry.job_id);
    register_worker(supervisor);
    worker_metrics_begin(supervisor->metrics, &started->lease);
    if (supervisor_attempt_start(&supervisor->attempt, &config, started, &err) != ERR_OK) {
        log_err("job.abandoned", &err); /* for want of memory: its lease runs out, and another may have more */
        (void)uv_timer_start(&supervisor->pause, on_pause_over, DEVICE_PAUSE_MS, 0);
        return;
    }
    if (supervisor->stopping) { /* it came while the search was ended */
        supervisor->intake_stopped = true;
        supervisor_attempt_give_back(supervisor->attempt);
    }
}

static void on_grace_over(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;

    if (supervisor->attempt == NULL)
        return;
    log_warn("worker.gives_back", log_text("job", supervisor->job));
    if (supervisor->out_of_grace) {
        supervisor_attempt_abandon(supervisor->attempt);
        return;
    }
    supervisor->out_of_grace = true;
    (void)uv_timer_start(&supervisor->grace, on_grace_over, LAST_WORDS_MS, 0);
    supervisor_attempt_give_back(supervisor->attempt);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;

    log_info("worker.stopping", log_int("signal", number), log_text("job", supervisor->job));
    if (supervisor->stopping) {
        if (!supervisor->closing && !supervisor->out_of_grace)
            on_grace_over(&supervisor->grace);
        return;
    }
    supervisor->stopping = true;
    register_worker(supervisor);
    (void)uv_timer_start(&supervisor->grace, on_grace_over, (uint64_t)supervisor->settings->grace_ms, 0);
    (void)uv_timer_stop(&supervisor->pause);
    supervisor_intake_stop(supervisor->intake);
}

static enum err_code connect_queue(struct supervisor *supervisor, struct err *err)
{
    const struct job_settings *settings = supervisor->settings;
    struct redis_async_config config = {
        .url = settings->queue_redis, .on_state = on_redis_state, .context = supervisor};
    int64_t timeout_ms = settings->lease_ms / 2; /* a hung connection is to be noticed while the lease holds */
    enum err_code rc;

    config.reply_timeout_ms = (int)(timeout_ms < REPLY_TIMEOUT_MS ? timeout_ms : REPLY_TIMEOUT_MS);
    rc = redis_async_create(&supervisor->redis, &supervisor->loop, &config, err);
    if (rc != ERR_OK)
        return rc;
    config.on_state = NULL;
    rc = redis_async_create(&supervisor->reader, &supervisor->loop, &config, err);
    if (rc != ERR_OK)
        redis_async_close(supervisor->redis, NULL, NULL);
    return rc;
}

static enum err_code create_parts(struct supervisor *supervisor, const struct metrics_address *metrics, struct err *err)
{
    struct supervisor_intake_config intake = {.loop = &supervisor->loop,
                                              .settings = supervisor->settings,
                                              .worker = supervisor->worker,
                                              .on_started = on_started,
                                              .on_stopped = on_intake_stopped,
                                              .context = supervisor};
    enum err_code rc = supervisor_store_create(&supervisor->store, &supervisor->loop, supervisor->settings->store_url,
                                               supervisor->settings->retention_days, err);

    if (rc == ERR_OK)
        rc = connect_queue(supervisor, err);
    if (rc != ERR_OK)
        return rc;
    intake.redis = supervisor->redis;
    intake.reader = supervisor->reader;
    intake.news = &supervisor->news;
    intake.store = supervisor->store;
    rc = supervisor_intake_create(&supervisor->intake, &intake, err);
    if (rc == ERR_OK) {
        const struct worker_metrics_config config = {
            .loop = &supervisor->loop, .address = *metrics, .redis = supervisor->redis, .reader = supervisor->reader};

        rc = worker_metrics_create(&supervisor->metrics, &config, err);
    }
    if (rc != ERR_OK) {
        supervisor_intake_close(supervisor->intake);
        redis_async_close(supervisor->redis, NULL, NULL);
        redis_async_close(supervisor->reader, NULL, NULL);
    }
    return rc;
}

static void open_handles(struct supervisor *supervisor)
{
    uv_loop_t *loop = &supervisor->loop;

    (void)uv_timer_init(loop, &supervisor->grace);
    (void)uv_timer_init(loop, &supervisor->registry);
    (void)uv_timer_init(loop, &supervisor->pause);
    supervisor->grace.data = supervisor;
    supervisor->registry.data = supervisor;
    supervisor->pause.data = supervisor;
    (void)uv_timer_start(&supervisor->registry, on_registry, REGISTRY_TICK_MS, REGISTRY_TICK_MS);
    (void)uv_signal_init(loop, &supervisor->term); /* fails where the process has no pipe left to give */
    (void)uv_signal_init(loop, &supervisor->interrupt);
    supervisor->term.data = supervisor;
    supervisor->interrupt.data = supervisor;
    (void)uv_signal_start(&supervisor->term, on_signal, SIGTERM);
    (void)uv_signal_start(&supervisor->interrupt, on_signal, SIGINT);
}

enum err_code supervisor_run(const struct job_settings *settings, const struct metrics_address *metrics,
                             const char *env_file, struct err *err)
{
    struct supervisor supervisor = {.settings = settings, .env_file = env_file};
    enum err_code rc;
    int status = uv_loop_init(&supervisor.loop);

    if (status != 0)
        return ERR_SET(err, ERR_INTERNAL, "event loop: %s", uv_strerror(status));
    name_worker(&supervisor);
    name_queues(&supervisor);
    rc = create_parts(&supervisor, metrics, err);
    if (rc == ERR_OK) {
        open_handles(&supervisor);
        log_info("worker.started", log_text("worker", supervisor.worker), log_text("queues", supervisor.queues),
                 log_text("version", RECFLEET_VERSION));
        supervisor_intake_search(supervisor.intake);
    }
    (void)uv_run(&supervisor.loop, UV_RUN_DEFAULT);
    supervisor_store_destroy(supervisor.store);
    status = uv_loop_close(&supervisor.loop);
    if (rc == ERR_OK && status != 0)
        rc = ERR_SET(err, ERR_INTERNAL, "the event loop ended with open handles");
    if (rc == ERR_OK)
        log_info("worker.stopped", log_text("worker", supervisor.worker));
    return rc;
}
