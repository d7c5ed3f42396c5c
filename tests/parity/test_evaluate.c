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

enum { SPLIT_SEED = 123, MODEL_SEED = 42, ITERATIONS = 15, LONG_LIST = 10, SHORT_LIST = 5, FILE_BYTES = 1 << 20 };

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

static void metrics_of_the_golden_split_are_those_of_implicit(void **state)
{
    static const struct als_params params = {.solver = ALS_SOLVER_CG,
                                             .factors = 64,
                                             .regularization = 0.01,
                                             .alpha = 40,
                                             .iterations = ITERATIONS,
                                             .cg_steps = 3,
                                             .seed = MODEL_SEED};

    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct als_golden golden;
        struct csr train;
        struct csr test;
        struct als_model model;

        als_golden_init(&golden, variants[i]);
        print_message("%s\n", variants[i]);
        assert_int_equal(evaluate_split(&train, &test, &golden.values, TRAIN_FRACTION, SPLIT_SEED, NULL), ERR_OK);
        check_mask(&golden, &train, &test);
        assert_int_equal(als_train(&model, &train, &params, NULL, NULL, NULL), ERR_OK);
        check_metrics(&golden, &model, &train, &test);
        als_model_fini(&model);
        csr_fini(&train);
        csr_fini(&test);
        als_golden_fini(&golden);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_the_golden_split_are_those_of_implicit),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
