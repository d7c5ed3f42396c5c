#include "gateway/cli/cli_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "gateway/cli/cli_chart.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_search.h"
#include "gateway/cli/cli_table.h"

enum { PATH_BYTES = 64, BAR_CELLS = 20, MOST_STAGES = 100, MOST_WARNINGS = 50 };

const struct cli_option cli_report_options[] = {
    {"--text", NULL, "the report's own text, with the sample recommendations"},
    {NULL, NULL, NULL},
};

static void append_title(const struct cli_style *style, struct str *out, const char *title)
{
    str_append_char(out, '\n');
    cli_style_append(style, out, CLI_BOLD, title);
    str_append_char(out, '\n');
}

static void append_head(const struct cli_style *style, struct str *out, const struct json *report)
{
    const struct json *error = json_value_get(report, "error");
    const char *message = json_value_get_text(error, "message");
    const char *code = json_value_get_text(error, "code");
    bool cancelled = code != NULL && strcmp(code, err_code_name(ERR_CANCELLED)) == 0;
    char took[CLI_FORMAT_BYTES];
    double seconds = 0;

    (void)json_value_get_double(report, "seconds", &seconds);
    cli_format_duration(took, seconds);
    cli_style_append(style, out, CLI_BOLD, cli_format_text(report, "type"));
    str_append_text(out, ": ");
    if (json_value_get(report, "partial") != NULL)
        cli_style_append(style, out, CLI_BLUE, "unfinished");
    else
        cli_style_append(style, out, message != NULL ? CLI_RED : CLI_GREEN,
                         cancelled         ? "cancelled"
                         : message != NULL ? "failed"
                                           : "succeeded");
    str_append_format(out, " after %s\n", took);
    if (message != NULL) {
        cli_style_append_format(style, out, CLI_PLAIN, "in %s: %s", cli_format_text(error, "stage"), message);
        str_append_char(out, '\n');
    }
}

static double stage_seconds(const struct json *stage)
{
    double seconds = 0;

    (void)json_value_get_double(stage, "seconds", &seconds);
    return seconds;
}

/* "12 without_user, 3 before_window": what was left out, and why. */
static bool append_reason(void *context, const char *key, const struct json *value)
{
    struct str *out = context;
    int64_t number;
    char count[CLI_FORMAT_BYTES];

    if (!json_value_to_int64(value, &number) || number == 0)
        return true;
    cli_format_count(count, number);
    str_append_format(out, "%s%s %.60s", out->length > 0 ? ", " : "", count, key);
    return true;
}

static void add_stage(struct cli_table *table, const struct cli_style *style, const struct json *stage, double total)
{
    struct cli_style without_colour = *style; /* a cell has one colour */
    struct str bar = {0};
    struct str dropped = {0};
    char text[CLI_FORMAT_BYTES];
    double seconds = stage_seconds(stage);

    without_colour.colour = false;
    cli_style_append_bar(&without_colour, &bar, CLI_PLAIN, total > 0 ? seconds / total : 0, BAR_CELLS);
    json_value_each(json_value_get(stage, "dropped"), append_reason, &dropped);
    cli_table_add(table, CLI_PLAIN, cli_format_text(stage, "name"));
    (void)snprintf(text, sizeof text, "%.3f", seconds);
    cli_table_add(table, CLI_PLAIN, text);
    cli_table_add(table, CLI_BLUE, bar.failed ? "" : bar.text);
    cli_format_member(text, stage, "rows_in");
    cli_table_add(table, CLI_PLAIN, text);
    cli_format_member(text, stage, "rows_out");
    cli_table_add(table, CLI_PLAIN, text);
    cli_table_add(table, CLI_YELLOW, dropped.length > 0 && !dropped.failed ? dropped.text : "");
    str_fini(&bar);
    str_fini(&dropped);
}

static void append_stages(const struct cli_style *style, struct str *out, const struct json *stages)
{
    static const struct cli_column columns[] = {{"stage", false, 0}, {"seconds", true, 0}, {"", false, 5},
                                                {"in", true, 0},     {"out", true, 0},     {"left out", false, 8}};
    size_t count = json_value_count(stages);
    struct cli_table table;
    double total = 0;

    if (count == 0)
        return;
    count = count < MOST_STAGES ? count : MOST_STAGES;
    for (size_t i = 0; i < count; i++)
        total += stage_seconds(json_value_at(stages, i));
    cli_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++)
        add_stage(&table, style, json_value_at(stages, i), total);
    str_append_char(out, '\n');
    if (!cli_table_append(&table, style, 0, count, out))
        out->failed = true;
    cli_table_fini(&table);
}

static void append_object(const struct cli_style *style, struct str *out, const char *label, const struct json *object)
{
    if (json_value_count(object) == 0)
        return;
    cli_style_append_cell(style, out, CLI_DIM, label, 10, false);
    str_append_char(out, ' ');
    cli_job_append_members(style, out, object);
    str_append_char(out, '\n');
}

static void append_published(const struct cli_style *style, struct str *out, const struct json *report)
{
    bool published = false;

    (void)json_value_get_bool(report, "published", &published);
    append_object(style, out, published ? "published" : "made", json_value_get(report, "published_counts"));
    if (!published && json_value_get(report, "published_counts") != NULL)
        str_append_text(out, "           nothing was published\n");
}

/* The loss, iteration by iteration. */
static void append_loss(const struct cli_style *style, struct str *out, const struct json *loss)
{
    size_t count = json_value_count(loss);
    double *values = mem_zeroed(count, sizeof *values);
    size_t used = 0;

    for (size_t i = 0; values != NULL && i < count; i++) {
        if (json_value_to_double(json_value_at(loss, i), &values[used]) && isfinite(values[used]))
            used++;
    }
    if (values == NULL) {
        out->failed = true;
    } else if (used > 0) {
        append_title(style, out, "loss by iteration");
        cli_chart_append(style, out, values, used, 0);
        cli_style_append_format(style, out, CLI_DIM, "%13s%zu iterations, from %.6g to %.6g", "", used, values[0],
                                values[used - 1]);
        str_append_char(out, '\n');
    }
    free(values);
}

static void append_warnings(const struct cli_style *style, struct str *out, const struct json *warnings)
{
    if (json_value_count(warnings) == 0)
        return;
    append_title(style, out, "warnings");
    for (size_t i = 0; i < json_value_count(warnings) && i < MOST_WARNINGS; i++) {
        const char *text = json_value_text(json_value_at(warnings, i));

        str_append_text(out, "- ");
        cli_style_append(style, out, CLI_YELLOW, text != NULL ? text : "");
        str_append_char(out, '\n');
    }
}

void cli_report_append(const struct cli_style *style, struct str *out, const struct json *report)
{
    append_head(style, out, report);
    append_stages(style, out, json_value_get(report, "stages"));
    str_append_char(out, '\n');
    append_object(style, out, "matrix", json_value_get(report, "matrix"));
    append_object(style, out, "als", json_value_get(report, "als"));
    append_object(style, out, "cross-sell", json_value_get(report, "cross_sell"));
    append_published(style, out, report);
    append_object(style, out, "warehouse", json_value_get(report, "warehouse"));
    append_object(style, out, "outliers", json_value_get(report, "outliers"));
    append_object(style, out, "metrics", json_value_get(report, "metrics"));
    cli_search_append(style, out, report);
    append_loss(style, out, json_value_get(report, "loss"));
    append_warnings(style, out, json_value_get(report, "warnings"));
}

/* The text is the worker's, with lines; only what steers a terminal is left out. */
static void append_text(const struct cli_style *style, struct str *out, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        struct str line = {0};

        str_append(&line, text, length);
        cli_style_append(style, out, CLI_PLAIN, line.length > 0 ? line.text : "");
        str_append_char(out, '\n');
        str_fini(&line);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}

int cli_report_run(struct cli *cli)
{
    const char *id = cli_job_id(cli, 0);
    struct cli_answer answer;
    struct str text = {0};
    char path[PATH_BYTES];
    enum cli_status status;

    if (id == NULL)
        return CLI_USAGE;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/report", id);
    status = cli_get(cli, path, &answer);
    if (status != CLI_DONE)
        return (int)status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        if (cli_arguments_has(cli->arguments, "--text"))
            append_text(&cli->style, &text, cli_format_text(answer.json, "text"));
        else
            cli_report_append(&cli->style, &text, answer.json);
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return (int)status;
}
