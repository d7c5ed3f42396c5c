#include "gateway/cli/cli_progress.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_job.h"

enum { LEAST_BAR = 8, MOST_BAR = 40, STATE_CELLS = 9, STAGE_CELLS = 11, LINE_BYTES = 256 };

static const char *stage_of(const struct json *job)
{
    const char *stage = json_value_get_text(job, "stage");

    return stage != NULL ? stage : "";
}

/* "1 min 05 s", or what it waits for. */
static void describe_time(char *out, size_t size, const struct json *job, int64_t now_ms)
{
    int64_t position;
    double seconds = cli_job_seconds(job, now_ms);
    int64_t run_at_ms = cli_format_member_ms(job, "run_at");
    char text[CLI_FORMAT_BYTES];

    out[0] = '\0';
    if (json_value_get_int64(job, "queue_position", &position)) {
        (void)snprintf(out, size, "number %lld in the queue", (long long)position);
    } else if (strcmp(cli_job_state(job), "scheduled") == 0 && run_at_ms > 0) {
        cli_format_ago(text, run_at_ms, now_ms);
        (void)snprintf(out, size, "runs %s", text);
    } else if (seconds >= 0) {
        cli_format_duration(text, seconds);
        str_copy(out, size, text);
    }
}

/* The bar takes what the texts leave of the line. */
static void draw(struct cli_progress *progress, const struct json *job, int64_t now_ms, const char *note)
{
    char tail[LINE_BYTES];
    char time[CLI_FORMAT_BYTES + 16];
    struct str line = {0};
    int rest;

    describe_time(time, sizeof time, job, now_ms);
    (void)snprintf(tail, sizeof tail, " %3.0f %%  %-*s %s%s%s", cli_job_progress(job) * 100, STAGE_CELLS, stage_of(job),
                   time, note != NULL ? "  " : "", note != NULL ? note : "");
    cli_style_measure(progress->style);
    rest = progress->style->columns - 1 - STATE_CELLS - 1 - (int)cli_style_width(tail);
    rest = rest < LEAST_BAR ? LEAST_BAR : rest;
    rest = rest > MOST_BAR ? MOST_BAR : rest;
    str_append_text(&line, "\r\033[K");
    cli_style_append_cell(progress->style, &line, cli_job_colour(job), cli_job_state(job), STATE_CELLS, false);
    str_append_char(&line, ' ');
    cli_style_append_bar(progress->style, &line, cli_job_colour(job), cli_job_progress(job), (size_t)rest);
    rest = progress->style->columns - 1 - STATE_CELLS - 1 - rest;
    cli_style_append_cell(progress->style, &line, CLI_PLAIN, tail, rest > 0 ? (size_t)rest : 0, false);
    if (!line.failed) {
        (void)fwrite(line.text, 1, line.length, stdout);
        (void)fflush(stdout);
        progress->drawn = true;
    }
    str_fini(&line);
}

static bool is_new(struct cli_progress *progress, const struct json *job)
{
    int tenth = (int)(cli_job_progress(job) * 10);

    if (strncmp(progress->state, cli_job_state(job), sizeof progress->state - 1) == 0 &&
        strncmp(progress->stage, stage_of(job), sizeof progress->stage - 1) == 0 && progress->tenth == tenth)
        return false;
    str_copy(progress->state, sizeof progress->state, cli_job_state(job));
    str_copy(progress->stage, sizeof progress->stage, stage_of(job));
    progress->tenth = tenth;
    return true;
}

static void print_line(struct cli_progress *progress, const struct json *job, int64_t now_ms)
{
    char time[CLI_FORMAT_BYTES + 16];
    struct str line = {0};

    describe_time(time, sizeof time, job, now_ms);
    cli_style_append_format(progress->style, &line, CLI_PLAIN, "%-*s %3.0f %%  %-*s %s", STATE_CELLS,
                            cli_job_state(job), cli_job_progress(job) * 100, STAGE_CELLS, stage_of(job), time);
    while (line.length > 0 && line.text[line.length - 1] == ' ')
        line.text[--line.length] = '\0';
    if (!line.failed) {
        (void)puts(line.text);
        (void)fflush(stdout);
    }
    str_fini(&line);
}

void cli_progress_show(struct cli_progress *progress, const struct json *job, int64_t now_ms, const char *note)
{
    if (progress->style->terminal)
        draw(progress, job, now_ms, note);
    else if (is_new(progress, job))
        print_line(progress, job, now_ms);
}

void cli_progress_clear(struct cli_progress *progress)
{
    if (!progress->drawn)
        return;
    (void)fputs("\r\033[K", stdout);
    (void)fflush(stdout);
    progress->drawn = false;
}
