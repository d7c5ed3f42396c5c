#include "shop_split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matrix_file.h"
#include "worker/als/evaluate.h"
#include "worker/pipeline/clean.h"
#include "worker/pipeline/holdout.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"

enum { GOLDEN_NOW = 1767225600, DAY_S = 86400, SPLIT_SEED = 123 };

static const double TRAIN_FRACTION = 0.8;
static const struct weigh_params weighing = {
    .weights = {1, .7, .5, .3, .1}, .decay_days = 25, .repeat_factor = .8, .now_s = GOLDEN_NOW};
static const struct matrix_params thresholds = {
    .min_user_rows = 3, .min_product_rows = 5, .bm25_k1 = 1.2, .bm25_b = 0.3};

static void check(enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK)
        matrix_file_fail(err);
}

static void add_line(struct interactions *rows, struct clean_counts *counts, const char *line, size_t length,
                     int64_t from_s)
{
    struct json *activity;
    struct err err;
    int64_t created;

    check(json_value_parse(&activity, line, length, &err), &err);
    if (json_value_get_int64(activity, "created", &created) && created >= from_s)
        check(clean_activity(rows, counts, activity, GOLDEN_NOW, &err), &err);
    json_value_destroy(activity);
}

/* Cleaned, without repetitions and outliers. */
static void read_rows(struct interactions *rows, const char *path, int64_t from_s)
{
    const struct outlier_params outlier_params = {.max_per_day = 150};
    struct outlier_result outliers;
    struct clean_counts counts = {0};
    struct err err;
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    size_t removed;
    ssize_t length;

    if (file == NULL)
        check(ERR_SET(&err, ERR_IO, "open %s: %s", path, strerror(errno)), &err);
    check(interactions_init(rows, &err), &err);
    while ((length = getline(&line, &capacity, file)) > 0)
        add_line(rows, &counts, line, (size_t)length, from_s);
    free(line);
    (void)fclose(file);
    check(clean_duplicates(rows, &counts, &removed, &err), &err);
    check(outliers_run(&outliers, rows, &outlier_params, &err), &err);
    outlier_result_fini(&outliers);
}

static void take_matrix(struct csr *out, struct matrix *matrix)
{
    *out = matrix->values;
    matrix->values = (struct csr){0};
}

/* The held-out rows are of some users; here each user has one. */
static void spread_rows(struct csr *out, const struct holdout *holdout, size_t users)
{
    const struct csr *test = &holdout->test;
    struct err err;

    check(csr_init(out, users, test->cols, csr_nonzeros(test), &err), &err);
    memcpy(out->columns, test->columns, csr_nonzeros(test) * sizeof *out->columns);
    memcpy(out->values, test->values, csr_nonzeros(test) * sizeof *out->values);
    for (size_t i = 0; i < holdout->users; i++)
        out->offsets[holdout->user[i] + 1] = test->offsets[i + 1] - test->offsets[i];
    for (size_t user = 0; user < users; user++)
        out->offsets[user + 1] += out->offsets[user];
}

void shop_split_by_time(struct shop_split *out, const char *path)
{
    const struct holdout_params params = {.test_days = SHOP_TEST_DAYS, .weigh = weighing, .matrix = thresholds};
    struct interactions rows;
    struct holdout holdout;
    struct err err;

    read_rows(&rows, path, GOLDEN_NOW - (SHOP_TRAIN_DAYS + SHOP_TEST_DAYS) * (int64_t)DAY_S);
    check(holdout_make(&holdout, &rows, &params, &err), &err);
    spread_rows(&out->test, &holdout, holdout.train.users);
    take_matrix(&out->train, &holdout.train);
    holdout_fini(&holdout);
    interactions_fini(&rows);
}

void shop_split_at_random(struct shop_split *out, const char *path)
{
    struct interactions rows;
    struct pairs pairs;
    struct matrix matrix;
    struct err err;

    read_rows(&rows, path, 0);
    check(weigh_run(&pairs, &rows, &weighing, &err), &err);
    check(matrix_build(&matrix, &pairs, &thresholds, &err), &err);
    check(evaluate_split(&out->train, &out->test, &matrix.values, TRAIN_FRACTION, SPLIT_SEED, &err), &err);
    matrix_fini(&matrix);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

void shop_split_fini(struct shop_split *split)
{
    csr_fini(&split->train);
    csr_fini(&split->test);
}
