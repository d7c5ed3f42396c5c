#include "worker/pipeline/search_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/search_results.h"

enum { LABEL_COLUMN = 13, BAR_CELLS = 24, MOST_ROWS = 60, MOST_FAILED = 20 };

/* A row of the table: a combination or, with a name, a baseline. */
struct row {
    const char *name;
    const struct json *result;
    double score;
};

struct table {
    struct row *rows;
    size_t count;
};

static double real_of(const struct json *object, const char *key)
{
    double value = 0;

    (void)json_value_get_double(object, key, &value);
    return value;
}

static long long int_of(const struct json *object, const char *key)
{
    int64_t value = 0;

    (void)json_value_get_int64(object, key, &value);
    return value;
}

static const char *text_of(const struct json *object, const char *key)
{
    const char *text = json_value_get_text(object, key);

    return text != NULL ? text : "";
}

static bool flag_of(const struct json *object, const char *key)
{
    bool flag = false;

    (void)json_value_get_bool(object, key, &flag);
    return flag;
}

static bool add_baseline(void *context, const char *name, const struct json *baseline)
{
    struct table *table = context;

    if (json_value_get(baseline, "score") != NULL)
        table->rows[table->count++] =
            (struct row){.name = name, .result = baseline, .score = real_of(baseline, "score")};
    return true;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;

    return (a->score < b->score) - (a->score > b->score);
}

/* Best first; false: out of memory. */
static bool make_table(struct table *table, const struct json *results, const struct json *baselines)
{
    table->rows = mem_zeroed(json_value_count(results) + json_value_count(baselines), sizeof *table->rows);
    if (table->rows == NULL)
        return false;
    for (size_t i = 0; i < json_value_count(results); i++) {
        const struct json *result = json_value_at(results, i);

        if (json_value_get(result, "score") != NULL)
            table->rows[table->count++] = (struct row){.result = result, .score = real_of(result, "score")};
    }
    json_value_each(baselines, add_baseline, table);
    qsort(table->rows, table->count, sizeof *table->rows, compare_rows);
    return true;
}

static void append_params(struct str *out, const struct json *params)
{
    str_append_format(out, "%s, %lld factors, regularization %g, alpha %g, %lld iterations", text_of(params, "solver"),
                      int_of(params, "factors"), real_of(params, "regularization"), real_of(params, "alpha"),
                      int_of(params, "iterations"));
}

/* As long as the score is over that of lists without a hit, with the best as the longest. */
static void append_bar(struct str *out, double score, double best)
{
    int cells = best > SEARCH_SCORE_OF_NOTHING
                    ? (int)lround((score - SEARCH_SCORE_OF_NOTHING) / (best - SEARCH_SCORE_OF_NOTHING) * BAR_CELLS)
                    : 0;

    for (int i = 0; i < BAR_CELLS; i++)
        str_append_char(out, i < cells ? '#' : ' ');
}

static void append_row(struct str *out, const struct row *row, double best)
{
    const struct json *metrics = json_value_get(row->result, "metrics");
    const struct json *params = json_value_get(row->result, "params");

    str_append_format(out, "  %.4f  ", row->score);
    append_bar(out, row->score, best);
    str_append_format(out, "  %.3f  %.3f  %.3f  %.3f  %.3f", real_of(metrics, "precision_at_10"),
                      real_of(metrics, "precision_at_5"), real_of(metrics, "map_at_10"), real_of(metrics, "ndcg_at_10"),
                      real_of(metrics, "auc_at_10"));
    if (row->name != NULL)
        str_append_format(out, "  %s\n", row->name);
    else
        str_append_format(out, "  %-8s%8lld%8g%8g%6lld%9.1f%s\n", text_of(params, "solver"), int_of(params, "factors"),
                          real_of(params, "regularization"), real_of(params, "alpha"), int_of(params, "iterations"),
                          real_of(row->result, "seconds"), flag_of(row->result, "usual") ? "  as set" : "");
}

static void append_table(struct str *out, const struct table *table)
{
    if (table->count == 0)
        return;
    str_append_format(out, "\n  %-6s  %-*s  %-5s  %-5s  %-5s  %-5s  %-5s  %-8s%8s%8s%8s%6s%9s\n", "score", BAR_CELLS,
                      "", "P@10", "P@5", "MAP", "NDCG", "AUC", "solver", "factors", "lambda", "alpha", "iter",
                      "seconds");
    for (size_t i = 0; i < table->count && i < MOST_ROWS; i++)
        append_row(out, &table->rows[i], table->rows[0].score);
    if (table->count > MOST_ROWS)
        str_append_format(out, "  ... and %zu more\n", table->count - MOST_ROWS);
}

static void append_failed(struct str *out, const struct json *results)
{
    size_t failed = 0;

    for (size_t i = 0; i < json_value_count(results); i++) {
        const struct json *result = json_value_at(results, i);
        const struct json *error = json_value_get(result, "error");

        if (error == NULL || failed++ >= MOST_FAILED)
            continue;
        str_append_text(out, failed == 1 ? "\nfailed\n  " : "  ");
        append_params(out, json_value_get(result, "params"));
        str_append_format(out, ":\n    %s\n", text_of(error, "message"));
    }
    if (failed > MOST_FAILED)
        str_append_format(out, "  ... and %zu more\n", failed - MOST_FAILED);
}

static bool append_unmeasured(void *context, const char *name, const struct json *baseline)
{
    struct str *out = context;

    if (json_value_get_text(baseline, "why_not") != NULL)
        str_append_format(out, "  %s is not measured: %s\n", name, json_value_get_text(baseline, "why_not"));
    return true;
}

static void append_info(struct str *out, const struct json *info)
{
    const struct json *train = json_value_get(info, "train");
    const struct json *combinations = json_value_get(info, "combinations");
    const char *validation = text_of(info, "validation");

    str_append_format(out, "%-*s", LABEL_COLUMN, "held out");
    if (strcmp(validation, "time") == 0)
        str_append_format(out, "what %lld users newly met in the last %lld days", int_of(info, "users"),
                          int_of(info, "test_days"));
    else
        str_append_format(out, "%s of %lld users, BM25 %s the split",
                          strcmp(validation, "random") == 0 ? "a random fifth" : "the last product",
                          int_of(info, "users"), text_of(info, "bm25"));
    str_append_format(out, ": %lld pairs; %lld users and %lld products to train on\n", int_of(info, "test_pairs"),
                      int_of(train, "users"), int_of(train, "products"));
    str_append_format(out, "%-*s%lld of %lld have ended", LABEL_COLUMN, "combinations", int_of(combinations, "ended"),
                      int_of(combinations, "chosen"));
    if (int_of(combinations, "grid") > int_of(combinations, "chosen"))
        str_append_format(out, ", drawn from a grid of %lld", int_of(combinations, "grid"));
    if (int_of(combinations, "reused") > 0)
        str_append_format(out, ", %lld of them in an earlier attempt", int_of(combinations, "reused"));
    if (int_of(combinations, "failed") > 0)
        str_append_format(out, ", %lld failed", int_of(combinations, "failed"));
    str_append_char(out, '\n');
}

void search_text_append(struct str *out, const struct json *report)
{
    const struct json *results = json_value_get(report, "all_results");
    const struct json *baselines = json_value_get(report, "baselines");
    const struct json *best = json_value_get(report, "best_params");
    struct table table = {0};

    if (results == NULL)
        return;
    append_info(out, json_value_get(report, "test_info"));
    if (best != NULL) {
        str_append_format(out, "%-*s", LABEL_COLUMN, "best");
        append_params(out, best);
        str_append_format(out, ": score %.4f\n", real_of(report, "best_score"));
    }
    str_append_format(out,
                      "%-*s.25 P@10 + .20 P@5 + .20 AUC@10 + .20 MAP@10 + .15 NDCG@10; lists without a hit have %g, "
                      "where bars begin\n",
                      LABEL_COLUMN, "score", SEARCH_SCORE_OF_NOTHING);
    if (!make_table(&table, results, baselines))
        out->failed = true;
    append_table(out, &table);
    json_value_each(baselines, append_unmeasured, out);
    append_failed(out, results);
    free(table.rows);
}
