#include "gateway/cli/cli_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_table.h"

enum { LABEL_CELLS = 10, BAR_CELLS = 24, MOST_ROWS = 100, MOST_FAILED = 20, PARAMS_BYTES = 160 };

static const double SCORE_OF_NOTHING = .1; /* of lists without a hit, whose AUC is a half */

/* A combination or, with a name, a baseline. */
struct row {
    const char *name;
    const struct json *result;
    double score;
};

struct rows {
    struct row *rows;
    size_t count;
    size_t capacity;
};

static double real_of(const struct json *object, const char *key)
{
    double value = 0;

    (void)json_value_get_double(object, key, &value);
    return value;
}

static void add_row(struct rows *rows, const char *name, const struct json *result)
{
    double score;

    if (rows->count < rows->capacity && json_value_get_double(result, "score", &score))
        rows->rows[rows->count++] = (struct row){.name = name, .result = result, .score = score};
}

static bool add_baseline(void *context, const char *name, const struct json *baseline)
{
    add_row(context, name, baseline);
    return true;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;

    return (a->score < b->score) - (a->score > b->score);
}

static bool collect_rows(struct rows *rows, const struct json *report)
{
    const struct json *results = json_value_get(report, "all_results");
    const struct json *baselines = json_value_get(report, "baselines");

    rows->capacity = json_value_count(results) + json_value_count(baselines);
    rows->rows = mem_zeroed(rows->capacity, sizeof *rows->rows);
    if (rows->rows == NULL)
        return false;
    for (size_t i = 0; i < json_value_count(results); i++)
        add_row(rows, NULL, json_value_at(results, i));
    json_value_each(baselines, add_baseline, rows);
    qsort(rows->rows, rows->count, sizeof *rows->rows, compare_rows);
    return true;
}

/* "exact, 64 factors, regularization 30, alpha 800, 8 iterations", cut to size */
static void print_params(char *out, size_t size, const struct json *params)
{
    (void)snprintf(out, size, "%.16s, %.0f factors, regularization %g, alpha %g, %.0f iterations",
                   cli_format_text(params, "solver"), real_of(params, "factors"), real_of(params, "regularization"),
                   real_of(params, "alpha"), real_of(params, "iterations"));
}

static void append_label(const struct cli_style *style, struct str *out, const char *label)
{
    cli_style_append_cell(style, out, CLI_DIM, label, LABEL_CELLS, false);
    str_append_char(out, ' ');
}

static void append_best(const struct cli_style *style, struct str *out, const struct json *report)
{
    const struct json *best = json_value_get(report, "best_params");
    const char *id = json_value_get_text(report, "id");
    char params[PARAMS_BYTES];

    if (best == NULL)
        return;
    print_params(params, sizeof params, best);
    append_label(style, out, "best");
    cli_style_append(style, out, CLI_GREEN, params);
    cli_style_append_format(style, out, CLI_PLAIN, ": score %.4f", real_of(report, "best_score"));
    str_append_char(out, '\n');
    if (id == NULL || json_value_get(report, "partial") != NULL || json_value_get(report, "error") != NULL)
        return;
    append_label(style, out, "");
    cli_style_append_format(style, out, CLI_DIM,
                            "recfleet submit homepage_and_similar_products --param params_from=%.26s", id);
    str_append_char(out, '\n');
}

static void append_info(const struct cli_style *style, struct str *out, const struct json *info)
{
    const struct json *combinations = json_value_get(info, "combinations");
    const char *validation = cli_format_text(info, "validation");

    append_label(style, out, "held out");
    if (strcmp(validation, "time") == 0)
        cli_style_append_format(style, out, CLI_PLAIN, "what %.0f users newly met in the last %.0f days",
                                real_of(info, "users"), real_of(info, "test_days"));
    else
        cli_style_append_format(style, out, CLI_PLAIN, "%s of %.0f users",
                                strcmp(validation, "random") == 0 ? "a random fifth" : "the last product",
                                real_of(info, "users"));
    cli_style_append_format(style, out, CLI_PLAIN, ": %.0f pairs", real_of(info, "test_pairs"));
    str_append_char(out, '\n');
    append_label(style, out, "tried");
    cli_style_append_format(style, out, CLI_PLAIN, "%.0f of %.0f combinations", real_of(combinations, "ended"),
                            real_of(combinations, "chosen"));
    if (real_of(combinations, "grid") > real_of(combinations, "chosen"))
        cli_style_append_format(style, out, CLI_PLAIN, ", drawn from a grid of %.0f", real_of(combinations, "grid"));
    if (real_of(combinations, "reused") > 0)
        cli_style_append_format(style, out, CLI_PLAIN, ", %.0f of them in an earlier attempt",
                                real_of(combinations, "reused"));
    if (real_of(combinations, "failed") > 0)
        cli_style_append_format(style, out, CLI_RED, ", %.0f failed", real_of(combinations, "failed"));
    str_append_char(out, '\n');
}

static void add_real(struct cli_table *table, const char *format, const struct json *object, const char *key)
{
    char text[CLI_FORMAT_BYTES];

    if (strcmp(format, "%g") == 0)
        (void)snprintf(text, sizeof text, "%g", real_of(object, key));
    else
        (void)snprintf(text, sizeof text, "%.3f", real_of(object, key));
    cli_table_add(table, CLI_PLAIN, object != NULL ? text : "");
}

static void add_cells(struct cli_table *table, const struct cli_style *style, const struct row *row, double best)
{
    static const char *const metrics[] = {"precision_at_10", "precision_at_5", "map_at_10", "ndcg_at_10", "auc_at_10"};
    static const char *const numbers[] = {"factors", "regularization", "alpha", "iterations"};
    const struct json *params = json_value_get(row->result, "params");
    struct cli_style without_colour = *style; /* a cell has one colour */
    struct str bar = {0};
    char score[CLI_FORMAT_BYTES];
    bool usual = false;
    enum cli_colour colour = row->name != NULL ? CLI_YELLOW : CLI_BLUE;
    double part = best > SCORE_OF_NOTHING ? (row->score - SCORE_OF_NOTHING) / (best - SCORE_OF_NOTHING) : 0;

    (void)json_value_get_bool(row->result, "usual", &usual);
    colour = usual ? CLI_CYAN : colour;
    without_colour.colour = false;
    cli_style_append_bar(&without_colour, &bar, CLI_PLAIN, part > 0 ? part : 0, BAR_CELLS);
    (void)snprintf(score, sizeof score, "%.4f", row->score);
    cli_table_add(table, CLI_BOLD, score);
    cli_table_add(table, colour, bar.failed ? "" : bar.text);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        add_real(table, "%.3f", json_value_get(row->result, "metrics"), metrics[i]);
    cli_table_add(table, colour, row->name != NULL ? row->name : cli_format_text(params, "solver"));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        add_real(table, "%g", params, numbers[i]);
    str_fini(&bar);
}

static void append_rows(const struct cli_style *style, struct str *out, const struct rows *rows)
{
    static const struct cli_column columns[] = {{"score", true, 0},  {"", false, 4},     {"P@10", true, 0},
                                                {"P@5", true, 0},    {"MAP", true, 0},   {"NDCG", true, 0},
                                                {"AUC", true, 0},    {"by", false, 0},   {"factors", true, 0},
                                                {"lambda", true, 0}, {"alpha", true, 0}, {"iter", true, 0}};
    size_t shown = rows->count < MOST_ROWS ? rows->count : MOST_ROWS;
    struct cli_table table;

    if (shown == 0)
        return;
    cli_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < shown; i++)
        add_cells(&table, style, &rows->rows[i], rows->rows[0].score);
    str_append_char(out, '\n');
    if (!cli_table_append(&table, style, 0, shown, out))
        out->failed = true;
    cli_table_fini(&table);
    if (shown < rows->count)
        str_append_format(out, "… and %zu more\n", rows->count - shown);
    cli_style_append(
        style, out, CLI_DIM,
        "score: .25 P@10 + .20 P@5 + .20 AUC@10 + .20 MAP@10 + .15 NDCG@10; a bar begins at 0.1, the score "
        "of lists without a hit");
    str_append_char(out, '\n');
}

struct unmeasured {
    const struct cli_style *style;
    struct str *out;
};

static bool append_unmeasured(void *context, const char *name, const struct json *baseline)
{
    const struct unmeasured *unmeasured = context;
    const char *why_not = json_value_get_text(baseline, "why_not");

    if (why_not == NULL)
        return true;
    append_label(unmeasured->style, unmeasured->out, "left out");
    cli_style_append_format(unmeasured->style, unmeasured->out, CLI_PLAIN, "%.60s: %s", name, why_not);
    str_append_char(unmeasured->out, '\n');
    return true;
}

static void append_failed(const struct cli_style *style, struct str *out, const struct json *results)
{
    size_t failed = 0;

    for (size_t i = 0; i < json_value_count(results); i++) {
        const struct json *error = json_value_get(json_value_at(results, i), "error");
        char params[PARAMS_BYTES];

        if (error == NULL || failed++ >= MOST_FAILED)
            continue;
        print_params(params, sizeof params, json_value_get(json_value_at(results, i), "params"));
        cli_style_append(style, out, CLI_RED, failed == 1 ? "failed     " : "           ");
        cli_style_append(style, out, CLI_PLAIN, params);
        str_append_text(out, "\n             ");
        cli_style_append(style, out, CLI_PLAIN, cli_format_text(error, "message"));
        str_append_char(out, '\n');
    }
}

void cli_search_append(const struct cli_style *style, struct str *out, const struct json *report)
{
    const struct json *results = json_value_get(report, "all_results");
    struct unmeasured unmeasured = {.style = style, .out = out};
    struct rows rows = {0};

    if (results == NULL)
        return;
    append_info(style, out, json_value_get(report, "test_info"));
    append_best(style, out, report);
    if (collect_rows(&rows, report))
        append_rows(style, out, &rows);
    else
        out->failed = true;
    json_value_each(json_value_get(report, "baselines"), append_unmeasured, &unmeasured);
    append_failed(style, out, results);
    free(rows.rows);
}
