#include "gateway/gateway_metrics_families.h"

#include "common/job/job_routes.h"

enum { SHOP_SERIES = 20000 };

/* In seconds. A wait for a job may take minutes, all else does not. */
static const double duration_bounds[] = {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 600};

static const struct metrics_description jobs = {.name = "recfleet_queue_jobs",
                                                .help = "Live jobs by queue and state.",
                                                .kind = METRICS_GAUGE,
                                                .labels = {"queue", "state"}};
static const struct metrics_description open_jobs = {.name = "recfleet_queue_open_jobs",
                                                     .help = "Jobs queued or running: what to scale workers on.",
                                                     .kind = METRICS_GAUGE,
                                                     .labels = {"queue"}};
static const struct metrics_description oldest = {.name = "recfleet_queue_oldest_job_age_seconds",
                                                  .help = "How long the oldest queued job has waited; 0: none waits.",
                                                  .kind = METRICS_GAUGE,
                                                  .labels = {"queue"}};
static const struct metrics_description paused = {
    .name = "recfleet_queue_paused", .help = "1 while it is paused.", .kind = METRICS_GAUGE, .labels = {"queue"}};
static const struct metrics_description pending = {.name = "recfleet_queue_pending_entries",
                                                   .help = "Stream entries delivered and not yet acknowledged.",
                                                   .kind = METRICS_GAUGE,
                                                   .labels = {"queue"}};
static const struct metrics_description entries = {.name = "recfleet_queue_stream_entries",
                                                   .help = "Entries in the stream.",
                                                   .kind = METRICS_GAUGE,
                                                   .labels = {"queue"}};
static const struct metrics_description lag = {.name = "recfleet_queue_lag_entries",
                                               .help = "Stream entries not yet delivered; missing while unknown.",
                                               .kind = METRICS_GAUGE,
                                               .labels = {"queue"}};
static const struct metrics_description workers = {.name = "recfleet_workers",
                                                   .help = "Workers registered at a queue: idle, busy, stopping.",
                                                   .kind = METRICS_GAUGE,
                                                   .labels = {"queue", "state"}};
static const struct metrics_description last_success = {.name = "recfleet_job_last_success_timestamp_seconds",
                                                        .help = "When a job of the type last succeeded for the shop.",
                                                        .kind = METRICS_GAUGE,
                                                        .labels = {"type", "namespace"},
                                                        .max_series = SHOP_SERIES};
static const struct metrics_description queue_up = {
    .name = "recfleet_queue_up", .help = "1 while the queue's Redis is connected.", .kind = METRICS_GAUGE};
static const struct metrics_description reconnects = {.name = "recfleet_redis_reconnects_total",
                                                      .help = "Connections to Redis that were made anew.",
                                                      .kind = METRICS_COUNTER};
static const struct metrics_description store_up = {
    .name = "recfleet_store_up", .help = "1 where the job store answered this scrape.", .kind = METRICS_GAUGE};
static const struct metrics_description store_calls = {.name = "recfleet_store_calls_total",
                                                       .help = "Calls to the job store.",
                                                       .kind = METRICS_COUNTER,
                                                       .labels = {"operation"}};
static const struct metrics_description store_failures = {.name = "recfleet_store_failures_total",
                                                          .help = "Calls to the job store that failed.",
                                                          .kind = METRICS_COUNTER,
                                                          .labels = {"operation"}};
static const struct metrics_description requests = {.name = "recfleet_http_requests_total",
                                                    .help = "Requests answered.",
                                                    .kind = METRICS_COUNTER,
                                                    .labels = {"route", "method", "code"}};
static const struct metrics_description durations = {.name = "recfleet_http_request_duration_seconds",
                                                     .help = "From a request's first byte to its answer.",
                                                     .kind = METRICS_HISTOGRAM,
                                                     .labels = {"route", "method"},
                                                     .bounds = duration_bounds,
                                                     .bound_count = sizeof duration_bounds / sizeof duration_bounds[0]};
static const struct metrics_description limited = {.name = "recfleet_http_rate_limited_total",
                                                   .help = "Requests refused for their client's rate.",
                                                   .kind = METRICS_COUNTER,
                                                   .labels = {"route"}};
static const struct metrics_description connections = {
    .name = "recfleet_http_connections", .help = "Open client connections.", .kind = METRICS_GAUGE};
static const struct metrics_description streams = {
    .name = "recfleet_http_event_streams", .help = "Open event streams.", .kind = METRICS_GAUGE};
static const struct metrics_description waiters = {
    .name = "recfleet_http_waiters", .help = "Requests that wait for a job.", .kind = METRICS_GAUGE};

void gateway_metrics_families_add(struct gateway_metrics_families *out, struct metrics *metrics)
{
    out->jobs = metrics_add(metrics, &jobs);
    out->open = metrics_add(metrics, &open_jobs);
    out->oldest = metrics_add(metrics, &oldest);
    out->paused = metrics_add(metrics, &paused);
    out->pending = metrics_add(metrics, &pending);
    out->entries = metrics_add(metrics, &entries);
    out->lag = metrics_add(metrics, &lag);
    out->workers = metrics_add(metrics, &workers);
    out->last_success = metrics_add(metrics, &last_success);
    out->queue_up = metrics_add(metrics, &queue_up);
    out->reconnects = metrics_add(metrics, &reconnects);
    out->store_up = metrics_add(metrics, &store_up);
    out->store_calls = metrics_add(metrics, &store_calls);
    out->store_failures = metrics_add(metrics, &store_failures);
    out->requests = metrics_add(metrics, &requests);
    out->durations = metrics_add(metrics, &durations);
    out->limited = metrics_add(metrics, &limited);
    out->connections = metrics_add(metrics, &connections);
    out->streams = metrics_add(metrics, &streams);
    out->waiters = metrics_add(metrics, &waiters);
}

void gateway_metrics_families_clear(const struct gateway_metrics_families *families)
{
    struct metrics_family *const read_anew[] = {families->jobs,   families->open,    families->oldest,
                                                families->paused, families->pending, families->entries,
                                                families->lag,    families->workers, families->last_success};

    for (size_t i = 0; i < sizeof read_anew / sizeof read_anew[0]; i++)
        metrics_clear(read_anew[i]);
}
