#include "gateway/cli/cli_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/jitter.h"
#include "common/base/str.h"
#include "common/job/job.h"
#include "gateway/cli/cli_events.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_progress.h"
#include "gateway/cli/cli_signals.h"

enum {
    TICK_MS = 100,
    POLL_MS = 500,        /* without a stream */
    POLL_LATER_MS = 2000, /* after the first minute, since reads are limited by the hour */
    POLL_FAST_FOR_MS = 60000,
    LOOK_WAITING_MS = 5000,  /* beside a stream, for the place in the queue */
    LOOK_RUNNING_MS = 30000, /* beside a stream, to be sure */
    SILENT_MS = 45000,       /* three of the stream's comments did not come */
    STREAM_AGAIN_MS = 2000,
    BACKOFF_MS = 500,
    BACKOFF_MOST_MS = 8000,
    AWAY_MOST_MS = 120000,
    MAX_WAIT_S = 7 * 86400
};

const struct cli_option cli_watch_options[] = {
    {"--timeout", "SECONDS", "give up after so long (exit 75); the job goes on"},
    {NULL, NULL, NULL},
};

struct watch {
    struct cli *cli;
    const char *id;
    struct clock_source clock;
    struct cli_signals signals;
    struct cli_events events;
    struct cli_progress progress;
    struct json *job; /* as last seen; NULL: not yet */
    char etag[CLI_ETAG_BYTES];
    char note[128];
    int64_t begun_ms; /* of the monotonic clock, as all below */
    int64_t deadline_ms;
    int64_t next_look_ms;
    int64_t next_stream_ms; /* when to open one; INT64_MAX: this gateway has none */
    int64_t heard_ms;
    int64_t away_since_ms; /* 0: it is not */
    int failures;
    bool is_asking;    /* for the job; events go on coming meanwhile */
    bool is_overtaken; /* by one of them: the answer may be older */
};

static int64_t now(const struct watch *watch)
{
    return clock_monotonic_ms(&watch->clock);
}

static void look_within(struct watch *watch, int64_t ms)
{
    if (watch->next_look_ms > now(watch) + ms)
        watch->next_look_ms = now(watch) + ms;
}

/* Events: progress goes straight to the line; a new state is looked at, since an event does not tell all. */
static void on_event(void *context, const struct cli_event *event)
{
    struct watch *watch = context;
    struct json *data = NULL;
    const char *state;
    const char *stage;
    double progress;

    if (watch->job == NULL || json_value_parse_lenient(&data, event->data, strlen(event->data), NULL) != ERR_OK)
        return;
    watch->is_overtaken = watch->is_asking;
    state = json_value_get_text(data, "state");
    stage = json_value_get_text(data, "stage");
    if (state != NULL && strcmp(state, cli_job_state(watch->job)) != 0)
        look_within(watch, 0);
    if (stage != NULL && stage[0] != '\0')
        (void)json_value_set_text(watch->job, "stage", stage);
    if (json_value_get_double(data, "progress", &progress) && progress >= 0)
        (void)json_value_set_real(watch->job, "progress", progress);
    json_value_destroy(data);
}

static void on_bytes(void *context, const char *bytes, size_t length)
{
    struct watch *watch = context;

    watch->heard_ms = now(watch);
    cli_events_feed(&watch->events, bytes, length);
}

static void open_stream(struct watch *watch)
{
    char path[64];
    struct err err;

    (void)snprintf(path, sizeof path, "/v1/jobs/%s/events", watch->id);
    cli_events_restart(&watch->events);
    watch->heard_ms = now(watch);
    watch->next_stream_ms = now(watch) + STREAM_AGAIN_MS;
    if (cli_client_open_stream(watch->cli->client, path, watch->events.last_id, on_bytes, watch, &err) == ERR_OK)
        watch->next_look_ms = now(watch) + LOOK_WAITING_MS; /* it tells the state first */
}

/* Opens the stream where it is due, and sees to one that ended. */
static void tend_stream(struct watch *watch)
{
    struct cli_stream_state state = cli_client_stream_state(watch->cli->client);

    if (state.open) {
        if (now(watch) - watch->heard_ms > SILENT_MS) {
            cli_client_close_stream(watch->cli->client);
            look_within(watch, 0);
        }
        return;
    }
    if (state.ended) { /* the job has, or the gateway, or the connection */
        cli_client_close_stream(watch->cli->client);
        look_within(watch, 0);
        if (state.status == 404 || state.status == 405 || state.status == 406 || state.status == 501)
            watch->next_stream_ms = INT64_MAX;
        else if (state.retry_after_s > 0)
            watch->next_stream_ms = now(watch) + (int64_t)state.retry_after_s * 1000;
    }
    if (watch->away_since_ms == 0 && watch->job != NULL && now(watch) >= watch->next_stream_ms)
        open_stream(watch);
}

/* When to look next, after an answer. */
static void plan(struct watch *watch)
{
    bool streams = cli_client_stream_state(watch->cli->client).open;
    bool runs = strcmp(cli_job_state(watch->job), job_state_name(JOB_RUNNING)) == 0;
    int64_t wait_ms = now(watch) - watch->begun_ms < POLL_FAST_FOR_MS ? POLL_MS : POLL_LATER_MS;

    if (streams)
        wait_ms = runs ? LOOK_RUNNING_MS : LOOK_WAITING_MS;
    watch->next_look_ms = now(watch) + (watch->is_overtaken && wait_ms > POLL_MS ? POLL_MS : wait_ms);
    watch->away_since_ms = 0;
    watch->failures = 0;
    watch->note[0] = '\0';
}

/* The gateway is away, or over its limits: CLI_DONE tries again later. */
static enum cli_status put_off(struct watch *watch, const struct err *err, long http_status, int retry_after_s)
{
    int64_t wait_ms = (int64_t)BACKOFF_MS << (watch->failures < 5 ? watch->failures : 5);

    if (!err_is_transient(err->code) && http_status < 500)
        return cli_status_of(err, http_status);
    if (watch->away_since_ms == 0) {
        watch->away_since_ms = now(watch);
        if (!watch->cli->style.terminal)
            cli_complain("%s; trying again", err->message);
    }
    if (now(watch) - watch->away_since_ms > AWAY_MOST_MS && http_status != 429)
        return cli_status_of(err, http_status);
    wait_ms = wait_ms < BACKOFF_MOST_MS ? wait_ms : BACKOFF_MOST_MS;
    wait_ms = jitter_between(wait_ms / 2, wait_ms);
    if (retry_after_s > 0 && wait_ms < (int64_t)retry_after_s * 1000)
        wait_ms = (int64_t)retry_after_s * 1000;
    watch->failures++;
    watch->next_look_ms = now(watch) + wait_ms;
    (void)snprintf(watch->note, sizeof watch->note, "%s; next try in %lld s",
                   http_status == 429 ? "over the rate limit" : "the gateway is away",
                   (long long)((wait_ms + 999) / 1000));
    return CLI_DONE;
}

static enum cli_status take_answer(struct watch *watch, struct cli_answer *answer)
{
    enum cli_status status = CLI_DONE;

    if (answer->status != 304) {
        json_value_destroy(watch->job);
        watch->job = answer->json;
        answer->json = NULL;
        str_copy(watch->etag, sizeof watch->etag, answer->etag);
        if (watch->cli->json)
            status = cli_print_answer(answer);
    }
    plan(watch);
    return status;
}

/* Looks at the job. Anything but CLI_DONE: it cannot be watched any longer, which has been said. */
static enum cli_status look(struct watch *watch)
{
    char path[48];
    struct cli_request request = {.path = path, .if_none_match = watch->etag};
    struct cli_answer answer;
    enum cli_status status;
    struct err err = {.code = ERR_OK};
    enum err_code rc;

    (void)snprintf(path, sizeof path, "/v1/jobs/%s", watch->id);
    watch->is_asking = true;
    watch->is_overtaken = false;
    rc = cli_client_ask(watch->cli->client, &request, &answer, &err);
    watch->is_asking = false;
    if (rc != ERR_OK) {
        status = put_off(watch, &err, 0, -1);
    } else if ((answer.status == 304 && watch->job != NULL) || (answer.status == 200 && answer.json != NULL)) {
        status = take_answer(watch, &answer);
        cli_answer_fini(&answer);
    } else {
        (void)cli_answer_to_err(watch->cli->client, &request, &answer, &err);
        status = put_off(watch, &err, answer.status, answer.retry_after_s);
        cli_answer_fini(&answer);
    }
    if (status != CLI_DONE) {
        cli_progress_clear(&watch->progress);
        cli_complain("%s", err.message);
    }
    return status;
}

static enum cli_status end_early(struct watch *watch, enum cli_status status, const char *why)
{
    cli_progress_clear(&watch->progress);
    cli_complain("%s; the job goes on: recfleet watch %s", why, watch->id);
    return status;
}

/* One step; CLI_DONE with a job that has ended is the end. */
static enum cli_status step(struct watch *watch)
{
    enum cli_status status = CLI_DONE;
    struct err err;

    if (cli_signals_came(&watch->signals))
        return end_early(watch, CLI_INTERRUPTED, "interrupted");
    if (now(watch) >= watch->deadline_ms)
        return end_early(watch, CLI_LATER, "the wait is over");
    if (now(watch) >= watch->next_look_ms)
        status = look(watch);
    if (status != CLI_DONE || cli_job_is_terminal(watch->job))
        return status;
    tend_stream(watch);
    if (!watch->cli->json && watch->job != NULL)
        cli_progress_show(&watch->progress, watch->job, clock_unix_ms(&watch->clock),
                          watch->note[0] != '\0' ? watch->note : NULL);
    if (cli_client_wait(watch->cli->client, TICK_MS, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_INTERNAL;
    }
    return CLI_DONE;
}

static enum cli_status show_ending(struct watch *watch)
{
    struct str text = {0};
    enum cli_status status = CLI_DONE;

    cli_progress_clear(&watch->progress);
    if (!watch->cli->json) {
        cli_job_append_ending(&watch->cli->style, &text, watch->job, clock_unix_ms(&watch->clock));
        status = cli_print(&text);
    }
    return status != CLI_DONE ? status : cli_job_status(watch->job);
}

enum cli_status cli_watch_job(struct cli *cli, const char *id)
{
    struct watch watch = {.cli = cli, .id = id, .clock = clock_system(), .progress = {.style = &cli->style}};
    enum cli_status status = CLI_DONE;
    struct err err;
    int timeout_s;

    if (cli_arguments_int(cli->arguments, "--timeout", 0, 1, MAX_WAIT_S, &timeout_s, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_USAGE;
    }
    if (cli_signals_hold(&watch.signals, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_INTERNAL;
    }
    cli_events_init(&watch.events, on_event, &watch);
    watch.begun_ms = now(&watch);
    watch.deadline_ms = timeout_s > 0 ? watch.begun_ms + (int64_t)timeout_s * 1000 : INT64_MAX;
    while (status == CLI_DONE && (watch.job == NULL || !cli_job_is_terminal(watch.job)))
        status = step(&watch);
    if (status == CLI_DONE)
        status = show_ending(&watch);
    cli_client_close_stream(cli->client);
    cli_signals_release(&watch.signals);
    cli_events_fini(&watch.events);
    json_value_destroy(watch.job);
    return status;
}

int cli_watch_run(struct cli *cli)
{
    const char *id = cli_job_id(cli, 0);

    return id != NULL ? (int)cli_watch_job(cli, id) : CLI_USAGE;
}
