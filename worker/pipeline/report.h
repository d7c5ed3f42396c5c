/*
 * The report of a run, built up as the stages end: JSON for the store (configuration.md, `reports`), and a text of the
 * same for people. All functions but report_create may be called in any order and at most once each, save
 * report_add_*; where one fails for lack of memory the report lacks that part.
 */
#ifndef WORKER_PIPELINE_REPORT_H
#define WORKER_PIPELINE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/als/als.h"
#include "worker/pipeline/evaluation.h"
#include "worker/pipeline/fetch.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"
#include "worker/pipeline/publish.h"

/* {type, now, stages [], loss [], metrics null, published false, warnings []} */
enum err_code report_create(struct json **out, const char *type, int64_t now_s, struct err *err) MUST_CHECK;

enum { REPORT_NOTES_BYTES = 160 };

struct report_stage {
    const char *name;
    double seconds;
    size_t rows_in;
    size_t rows_out;
    struct json *dropped; /* {reason: n}, taken; NULL: none */
    char notes[REPORT_NOTES_BYTES];
};

void report_add_stage(struct json *report, struct report_stage *stage);
void report_add_warning(struct json *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where what was trained on is old: an export of last year, or a shop whose activities no longer come. newest_s 0:
 * there is nothing. */
void report_warn_of_age(struct json *report, int64_t newest_s, int64_t now_s);
void report_add_loss(struct json *report, double loss);

/* "counts": without the users removed, which may be thousands */
void report_set_counts(struct json *report, const struct json *counts);

/* "dropped_samples": {reason: [the first of it as texts]} of lines, activities and products */
void report_set_dropped(struct json *report, const struct fetch_result *fetch);

/* "outliers": {users, rows, by_rows_only, by_rule {rule: users}, top [{user_uid, rule, rows, last [{created, action,
 * product_id}]}]}, the top ten by rows */
void report_set_outliers(struct json *report, const struct outlier_result *outliers, const struct id_table *users);

/* "matrix": {users, products, nonzeros, density, percentiles {"0", "25", "50", "75", "100"} of the values before BM25}
 */
void report_set_matrix(struct json *report, const struct matrix *matrix);

/* "exact", "cg", "cholesky" */
const char *report_solver_name(enum als_solver solver);

/* "als": {solver, factors, …, backend} */
void report_set_als(struct json *report, const struct als_params *params, const char *backend);

/* "metrics": {split, test_days, cut, users, pairs, k, factors, als {precision, map, ndcg, auc}, popularity,
 * item_cosine, ease}; one that was not measured is {why_not} */
void report_set_metrics(struct json *report, const struct evaluation *evaluation, int factors);

/* "published_counts": the struct; "published": whether keys were written */
void report_set_published(struct json *report, const struct publish_counts *counts);

/* "error": {stage, code, message, transient} */
void report_set_error(struct json *report, const char *stage, const struct err *err);

/* "seconds" and "text": call last, or again and again while the report grows. */
void report_finish(struct json *report, double seconds);

#endif
