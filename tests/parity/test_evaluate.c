/* The random split bit for bit, and the metrics of a model from the golden start, over the golden matrices. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "als_golden.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/json_value.h"
#include "worker/als/evaluate.h"

enum {
    SPLIT_SEED = 123,
    MODEL_SEED = 42,
    ITERATIONS = 15,
    STARTS = 3,
    LONG_LIST = 10,
    SHORT_LIST = 5,
    FILE_BYTES = 1 << 20
};

static const double TRAIN_FRACTION = 0.8;

static const char *const variants[] = {"online_retail/intended", "retailrocket/intended"};

/* The file's bytes, malloc'd, with a 0 behind them. */
static char *read_file(const char *variant, const char *name, size_t *length)
{
    char *path = str_format("%s/golden/%s/%s", als_golden_root(), variant, name);
    char *bytes = mem_zeroed(FILE_BYTES, 1);
    FILE *file;

    assert_true(path != NULL && bytes != NULL);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    *length = fread(bytes, 1, FILE_BYTES - 1, file);
    (void)fclose(file);
    free(path);
    return bytes;
}

static void check_mask(const struct als_golden *golden, const struct csr *train, const struct csr *test)
{
    size_t length;
    char *mask = read_file(golden->variant, "split_mask.bin", &length);
    size_t k = 0;

    assert_int_equal(length, (csr_nonzeros(&golden->values) + 7) / 8);
    for (size_t row = 0; row < golden->users; row++) {
        for (int64_t i = golden->values.offsets[row]; i < golden->values.offsets[row + 1]; i++, k++) {
            bool training = ((unsigned char)mask[k / 8] >> (7 - k % 8) & 1) != 0;
            int32_t column = golden->values.columns[i];

            assert_true(csr_has(train, row, column) == training);
            assert_true(csr_has(test, row, column) == !training);
        }
    }
    free(mask);
}

static void check_metric(const struct json *run, const char *name, double value)
{
    double expected = NAN;

    assert_true(json_value_get_double(run, name, &expected));
    print_message("  %-12s %.6f, golden %.6f\n", name, value, expected);
    assert_true(fabs(value - expected) <= 0.003);
}

static void check_metrics(const struct als_golden *golden, const struct als_model *model, const struct csr *train,
                          const struct csr *test)
{
    size_t length;
    char *text = read_file(golden->variant, "als64.json", &length);
    int32_t *all = mem_zeroed(golden->items, sizeof *all);
    struct json *file = NULL;
    const struct json *run;
    struct als_lists lists;
    struct evaluate_metrics metrics;

    assert_non_null(all);
    assert_int_equal(json_value_parse(&file, text, length, NULL), ERR_OK);
    run = json_value_at(json_value_get(json_value_get(file, "evaluation"), "runs"), 0);
    for (size_t i = 0; i < golden->items; i++)
        all[i] = (int32_t)i;
    assert_int_equal(als_top_new_items(&lists, model, train, all, golden->items, LONG_LIST, 0, NULL), ERR_OK);
    evaluate_lists(&metrics, &lists, test, LONG_LIST);
    check_metric(run, "precision@10", metrics.precision);
    check_metric(run, "map@10", metrics.map);
    check_metric(run, "ndcg@10", metrics.ndcg);
    check_metric(run, "auc@10", metrics.auc);
    evaluate_lists(&metrics, &lists, test, SHORT_LIST);
    check_metric(run, "precision@5", metrics.precision);
    als_lists_fini(&lists);
    json_value_destroy(file);
    free(all);
    free(text);
}

static const struct als_params als64 = {.solver = ALS_SOLVER_CG,
                                        .factors = 64,
                                        .regularization = 0.01,
                                        .alpha = 40,
                                        .iterations = ITERATIONS,
                                        .cg_steps = 3,
                                        .seed = MODEL_SEED};

struct split {
    struct als_golden golden;
    struct csr train;
    struct csr test;
};

static void split_init(struct split *split, const char *variant)
{
    als_golden_init(&split->golden, variant);
    print_message("%s\n", variant);
    assert_int_equal(
        evaluate_split(&split->train, &split->test, &split->golden.values, TRAIN_FRACTION, SPLIT_SEED, NULL), ERR_OK);
}

static void split_fini(struct split *split)
{
    csr_fini(&split->train);
    csr_fini(&split->test);
    als_golden_fini(&split->golden);
}

static void metrics_of_the_golden_split_are_those_of_implicit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct split split;
        struct als_model model;

        split_init(&split, variants[i]);
        check_mask(&split.golden, &split.train, &split.test);
        assert_int_equal(als_train(&model, &split.train, &als64, NULL, NULL, NULL), ERR_OK);
        check_metrics(&split.golden, &model, &split.train, &split.test);
        als_model_fini(&model);
        split_fini(&split);
    }
}

/* The mean over the golden starts of one metric. */
static double golden_mean(const struct als_golden *golden, const char *name)
{
    size_t length;
    char *text = read_file(golden->variant, "als64.json", &length);
    struct json *file = NULL;
    const struct json *runs;
    double sum = 0;

    assert_int_equal(json_value_parse(&file, text, length, NULL), ERR_OK);
    runs = json_value_get(json_value_get(file, "evaluation"), "runs");
    assert_int_equal(json_value_count(runs), STARTS);
    for (size_t i = 0; i < STARTS; i++) {
        double value;

        assert_true(json_value_get_double(json_value_at(runs, i), name, &value));
        sum += value;
    }
    json_value_destroy(file);
    free(text);
    return sum / STARTS;
}

static void add_run(struct evaluate_metrics *sum, const struct split *split, uint64_t seed)
{
    struct als_params params = als64;
    int32_t *all = mem_zeroed(split->golden.items, sizeof *all);
    struct evaluate_metrics metrics;
    struct als_lists lists;
    struct als_model model;

    assert_non_null(all);
    for (size_t i = 0; i < split->golden.items; i++)
        all[i] = (int32_t)i;
    params.seed = seed;
    assert_int_equal(als_train(&model, &split->train, &params, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(als_top_new_items(&lists, &model, &split->train, all, split->golden.items, LONG_LIST, 0, NULL),
                     ERR_OK);
    evaluate_lists(&metrics, &lists, &split->test, LONG_LIST);
    sum->precision += metrics.precision / STARTS;
    sum->map += metrics.map / STARTS;
    sum->ndcg += metrics.ndcg / STARTS;
    als_lists_fini(&lists);
    als_model_fini(&model);
    free(all);
}

/* Three standard errors of a difference of such means, from the spread of the golden runs: .004 and .006. */
static void check_mean(const struct split *split, const char *name, double value)
{
    double expected = golden_mean(&split->golden, name);

    print_message("  %-12s mean %.6f, golden %.6f\n", name, value, expected);
    assert_true(fabs(value - expected) <= 0.006);
}

static void other_starts_rank_as_well_as_those_of_implicit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct evaluate_metrics mean = {0};
        struct split split;

        split_init(&split, variants[i]);
        for (uint64_t seed = 1; seed <= STARTS; seed++)
            add_run(&mean, &split, seed);
        check_mean(&split, "precision@10", mean.precision);
        check_mean(&split, "map@10", mean.map);
        check_mean(&split, "ndcg@10", mean.ndcg);
        split_fini(&split);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_the_golden_split_are_those_of_implicit),
        cmocka_unit_test(other_starts_rank_as_well_as_those_of_implicit),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
