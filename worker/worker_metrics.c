#include "worker/worker_metrics.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/metrics_process.h"

enum { STAGE_SERIES = 200 };

/* In seconds: from a toy shop to a search of hours. */
static const double duration_bounds[] = {.1, .5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200};

enum { BOUND_COUNT = sizeof duration_bounds / sizeof duration_bounds[0] };

static const struct metrics_description runs = {.name = "recfleet_worker_job_runs_total",
                                                .help = "Attempts at jobs that ended, by what they came to.",
                                                .kind = METRICS_COUNTER,
                                                .labels = {"type", "namespace", "outcome"}};
static const struct metrics_description run_durations = {.name = "recfleet_worker_job_run_duration_seconds",
                                                         .help = "How long attempts took.",
                                                         .kind = METRICS_HISTOGRAM,
                                                         .labels = {"type"},
                                                         .bounds = duration_bounds,
                                                         .bound_count = BOUND_COUNT};
static const struct metrics_description stage_durations = {.name = "recfleet_worker_stage_duration_seconds",
                                                           .help = "How long the stages of runs took.",
                                                           .kind = METRICS_HISTOGRAM,
                                                           .labels = {"type", "stage"},
                                                           .bounds = duration_bounds,
                                                           .bound_count = BOUND_COUNT,
                                                           .max_series = STAGE_SERIES};
static const struct metrics_description running = {.name = "recfleet_worker_job_start_time_seconds",
                                                   .help = "When the job that runs now began; missing while none does.",
                                                   .kind = METRICS_GAUGE,
                                                   .labels = {"type", "namespace"}};
static const struct metrics_description busy = {
    .name = "recfleet_worker_busy", .help = "1 while a job runs.", .kind = METRICS_GAUGE};
static const struct metrics_description retries = {.name = "recfleet_worker_retries_total",
                                                   .help = "Attempts that failed and are tried again.",
                                                   .kind = METRICS_COUNTER};
static const struct metrics_description lost = {.name = "recfleet_worker_leases_lost_total",
                                                .help = "Beats that were told the job is another worker's.",
                                                .kind = METRICS_COUNTER};
static const struct metrics_description fenced = {.name = "recfleet_worker_fenced_writes_total",
                                                  .help = "Runs whose writes were refused for a newer fence.",
                                                  .kind = METRICS_COUNTER};
static const struct metrics_description killed = {.name = "recfleet_worker_children_killed_total",
                                                  .help = "Child processes that ended by a signal.",
                                                  .kind = METRICS_COUNTER,
                                                  .labels = {"signal"}};
static const struct metrics_description reconnects = {.name = "recfleet_redis_reconnects_total",
                                                      .help = "Connections to Redis that were made anew.",
                                                      .kind = METRICS_COUNTER};
static const struct metrics_description queue_up = {
    .name = "recfleet_queue_up", .help = "1 while the queue's Redis is connected.", .kind = METRICS_GAUGE};

struct worker_metrics {
    struct worker_metrics_config config;
    struct metrics *registry;
    struct metrics_listener *listener; /* NULL: nothing is served */
    struct metrics_process process;
    struct metrics_family *runs;
    struct metrics_family *run_durations;
    struct metrics_family *stage_durations;
    struct metrics_family *running;
    struct metrics_family *busy;
    struct metrics_family *retries;
    struct metrics_family *lost;
    struct metrics_family *fenced;
    struct metrics_family *killed;
    struct metrics_family *reconnects;
    struct metrics_family *queue_up;
    int64_t begun_ms; /* monotonic */
};

static void add_families(struct worker_metrics *metrics)
{
    struct metrics *registry = metrics->registry;

    metrics_process_add(&metrics->process, registry, "worker");
    metrics->runs = metrics_add(registry, &runs);
    metrics->run_durations = metrics_add(registry, &run_durations);
    metrics->stage_durations = metrics_add(registry, &stage_durations);
    metrics->running = metrics_add(registry, &running);
    metrics->busy = metrics_add(registry, &busy);
    metrics->retries = metrics_add(registry, &retries);
    metrics->lost = metrics_add(registry, &lost);
    metrics->fenced = metrics_add(registry, &fenced);
    metrics->killed = metrics_add(registry, &killed);
    metrics->reconnects = metrics_add(registry, &reconnects);
    metrics->queue_up = metrics_add(registry, &queue_up);
}

static void on_collect(void *context)
{
    struct worker_metrics *metrics = context;
    const struct worker_metrics_config *config = &metrics->config;
    uint64_t count = redis_async_reconnects(config->redis) + redis_async_reconnects(config->reader);

    metrics_process_update(&metrics->process);
    metrics_set(metrics->reconnects, (double)count, NULL);
    metrics_set(metrics->queue_up, redis_async_is_ready(config->redis) ? 1 : 0, NULL);
    metrics_listener_collected(metrics->listener);
}

static void listen_on(struct worker_metrics *metrics)
{
    const struct metrics_listener_config config = {
        .address = metrics->config.address, .metrics = metrics->registry, .collect = on_collect, .context = metrics};
    struct err err;

    if (config.address.host[0] != '\0' &&
        metrics_listener_create(&metrics->listener, metrics->config.loop, &config, &err) != ERR_OK)
        log_warn("metrics.not_served", log_text("message", err.message));
}

static void destroy(void *context)
{
    struct worker_metrics *metrics = context;

    metrics_destroy(metrics->registry);
    free(metrics);
}

enum err_code worker_metrics_create(struct worker_metrics **out, const struct worker_metrics_config *config,
                                    struct err *err)
{
    struct worker_metrics *metrics = mem_zeroed(1, sizeof *metrics);

    *out = NULL;
    if (metrics == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for metrics");
    metrics->config = *config;
    metrics->registry = metrics_create();
    if (metrics->registry != NULL)
        add_families(metrics);
    if (metrics->registry == NULL || !metrics_is_whole(metrics->registry)) {
        destroy(metrics);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for metrics");
    }
    listen_on(metrics);
    *out = metrics;
    return ERR_OK;
}

void worker_metrics_close(struct worker_metrics *metrics)
{
    if (metrics == NULL)
        return;
    if (metrics->listener != NULL)
        metrics_listener_close(metrics->listener, destroy, metrics);
    else
        destroy(metrics);
}

static int64_t monotonic_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

void worker_metrics_begin(struct worker_metrics *metrics, const struct job_queue_lease *lease)
{
    struct clock_source clock = clock_system();

    metrics->begun_ms = monotonic_ms();
    metrics_set(metrics->busy, 1, NULL);
    metrics_set(metrics->running, (double)clock_unix_ms(&clock) / 1000,
                METRICS_LABELS(job_type_name(lease->type), lease->shop));
}

static const char *outcome_name(const struct supervisor_outcome *outcome)
{
    switch (outcome->verdict) {
    case SUPERVISOR_FINISHED:
        return job_state_name(outcome->state);
    case SUPERVISOR_RETRY:
        return "retrying";
    case SUPERVISOR_RELEASED:
        return "released";
    case SUPERVISOR_LOST:
        return "lost";
    default:
        return "abandoned";
    }
}

/* The stages that the report tells of; a run that was killed has none. */
static void observe_stages(const struct worker_metrics *metrics, const char *type, const struct json *report)
{
    const struct json *stages = json_value_get(report, "stages");

    for (size_t i = 0; i < json_value_count(stages); i++) {
        const char *name = json_value_get_text(json_value_at(stages, i), "name");
        double seconds;

        if (name != NULL && json_value_get_double(json_value_at(stages, i), "seconds", &seconds))
            metrics_observe(metrics->stage_durations, seconds, METRICS_LABELS(type, name));
    }
}

static void count_signal(const struct worker_metrics *metrics, int number)
{
    const char *name = sigabbrev_np(number);
    char label[16];

    if (number == 0)
        return;
    (void)snprintf(label, sizeof label, "SIG%s", name != NULL ? name : "?");
    metrics_increase(metrics->killed, 1, METRICS_LABELS(label));
}

void worker_metrics_end(struct worker_metrics *metrics, const struct job_queue_lease *lease,
                        const struct supervisor_outcome *outcome)
{
    const char *type = job_type_name(lease->type);

    metrics_set(metrics->busy, 0, NULL);
    metrics_clear(metrics->running);
    metrics_increase(metrics->runs, 1, METRICS_LABELS(type, lease->shop, outcome_name(outcome)));
    metrics_observe(metrics->run_durations, (double)(monotonic_ms() - metrics->begun_ms) / 1000, METRICS_LABELS(type));
    observe_stages(metrics, type, outcome->end.report);
    count_signal(metrics, outcome->signal);
    if (outcome->verdict == SUPERVISOR_RETRY)
        metrics_increase(metrics->retries, 1, NULL);
    if (outcome->verdict == SUPERVISOR_LOST)
        metrics_increase(metrics->lost, 1, NULL);
    if (outcome->end.err.code == ERR_FENCED)
        metrics_increase(metrics->fenced, 1, NULL);
}
