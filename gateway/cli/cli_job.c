#include "gateway/cli/cli_job.h"

#include <string.h>

#include "common/job/job.h"
#include "gateway/cli/cli_format.h"

enum { LABEL_CELLS = 10, BAR_CELLS = 30 };

const char *cli_job_state(const struct json *job)
{
    const char *state = json_value_get_text(job, "state");

    return state != NULL ? state : "unknown";
}

static bool is_state(const struct json *job, enum job_state state)
{
    return strcmp(cli_job_state(job), job_state_name(state)) == 0;
}

bool cli_job_is_terminal(const struct json *job)
{
    enum job_state state;

    return job_state_parse(cli_job_state(job), &state) && job_state_is_terminal(state);
}

enum cli_colour cli_job_colour(const struct json *job)
{
    static const enum cli_colour colours[JOB_STATE_COUNT] = {
        [JOB_ACCEPTED] = CLI_CYAN, [JOB_SCHEDULED] = CLI_CYAN,   [JOB_QUEUED] = CLI_CYAN,
        [JOB_RUNNING] = CLI_BLUE,  [JOB_RETRYING] = CLI_YELLOW,  [JOB_SUCCEEDED] = CLI_GREEN,
        [JOB_DEAD] = CLI_RED,      [JOB_CANCELLED] = CLI_YELLOW, [JOB_SUPERSEDED] = CLI_YELLOW};
    enum job_state state;
    bool stalled = false;

    (void)json_value_get_bool(job, "stalled", &stalled);
    if (stalled)
        return CLI_YELLOW;
    return job_state_parse(cli_job_state(job), &state) ? colours[state] : CLI_PLAIN;
}

double cli_job_progress(const struct json *job)
{
    double progress = 0;

    (void)json_value_get_double(job, "progress", &progress);
    return is_state(job, JOB_SUCCEEDED) ? 1 : progress;
}

double cli_job_seconds(const struct json *job, int64_t now_ms)
{
    int64_t started_ms = cli_format_member_ms(job, "started_at");
    int64_t finished_ms = cli_format_member_ms(job, "finished_at");

    if (started_ms == 0)
        return -1;
    if (finished_ms == 0)
        finished_ms = now_ms;
    return finished_ms > started_ms ? (double)(finished_ms - started_ms) / 1000 : 0;
}

enum cli_status cli_job_status(const struct json *job)
{
    return is_state(job, JOB_SUCCEEDED) ? CLI_DONE : CLI_FAILED;
}

struct member_writer {
    const struct cli_style *style;
    struct str *out;
    bool started;
};

/* "64/4,096": what a search tries. */
static void append_list(const struct member_writer *writer, const struct json *list)
{
    char text[CLI_FORMAT_BYTES];

    for (size_t i = 0; i < json_value_count(list); i++) {
        cli_format_value(text, json_value_at(list, i));
        cli_style_append_format(writer->style, writer->out, CLI_PLAIN, "%s%s", i > 0 ? "/" : "", text);
    }
}

static bool append_member(void *context, const char *key, const struct json *value)
{
    struct member_writer *writer = context;
    enum json_kind kind = json_value_kind(value);
    char text[CLI_FORMAT_BYTES];

    if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_NULL ||
        (kind == JSON_KIND_ARRAY && (json_value_count(value) == 0 || json_value_count(json_value_at(value, 0)) > 0)))
        return true;
    cli_style_append_format(writer->style, writer->out, CLI_PLAIN, "%s%.60s ", writer->started ? ", " : "", key);
    if (kind == JSON_KIND_ARRAY) {
        append_list(writer, value);
    } else {
        cli_format_value(text, value);
        cli_style_append(writer->style, writer->out, CLI_PLAIN, text);
    }
    writer->started = true;
    return true;
}

void cli_job_append_members(const struct cli_style *style, struct str *out, const struct json *object)
{
    struct member_writer writer = {.style = style, .out = out};

    json_value_each(object, append_member, &writer);
}

/* A page of details: what is not known is left out. */
struct details {
    const struct cli_style *style;
    struct str *out;
    const struct json *job;
    int64_t now_ms;
};

static void append_label(const struct details *details, const char *label)
{
    cli_style_append_cell(details->style, details->out, CLI_DIM, label, LABEL_CELLS, false);
    str_append_char(details->out, ' ');
}

static void append_text(const struct details *details, const char *label, const char *key)
{
    const char *text = json_value_get_text(details->job, key);

    if (text == NULL || text[0] == '\0')
        return;
    append_label(details, label);
    cli_style_append(details->style, details->out, CLI_PLAIN, text);
    str_append_char(details->out, '\n');
}

static void append_time(const struct details *details, const char *label, const char *key)
{
    const char *text = json_value_get_text(details->job, key);
    char ago[CLI_FORMAT_BYTES];

    if (text == NULL || cli_format_member_ms(details->job, key) == 0)
        return;
    append_label(details, label);
    cli_format_member_ago(ago, details->job, key, details->now_ms);
    cli_style_append(details->style, details->out, CLI_PLAIN, ago);
    cli_style_append_format(details->style, details->out, CLI_DIM, "  %s", text);
    str_append_char(details->out, '\n');
}

static void append_state(const struct details *details)
{
    bool asked = false;
    bool stalled = false;
    int64_t position;

    append_label(details, "state");
    cli_style_append(details->style, details->out, cli_job_colour(details->job), cli_job_state(details->job));
    (void)json_value_get_bool(details->job, "stalled", &stalled);
    (void)json_value_get_bool(details->job, "cancel_requested", &asked);
    if (stalled)
        str_append_text(details->out, ", stalled: its worker is silent");
    if (asked && !cli_job_is_terminal(details->job))
        str_append_text(details->out, ", to be cancelled");
    if (json_value_get_int64(details->job, "queue_position", &position))
        cli_style_append_format(details->style, details->out, CLI_PLAIN, ", number %lld in the queue",
                                (long long)position);
    str_append_char(details->out, '\n');
}

static void append_progress(const struct details *details)
{
    const char *stage = json_value_get_text(details->job, "stage");
    double seconds = cli_job_seconds(details->job, details->now_ms);
    char took[CLI_FORMAT_BYTES];

    if (is_state(details->job, JOB_RUNNING)) {
        append_label(details, "progress");
        cli_style_append_bar(details->style, details->out, CLI_BLUE, cli_job_progress(details->job), BAR_CELLS);
        cli_style_append_format(details->style, details->out, CLI_PLAIN, " %3.0f %%  %s",
                                cli_job_progress(details->job) * 100, stage != NULL ? stage : "");
        str_append_char(details->out, '\n');
    }
    if (seconds >= 0) {
        cli_format_duration(took, seconds);
        append_label(details, cli_job_is_terminal(details->job) ? "took" : "elapsed");
        str_append_format(details->out, "%s\n", took);
    }
}

static void append_tries(const struct details *details)
{
    int64_t attempt = 0;
    int64_t errors = 0;
    int64_t lost = 0;

    (void)json_value_get_int64(details->job, "attempt", &attempt);
    (void)json_value_get_int64(details->job, "errors", &errors);
    (void)json_value_get_int64(details->job, "lost", &lost);
    if (attempt <= 1 && errors == 0 && lost == 0)
        return;
    append_label(details, "attempt");
    str_append_format(details->out, "%lld (%lld ended in an error, %lld by a lost worker)\n", (long long)attempt,
                      (long long)errors, (long long)lost);
}

static void append_error(const struct details *details)
{
    const struct json *error = json_value_get(details->job, "error");
    const char *message = json_value_get_text(error, "message");
    const char *code = json_value_get_text(error, "code");

    if (message == NULL)
        return;
    append_label(details, "error");
    cli_style_append(details->style, details->out, CLI_RED, message);
    cli_style_append_format(details->style, details->out, CLI_DIM, " (%s)", code != NULL ? code : "no code");
    str_append_char(details->out, '\n');
}

static void append_object(const struct details *details, const char *label, const char *key)
{
    const struct json *object = json_value_get(details->job, key);

    if (json_value_kind(object) != JSON_KIND_OBJECT || json_value_count(object) == 0)
        return;
    append_label(details, label);
    cli_job_append_members(details->style, details->out, object);
    str_append_char(details->out, '\n');
}

void cli_job_append_details(const struct cli_style *style, struct str *out, const struct json *job, int64_t now_ms)
{
    struct details details = {.style = style, .out = out, .job = job, .now_ms = now_ms};

    append_text(&details, "job", "id");
    append_text(&details, "type", "type");
    append_text(&details, "shop", "namespace");
    append_state(&details);
    append_progress(&details);
    append_tries(&details);
    append_time(&details, "created", "created_at");
    append_time(&details, "run at", "run_at");
    append_time(&details, "started", "started_at");
    if (!cli_job_is_terminal(job))
        append_time(&details, "heartbeat", "heartbeat_at");
    append_time(&details, "finished", "finished_at");
    append_text(&details, "worker", "worker");
    append_text(&details, "backend", "backend");
    append_object(&details, "params", "params");
    append_object(&details, "result", "result");
    append_error(&details);
}

void cli_job_append_ending(const struct cli_style *style, struct str *out, const struct json *job, int64_t now_ms)
{
    const char *message = json_value_get_text(json_value_get(job, "error"), "message");
    const struct json *result = json_value_get(job, "result");
    double seconds = cli_job_seconds(job, now_ms);
    char took[CLI_FORMAT_BYTES];

    cli_style_append(style, out, cli_job_colour(job), cli_job_state(job));
    if (seconds >= 0) {
        cli_format_duration(took, seconds);
        str_append_format(out, " after %s", took);
    }
    if (message != NULL) {
        str_append_text(out, ": ");
        cli_style_append(style, out, CLI_PLAIN, message);
    } else if (json_value_count(result) > 0) {
        str_append_text(out, ": ");
        cli_job_append_members(style, out, result);
    }
    str_append_char(out, '\n');
}
