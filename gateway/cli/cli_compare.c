#include "gateway/cli/cli_compare.h"

#include <math.h>
#include <stdio.h>

#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_table.h"

enum { PATH_BYTES = 128, MOST_ROWS = 2000 };

/* Rows of a name and three numbers. */
struct rows {
    struct cli_table table;
    size_t count;
};

static void rows_init(struct rows *rows, const struct cli_column *columns, size_t count)
{
    rows->count = 0;
    cli_table_init(&rows->table, columns, count);
}

static void rows_end(struct rows *rows, const struct cli_style *style, struct str *out, const char *title)
{
    if (rows->count > 0) {
        str_append_char(out, '\n');
        cli_style_append(style, out, CLI_BOLD, title);
        str_append_char(out, '\n');
        if (!cli_table_append(&rows->table, style, 0, rows->count, out))
            out->failed = true;
    }
    cli_table_fini(&rows->table);
}

/* "+12" or "-0.25", and of what was not 0 before the percentage. */
static void format_change(char *out, const struct json *change, const struct json *before)
{
    char number[CLI_FORMAT_BYTES];
    double by;
    double from;

    (void)snprintf(out, CLI_FORMAT_BYTES, "-");
    if (!json_value_to_double(change, &by))
        return;
    cli_format_value(number, change);
    if (json_value_to_double(before, &from) && from != 0 && by != 0)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%s%.24s (%+.1f %%)", by > 0 ? "+" : "", number, by / fabs(from) * 100);
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "%s%.24s", by > 0 ? "+" : "", number);
}

static void add_figure(struct rows *rows, const char *name, const struct json *figure)
{
    char text[CLI_FORMAT_BYTES];
    double by = 0;

    cli_table_add(&rows->table, CLI_PLAIN, name);
    cli_format_member(text, figure, "a");
    cli_table_add(&rows->table, CLI_PLAIN, text);
    cli_format_member(text, figure, "b");
    cli_table_add(&rows->table, CLI_PLAIN, text);
    (void)json_value_get_double(figure, "change", &by);
    format_change(text, json_value_get(figure, "change"), json_value_get(figure, "a"));
    cli_table_add(&rows->table, by != 0 ? CLI_YELLOW : CLI_DIM, text);
    rows->count++;
}

static void append_figures(const struct cli_style *style, struct str *out, const char *title,
                           const struct json *figures)
{
    static const struct cli_column columns[] = {{"", false, 12}, {"a", true, 0}, {"b", true, 0}, {"change", true, 0}};
    struct rows rows;

    rows_init(&rows, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_value_count(figures) && i < MOST_ROWS; i++)
        add_figure(&rows, cli_format_text(json_value_at(figures, i), "name"), json_value_at(figures, i));
    rows_end(&rows, style, out, title);
}

static void append_loss(const struct cli_style *style, struct str *out, const struct json *loss)
{
    static const struct cli_column columns[] = {{"", false, 12}, {"a", true, 0}, {"b", true, 0}, {"change", true, 0}};
    const struct json *last = json_value_get(loss, "last");
    struct rows rows;

    rows_init(&rows, columns, sizeof columns / sizeof columns[0]);
    if (json_value_count(json_value_get(loss, "a")) > 0 || json_value_count(json_value_get(loss, "b")) > 0)
        add_figure(&rows, "after the last iteration", last);
    rows_end(&rows, style, out, "loss");
}

static void add_stage_cells(struct rows *rows, const struct json *a, const struct json *b, const char *key)
{
    char text[CLI_FORMAT_BYTES];

    cli_format_member(text, a, key);
    cli_table_add(&rows->table, CLI_PLAIN, text);
    cli_format_member(text, b, key);
    cli_table_add(&rows->table, CLI_PLAIN, text);
}

static void append_stages(const struct cli_style *style, struct str *out, const struct json *stages)
{
    static const struct cli_column columns[] = {{"stage", false, 0}, {"seconds a", true, 0}, {"b", true, 0},
                                                {"change", true, 0}, {"out a", true, 0},     {"b", true, 0}};
    struct rows rows;

    rows_init(&rows, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_value_count(stages) && i < MOST_ROWS; i++) {
        const struct json *stage = json_value_at(stages, i);
        const struct json *a = json_value_get(stage, "a");
        const struct json *b = json_value_get(stage, "b");
        char text[CLI_FORMAT_BYTES] = "-";
        double seconds_a;
        double seconds_b;

        cli_table_add(&rows.table, CLI_PLAIN, cli_format_text(stage, "name"));
        add_stage_cells(&rows, a, b, "seconds");
        if (json_value_get_double(a, "seconds", &seconds_a) && json_value_get_double(b, "seconds", &seconds_b))
            (void)snprintf(text, sizeof text, "%+.3f", seconds_b - seconds_a);
        cli_table_add(&rows.table, CLI_DIM, text);
        add_stage_cells(&rows, a, b, "rows_out");
        rows.count++;
    }
    rows_end(&rows, style, out, "stages");
}

static void append_samples(const struct cli_style *style, struct str *out, const struct json *samples)
{
    static const struct cli_column columns[] = {{"", false, 0}, {"of", false, 12},   {"a", true, 0},
                                                {"b", true, 0}, {"common", true, 0}, {"overlap", true, 0}};
    struct rows rows;

    rows_init(&rows, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_value_count(samples) && i < MOST_ROWS; i++) {
        const struct json *sample = json_value_at(samples, i);
        char text[CLI_FORMAT_BYTES];
        double overlap;

        cli_table_add(&rows.table, CLI_PLAIN, cli_format_text(sample, "name"));
        cli_format_member(text, json_value_get(sample, "subject"), "a");
        cli_table_add(&rows.table, CLI_PLAIN, text);
        (void)snprintf(text, sizeof text, "%zu", json_value_count(json_value_get(sample, "a")));
        cli_table_add(&rows.table, CLI_PLAIN, text);
        (void)snprintf(text, sizeof text, "%zu", json_value_count(json_value_get(sample, "b")));
        cli_table_add(&rows.table, CLI_PLAIN, text);
        cli_format_member(text, sample, "common");
        cli_table_add(&rows.table, CLI_PLAIN, text);
        if (json_value_get_double(sample, "overlap", &overlap))
            (void)snprintf(text, sizeof text, "%.0f %%", overlap * 100);
        else
            (void)snprintf(text, sizeof text, "-");
        cli_table_add(&rows.table, CLI_PLAIN, text);
        rows.count++;
    }
    rows_end(&rows, style, out, "lists");
}

static void append_head(const struct cli_style *style, struct str *out, const char *name, const struct json *head)
{
    const char *message = json_value_get_text(head, "error");
    char took[CLI_FORMAT_BYTES];
    double seconds = 0;

    (void)json_value_get_double(head, "seconds", &seconds);
    cli_format_duration(took, seconds);
    cli_style_append(style, out, CLI_BOLD, name);
    cli_style_append_format(style, out, CLI_PLAIN, "  %s  %s of %s, %s: ", cli_format_text(head, "id"),
                            cli_format_text(head, "type"), cli_format_text(head, "namespace"),
                            cli_format_text(head, "created_at"));
    cli_style_append(style, out, message != NULL ? CLI_RED : CLI_GREEN, message != NULL ? "failed" : "succeeded");
    str_append_format(out, " after %s\n", took);
}

void cli_compare_append(const struct cli_style *style, struct str *out, const struct json *comparison)
{
    append_head(style, out, "a", json_value_get(comparison, "a"));
    append_head(style, out, "b", json_value_get(comparison, "b"));
    append_stages(style, out, json_value_get(comparison, "stages"));
    append_figures(style, out, "counts", json_value_get(comparison, "counts"));
    append_figures(style, out, "parameters", json_value_get(comparison, "parameters"));
    append_loss(style, out, json_value_get(comparison, "loss"));
    append_figures(style, out, "metrics", json_value_get(comparison, "metrics"));
    append_samples(style, out, json_value_get(comparison, "samples"));
}

int cli_compare_run(struct cli *cli)
{
    const char *a = cli_job_id(cli, 0);
    const char *b = a != NULL ? cli_job_id(cli, 1) : NULL;
    struct cli_answer answer;
    struct str text = {0};
    char path[PATH_BYTES];
    enum cli_status status;

    if (b == NULL)
        return CLI_USAGE;
    (void)snprintf(path, sizeof path, "/v1/reports/compare?a=%s&b=%s", a, b);
    status = cli_get(cli, path, &answer);
    if (status != CLI_DONE)
        return (int)status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        cli_compare_append(&cli->style, &text, answer.json);
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return (int)status;
}
