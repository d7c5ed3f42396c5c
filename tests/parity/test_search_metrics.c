/*
 * What a search measures on the golden matrices: its random split is the golden mask bit for bit, its five metrics are
 * those of `implicit` from the same start, and to 1e-9 those of a plain second implementation on the same lists.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_golden.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/json_value.h"
#include "worker/pipeline/holdout_split.h"
#include "worker/pipeline/measure.h"
#include "worker/pipeline/search_results.h"

enum { FILE_BYTES = 1 << 20, SEED = 42 };

static const char *const variants[] = {"online_retail/intended", "retailrocket/intended"};
static const size_t lengths[] = {SEARCH_K, SEARCH_SHORT_K};

static char *read_file(const char *variant, const char *name, size_t *length)
{
    char *path = str_format("%s/golden/%s/%s", als_golden_root(), variant, name);
    char *bytes = mem_zeroed(FILE_BYTES, 1);
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;

    if (file == NULL || bytes == NULL)
        fail_msg("cannot open %s", path);
    *length = fread(bytes, 1, FILE_BYTES - 1, file);
    (void)fclose(file);
    free(path);
    return bytes;
}

/* The golden matrix as the pipeline has it: BM25 was there before the split. */
static void make_matrix(struct matrix *out, const struct als_golden *golden)
{
    size_t pairs = csr_nonzeros(&golden->values);

    *out = (struct matrix){.users = golden->users, .products = golden->items, .pairs = pairs, .values = golden->values};
    out->raw = mem_zeroed(pairs, sizeof *out->raw);
    out->bm25 = mem_zeroed(pairs, sizeof *out->bm25);
    assert_true(out->raw != NULL && out->bm25 != NULL);
    for (size_t k = 0; k < pairs; k++)
        out->bm25[k] = out->raw[k] = (double)golden->values.values[k];
}

static void check_mask(const struct als_golden *golden, const struct holdout *holdout)
{
    size_t length;
    char *mask = read_file(golden->variant, "split_mask.bin", &length);
    size_t k = 0;

    assert_int_equal(length, (csr_nonzeros(&golden->values) + 7) / 8);
    for (size_t row = 0; row < golden->users; row++) {
        for (int64_t i = golden->values.offsets[row]; i < golden->values.offsets[row + 1]; i++, k++) {
            bool training = ((unsigned char)mask[k / 8] >> (7 - k % 8) & 1) != 0;

            assert_true(csr_has(&holdout->train.values, row, golden->values.columns[i]) == training);
            assert_true(csr_has(&holdout->test, row, golden->values.columns[i]) == !training);
        }
    }
    free(mask);
}

/* The formulas of golden/README.md once more, with flags instead of sorted lists. */
static void evaluate_plainly(struct evaluate_metrics *out, const struct als_lists *lists, const struct csr *test,
                             size_t k)
{
    bool *held_out = mem_zeroed(test->cols, sizeof *held_out);
    double all_hits = 0;
    double possible = 0;

    *out = (struct evaluate_metrics){0};
    assert_non_null(held_out);
    for (size_t user = 0; user < test->rows; user++) {
        double n = (double)(test->offsets[user + 1] - test->offsets[user]);
        double hits = 0;
        double misses = 0;
        double area = 0;
        double average = 0;
        double gain = 0;
        double ideal = 0;

        if (n == 0)
            continue;
        for (int64_t i = test->offsets[user]; i < test->offsets[user + 1]; i++)
            held_out[test->columns[i]] = true;
        for (size_t rank = 1; rank <= k; rank++) {
            ideal += (double)rank <= n ? log(2) / log((double)rank + 1) : 0;
            if (rank > (size_t)lists->counts[user])
                continue;
            if (held_out[lists->items[user * lists->n + rank - 1]]) {
                hits += 1;
                average += hits / (double)rank;
                gain += log(2) / log((double)rank + 1);
            } else {
                misses += 1;
                area += hits;
            }
        }
        area += (hits + n) / 2 * ((double)test->cols - n - misses);
        for (int64_t i = test->offsets[user]; i < test->offsets[user + 1]; i++)
            held_out[test->columns[i]] = false;
        out->users++;
        all_hits += hits;
        possible += fmin((double)k, n);
        out->map += average / fmin((double)k, n);
        out->ndcg += gain / ideal;
        out->auc += area / (n * ((double)test->cols - n));
    }
    out->precision = all_hits / possible;
    out->map /= (double)out->users;
    out->ndcg /= (double)out->users;
    out->auc /= (double)out->users;
    free(held_out);
}

static void assert_close(const char *name, double value, double expected, double most)
{
    print_message("  %-12s %.12f, expected %.12f\n", name, value, expected);
    assert_true(fabs(value - expected) <= most);
}

/* got[i]: of lists of lengths[i]; each list is made once more and looked at plainly. */
static void check_plainly(const struct evaluate_metrics *got, const struct measure *measure,
                          const struct als_model *model)
{
    for (size_t i = 0; i < 2; i++) {
        struct evaluate_metrics plain;
        struct als_lists lists;

        assert_int_equal(als_top_new_items(&lists, model, &measure->holdout->train.values, measure->candidates,
                                           model->items, lengths[i], 0, NULL),
                         ERR_OK);
        evaluate_plainly(&plain, &lists, &measure->holdout->test, lengths[i]);
        assert_int_equal(got[i].users, plain.users);
        assert_close("precision", got[i].precision, plain.precision, 1e-9);
        assert_close("map", got[i].map, plain.map, 1e-9);
        assert_close("ndcg", got[i].ndcg, plain.ndcg, 1e-9);
        assert_close("auc", got[i].auc, plain.auc, 1e-9);
        als_lists_fini(&lists);
    }
}

static void check_golden(const struct als_golden *golden, const struct evaluate_metrics *got)
{
    struct search_metrics metrics = search_metrics_of(&got[0], &got[1]);
    const double values[] = {metrics.precision, metrics.precision_short, metrics.map, metrics.ndcg, metrics.auc};
    static const char *const names[] = {"precision@10", "precision@5", "map@10", "ndcg@10", "auc@10"};
    size_t length;
    char *text = read_file(golden->variant, "als64.json", &length);
    struct json *file = NULL;
    const struct json *run;

    assert_int_equal(json_value_parse(&file, text, length, NULL), ERR_OK);
    run = json_value_at(json_value_get(json_value_get(file, "evaluation"), "runs"), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        double expected = NAN;

        assert_true(json_value_get_double(run, names[i], &expected));
        assert_close(names[i], values[i], expected, .003);
    }
    json_value_destroy(file);
    free(text);
}

static void a_search_measures_as_the_golden_data_were(void **state)
{
    static const struct als_params als64 = {.solver = ALS_SOLVER_CG,
                                            .factors = 64,
                                            .regularization = 0.01,
                                            .alpha = 40,
                                            .iterations = 15,
                                            .cg_steps = 3,
                                            .seed = SEED};
    static const struct holdout_split_params split = {.bm25_before = true, .train_fraction = .8, .seed = 123};

    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct evaluate_metrics metrics[2];
        struct als_golden golden;
        struct matrix matrix;
        struct holdout holdout;
        struct measure measure;
        struct als_model model;

        als_golden_init(&golden, variants[i]);
        print_message("%s\n", variants[i]);
        make_matrix(&matrix, &golden);
        assert_int_equal(holdout_random(&holdout, &matrix, &split, NULL), ERR_OK);
        check_mask(&golden, &holdout);
        assert_int_equal(als_train(&model, &holdout.train.values, &als64, NULL, NULL, NULL), ERR_OK);
        assert_int_equal(measure_init(&measure, &holdout, 0, NULL), ERR_OK);
        assert_int_equal(measure_model(metrics, lengths, 2, &measure, &model, NULL), ERR_OK);
        check_golden(&golden, metrics);
        check_plainly(metrics, &measure, &model);
        measure_fini(&measure);
        als_model_fini(&model);
        holdout_fini(&holdout);
        free(matrix.raw);
        free(matrix.bm25);
        als_golden_fini(&golden);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_search_measures_as_the_golden_data_were)};

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
