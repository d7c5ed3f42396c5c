#include "worker/pipeline/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/report_text.h"

enum { WARNING_BYTES = 512, DAY_S = 86400, HOUR_S = 3600, OLD_DAYS = 30 };

_Static_assert((int)SOURCE_BAD_SAMPLES == (int)CLEAN_SAMPLES && (int)SOURCE_BAD_SAMPLE_BYTES == (int)CLEAN_SAMPLE_BYTES,
               "samples of lines and of activities are shown alike");

static void put_count(struct json *object, const char *key, size_t value)
{
    (void)json_value_set_int(object, key, (int64_t)value);
}

/* Milliseconds are enough. */
static void put_seconds(struct json *object, double seconds)
{
    (void)json_value_set_real(object, "seconds", round(seconds * 1000) / 1000);
}

enum err_code report_create(struct json **out, const char *type, int64_t now_s, struct err *err)
{
    struct json *report = json_value_new_object();

    *out = NULL;
    if (report == NULL || !json_value_set_text(report, "type", type) || !json_value_set_int(report, "now", now_s) ||
        !json_value_set(report, "stages", json_value_new_array()) ||
        !json_value_set(report, "loss", json_value_new_array()) || !json_value_set_null(report, "metrics") ||
        !json_value_set_bool(report, "published", false) ||
        !json_value_set(report, "warnings", json_value_new_array())) {
        json_value_destroy(report);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");
    }
    *out = report;
    return ERR_OK;
}

void report_add_stage(struct json *report, struct report_stage *stage)
{
    struct json *entry = json_value_new_object();

    (void)json_value_set_text(entry, "name", stage->name);
    put_seconds(entry, stage->seconds);
    put_count(entry, "rows_in", stage->rows_in);
    put_count(entry, "rows_out", stage->rows_out);
    (void)json_value_set(entry, "dropped", stage->dropped != NULL ? stage->dropped : json_value_new_object());
    (void)json_value_set_text(entry, "notes", stage->notes);
    stage->dropped = NULL;
    (void)json_value_append(json_value_get_mutable(report, "stages"), entry);
}

void report_add_warning(struct json *report, const char *format, ...)
{
    char text[WARNING_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)json_value_append(json_value_get_mutable(report, "warnings"), json_value_new_text(text));
}

void report_warn_of_age(struct json *report, int64_t newest_s, int64_t now_s)
{
    if (newest_s > 0 && newest_s < now_s - (int64_t)OLD_DAYS * DAY_S)
        report_add_warning(
            report,
            "the newest interaction is %lld days old; the parameter now=%lld trains as of the hour after "
            "it",
            (long long)((now_s - newest_s) / DAY_S), (long long)newest_s + HOUR_S);
}

void report_add_loss(struct json *report, double loss)
{
    (void)json_value_append(json_value_get_mutable(report, "loss"), json_value_new_real(loss));
}

void report_set_counts(struct json *report, const struct json *counts)
{
    struct json *copy = json_value_dup(counts);

    json_value_remove(json_value_get_mutable(copy, "homepage"), "outlier_uids");
    (void)json_value_set(report, "counts", copy);
}

/* samples[CLEAN_SAMPLES], as many as there are. */
static void put_samples(struct json *object, const char *reason, size_t count,
                        const char (*samples)[CLEAN_SAMPLE_BYTES])
{
    struct json *texts;

    if (count == 0)
        return;
    texts = json_value_new_array();
    for (size_t i = 0; i < CLEAN_SAMPLES && i < count && samples[i][0] != '\0'; i++)
        (void)json_value_append(texts, json_value_new_text(samples[i]));
    (void)json_value_set(object, reason, texts);
}

void report_set_dropped(struct json *report, const struct fetch_result *fetch)
{
    const struct clean_counts *clean = &fetch->clean;
    const struct source_bad *bad = fetch->source.bad;
    struct json *object = json_value_new_object();

    for (size_t i = 0; i < SOURCE_BAD_REASONS && bad[i].reason != NULL; i++)
        put_samples(object, bad[i].reason, bad[i].count, bad[i].samples);
    for (unsigned reason = 0; reason < CLEAN_REASON_COUNT; reason++)
        put_samples(object, clean_reason_name((enum clean_reason)reason), clean->dropped[reason],
                    clean->samples[reason]);
    put_samples(object, "product_malformed", fetch->products_malformed, fetch->product_samples);
    (void)json_value_set(report, "dropped_samples", object);
}

static struct json *outlier_entry(const struct outlier_user *removed, const struct id_table *users)
{
    struct json *entry = json_value_new_object();
    struct json *last = json_value_new_array();

    for (size_t i = 0; i < removed->last_count; i++) {
        struct json *row = json_value_new_object();

        (void)json_value_set_int(row, "created", removed->last[i].created);
        (void)json_value_set_text(row, "action", action_name(removed->last[i].action));
        (void)json_value_set_int(row, "product_id", removed->last[i].product_id);
        (void)json_value_append(last, row);
    }
    (void)json_value_set_text(entry, "user_uid", id_table_text(users, removed->user));
    (void)json_value_set_text(entry, "rule", outlier_rule_name(removed->rule));
    put_count(entry, "rows", removed->rows);
    (void)json_value_set(entry, "last", last);
    return entry;
}

/* The removed user with most rows behind `before` in the order (rows descending, place ascending); count: none. */
static size_t next_largest(const struct outlier_result *outliers, size_t before)
{
    size_t best = outliers->removed_count;

    for (size_t i = 0; i < outliers->removed_count; i++) {
        bool behind = before == outliers->removed_count || outliers->removed[i].rows < outliers->removed[before].rows ||
                      (outliers->removed[i].rows == outliers->removed[before].rows && i > before);

        if (behind && (best == outliers->removed_count || outliers->removed[i].rows > outliers->removed[best].rows))
            best = i;
    }
    return best;
}

void report_set_outliers(struct json *report, const struct outlier_result *outliers, const struct id_table *users)
{
    struct json *object = json_value_new_object();
    struct json *by_rule = json_value_new_object();
    struct json *top = json_value_new_array();
    size_t counts[OUTLIER_RULE_COUNT] = {0};
    size_t place = outliers->removed_count;

    for (size_t i = 0; i < outliers->removed_count; i++)
        counts[outliers->removed[i].rule]++;
    for (unsigned rule = 0; rule < OUTLIER_RULE_COUNT; rule++) {
        if (counts[rule] > 0)
            put_count(by_rule, outlier_rule_name((enum outlier_rule)rule), counts[rule]);
    }
    for (size_t i = 0; i < OUTLIER_TOP && i < outliers->removed_count; i++) {
        place = next_largest(outliers, place);
        (void)json_value_append(top, outlier_entry(&outliers->removed[place], users));
    }
    put_count(object, "users", outliers->removed_count);
    put_count(object, "rows", outliers->rows_removed);
    put_count(object, "by_rows_only", outliers->by_rows_only);
    (void)json_value_set(object, "by_rule", by_rule);
    (void)json_value_set(object, "top", top);
    (void)json_value_set(report, "outliers", object);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

/* By linear interpolation between the neighbours, as numpy has it. */
static double percentile(const double *sorted, size_t count, double percent)
{
    double place = percent / 100 * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;

    return sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
}

static struct json *percentiles_of(const double *values, size_t count)
{
    static const int percents[] = {0, 25, 50, 75, 100};
    double *sorted = mem_zeroed(count, sizeof *sorted);
    struct json *object;
    char key[16];

    if (sorted == NULL || count == 0) {
        free(sorted);
        return json_value_new_null();
    }
    object = json_value_new_object();
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        (void)snprintf(key, sizeof key, "%d", percents[i]);
        (void)json_value_set_real(object, key, percentile(sorted, count, percents[i]));
    }
    free(sorted);
    return object;
}

void report_set_matrix(struct json *report, const struct matrix *matrix)
{
    struct json *object = json_value_new_object();

    put_count(object, "users", matrix->users);
    put_count(object, "products", matrix->products);
    put_count(object, "nonzeros", matrix->pairs);
    (void)json_value_set_real(object, "density",
                              (double)matrix->pairs / ((double)matrix->users * (double)matrix->products));
    (void)json_value_set(object, "percentiles", percentiles_of(matrix->raw, matrix->pairs));
    (void)json_value_set(report, "matrix", object);
}

const char *report_solver_name(enum als_solver solver)
{
    switch (solver) {
    case ALS_SOLVER_EXACT:
        return "exact";
    case ALS_SOLVER_CG:
        return "cg";
    case ALS_SOLVER_CHOLESKY:
        return "cholesky";
    }
    return "unknown";
}

static const char *precision_name(enum als_precision precision)
{
    switch (precision) {
    case ALS_PRECISION_TF32:
        return "tf32";
    case ALS_PRECISION_FP16:
        return "fp16";
    case ALS_PRECISION_FP32:
    default:
        return "fp32";
    }
}

void report_set_als(struct json *report, const struct als_params *params, const char *backend)
{
    struct json *object = json_value_new_object();

    (void)json_value_set_text(object, "solver", report_solver_name(params->solver));
    (void)json_value_set_int(object, "factors", params->factors);
    (void)json_value_set_real(object, "regularization", params->regularization);
    if (params->regularization_scaling == ALS_SCALING_FREQUENCY)
        (void)json_value_set_text(object, "regularization_scaling", "frequency");
    (void)json_value_set_real(object, "alpha", params->alpha);
    (void)json_value_set_int(object, "iterations", params->iterations);
    if (params->tolerance > 0)
        (void)json_value_set_real(object, "tolerance", params->tolerance);
    if (params->acceleration)
        (void)json_value_set_text(object, "acceleration", "on");
    if (params->solver == ALS_SOLVER_CG)
        (void)json_value_set_int(object, "cg_steps", params->cg_steps);
    (void)json_value_set_int(object, "seed", (int64_t)params->seed);
    (void)json_value_set_int(object, "threads", params->threads);
    (void)json_value_set_text(object, "backend", backend);
    (void)json_value_set_text(object, "precision", precision_name(params->precision));
    (void)json_value_set(report, "als", object);
}

static struct json *make_metrics(const struct evaluation_entry *entry)
{
    struct json *metrics = json_value_new_object();

    if (!entry->measured) {
        (void)json_value_set_text(metrics, "why_not", entry->why_not);
        return metrics;
    }
    (void)json_value_set_real(metrics, "precision", entry->metrics.precision);
    (void)json_value_set_real(metrics, "map", entry->metrics.map);
    (void)json_value_set_real(metrics, "ndcg", entry->metrics.ndcg);
    (void)json_value_set_real(metrics, "auc", entry->metrics.auc);
    return metrics;
}

void report_set_metrics(struct json *report, const struct evaluation *evaluation, int factors)
{
    struct json *metrics = json_value_new_object();

    (void)json_value_set_text(metrics, "split", "time");
    (void)json_value_set_int(metrics, "test_days", evaluation->days);
    (void)json_value_set_int(metrics, "cut", evaluation->cut_s);
    put_count(metrics, "users", evaluation->users);
    put_count(metrics, "pairs", evaluation->pairs);
    (void)json_value_set_int(metrics, "k", EVALUATION_K);
    (void)json_value_set_int(metrics, "factors", factors);
    for (size_t i = 0; i < EVALUATION_ENTRIES; i++)
        (void)json_value_set(metrics, evaluation->entries[i].name, make_metrics(&evaluation->entries[i]));
    (void)json_value_set(report, "metrics", metrics);
}

void report_set_published(struct json *report, const struct publish_counts *counts)
{
    struct json *object = json_value_new_object();

    put_count(object, "recommendable", counts->recommendable);
    put_count(object, "users", counts->users);
    put_count(object, "similar_lists", counts->similar_lists);
    put_count(object, "homepage_keys", counts->homepage_keys);
    put_count(object, "similar_keys", counts->similar_keys);
    put_count(object, "reserved_users", counts->reserved_users);
    put_count(object, "removed", counts->removed);
    (void)json_value_set(report, "published_counts", object);
    (void)json_value_set_bool(report, "published", counts->homepage_keys + counts->similar_keys > 0);
}

void report_set_error(struct json *report, const char *stage, const struct err *err)
{
    struct json *object = json_value_new_object();

    (void)json_value_set_text(object, "stage", stage);
    (void)json_value_set_text(object, "code", err_code_name(err->code));
    (void)json_value_set_text(object, "message", err->message);
    (void)json_value_set_bool(object, "transient", err_is_transient(err->code));
    (void)json_value_set(report, "error", object);
}

void report_finish(struct json *report, double seconds)
{
    char *text;

    put_seconds(report, seconds);
    text = report_text_make(report);
    (void)json_value_set_text(report, "text", text);
    free(text);
}
