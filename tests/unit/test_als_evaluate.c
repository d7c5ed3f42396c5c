#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/baselines.h"
#include "worker/als/evaluate.h"
#include "worker/als/pcg64.h"

enum { USERS = 40, ITEMS = 30, K = 6 };

/* Metrics */

/* The formulas once more, from sets as arrays of flags. */
static struct evaluate_metrics evaluate_plainly(const struct als_lists *lists, const struct csr *test, size_t k)
{
    struct evaluate_metrics out = {0};
    double hits_of_all = 0;
    double possible = 0;

    for (size_t user = 0; user < test->rows; user++) {
        bool held_out[ITEMS] = {false};
        double n = 0;
        double hits = 0;
        double misses = 0;
        double map = 0;
        double gain = 0;
        double ideal = 0;
        double area = 0;
        double most;

        for (int64_t i = test->offsets[user]; i < test->offsets[user + 1]; i++, n++)
            held_out[test->columns[i]] = true;
        if (n == 0)
            continue;
        most = fmin((double)k, n);
        for (size_t i = 0; i < k && i < (size_t)lists->counts[user]; i++) {
            bool hit = held_out[lists->items[user * lists->n + i]];

            hits += hit;
            misses += !hit;
            map += hit ? hits / (double)(i + 1) : 0;
            gain += hit ? log(2) / log((double)i + 2) : 0;
            area += hit ? 0 : hits;
        }
        for (size_t i = 0; i < (size_t)most; i++)
            ideal += log(2) / log((double)i + 2);
        area += (hits + n) / 2 * (ITEMS - n - misses);
        out.users++;
        out.map += map / most;
        out.ndcg += gain / ideal;
        out.auc += area / (n * (ITEMS - n));
        hits_of_all += hits;
        possible += most;
    }
    out.precision = hits_of_all / possible;
    out.map /= (double)out.users;
    out.ndcg /= (double)out.users;
    out.auc /= (double)out.users;
    return out;
}

/* Lists of different items, shorter than K for every fifth user. */
static void fill_lists(struct als_lists *lists)
{
    struct pcg64 generator;

    pcg64_seed(&generator, 9);
    assert_int_equal(als_lists_init(lists, USERS, K, NULL), ERR_OK);
    for (size_t user = 0; user < USERS; user++) {
        int32_t start = (int32_t)(pcg64_next(&generator) % ITEMS);

        lists->counts[user] = user % 5 == 0 ? 2 : K;
        for (int32_t i = 0; i < lists->counts[user]; i++)
            lists->items[user * K + (size_t)i] = (start + 7 * i) % ITEMS;
    }
}

static void metrics_are_those_of_the_formulas(void **state)
{
    struct als_lists lists;
    struct csr test;

    (void)state;
    fill_lists(&lists);
    als_reference_random(&test, USERS, ITEMS, 0.2, 4);
    for (size_t k = 1; k <= K; k++) {
        struct evaluate_metrics expected = evaluate_plainly(&lists, &test, k);
        struct evaluate_metrics got;

        evaluate_lists(&got, &lists, &test, k);
        assert_int_equal(got.users, expected.users);
        assert_true(fabs(got.precision - expected.precision) < 1e-12);
        assert_true(fabs(got.map - expected.map) < 1e-12);
        assert_true(fabs(got.ndcg - expected.ndcg) < 1e-12);
        assert_true(fabs(got.auc - expected.auc) < 1e-12);
        assert_true(got.precision > 0 && got.precision < 1);
    }
    als_lists_fini(&lists);
    csr_fini(&test);
}

static void perfect_lists_score_one_and_no_test_scores_nothing(void **state)
{
    int32_t items[] = {3, 8};
    float scores[] = {2, 1};
    int32_t counts[] = {2};
    struct als_lists lists = {.rows = 1, .n = 2, .items = items, .scores = scores, .counts = counts};
    int64_t offsets[] = {0, 2};
    float values[] = {1, 1};
    struct csr test = {.rows = 1, .cols = ITEMS, .offsets = offsets, .columns = items, .values = values};
    struct evaluate_metrics metrics;

    (void)state;
    evaluate_lists(&metrics, &lists, &test, 2);
    assert_true(metrics.precision == 1 && metrics.map == 1 && metrics.ndcg == 1 && metrics.auc == 1);
    offsets[1] = 0;
    evaluate_lists(&metrics, &lists, &test, 2);
    assert_int_equal(metrics.users, 0);
    assert_true(metrics.precision == 0 && metrics.ndcg == 0);
}

static void a_split_has_every_entry_once(void **state)
{
    struct csr values;
    struct csr train;
    struct csr test;

    (void)state;
    als_reference_random(&values, USERS, ITEMS, 0.3, 5);
    assert_int_equal(evaluate_split(&train, &test, &values, 0.8, 123, NULL), ERR_OK);
    assert_int_equal(csr_nonzeros(&train) + csr_nonzeros(&test), csr_nonzeros(&values));
    assert_in_range(csr_nonzeros(&train), csr_nonzeros(&values) * 7 / 10, csr_nonzeros(&values) * 9 / 10);
    for (size_t user = 0; user < USERS; user++) {
        for (int64_t k = values.offsets[user]; k < values.offsets[user + 1]; k++)
            assert_true(csr_has(&train, user, values.columns[k]) != csr_has(&test, user, values.columns[k]));
    }
    csr_fini(&train);
    csr_fini(&test);
    csr_fini(&values);
}

/* Baselines */

/* scores[USERS x ITEMS] by plain loops over dense matrices. */
static void score_plainly(double *scores, const struct csr *train, const double *similar, bool ones)
{
    for (size_t user = 0; user < USERS; user++) {
        for (size_t j = 0; j < ITEMS; j++) {
            scores[user * ITEMS + j] = 0;
            for (int64_t k = train->offsets[user]; k < train->offsets[user + 1]; k++)
                scores[user * ITEMS + j] +=
                    (ones ? 1 : (double)train->values[k]) * similar[(size_t)train->columns[k] * ITEMS + j];
        }
    }
}

/* gram[ITEMS x ITEMS] of the columns, of ones or of the values */
static void gram_plainly(double *gram, const struct csr *train, bool ones)
{
    memset(gram, 0, sizeof(double) * ITEMS * ITEMS);
    for (size_t user = 0; user < USERS; user++) {
        for (int64_t k = train->offsets[user]; k < train->offsets[user + 1]; k++) {
            for (int64_t l = train->offsets[user]; l < train->offsets[user + 1]; l++)
                gram[train->columns[k] * ITEMS + train->columns[l]] +=
                    ones ? 1 : (double)train->values[k] * (double)train->values[l];
        }
    }
}

/* Gauss and Jordan, in place */
static void invert_plainly(double *a)
{
    double right[ITEMS * ITEMS] = {0};

    for (size_t i = 0; i < ITEMS; i++)
        right[i * ITEMS + i] = 1;
    for (size_t i = 0; i < ITEMS; i++) {
        double pivot = a[i * ITEMS + i];

        for (size_t j = 0; j < ITEMS; j++) {
            a[i * ITEMS + j] /= pivot;
            right[i * ITEMS + j] /= pivot;
        }
        for (size_t row = 0; row < ITEMS; row++) {
            double factor = a[row * ITEMS + i];

            for (size_t j = 0; row != i && j < ITEMS; j++) {
                a[row * ITEMS + j] -= factor * a[i * ITEMS + j];
                right[row * ITEMS + j] -= factor * right[i * ITEMS + j];
            }
        }
    }
    memcpy(a, right, sizeof right);
}

static void check_lists(const struct als_lists *lists, const struct csr *train, const double *scores)
{
    for (size_t user = 0; user < USERS; user++) {
        double last = INFINITY;

        for (size_t i = 0; i < (size_t)lists->counts[user]; i++) {
            int32_t item = lists->items[user * lists->n + i];
            double score = scores[user * ITEMS + (size_t)item];

            assert_int_equal(item % 2, 0); /* a candidate */
            assert_false(csr_has(train, user, item));
            assert_true(fabs((double)lists->scores[user * lists->n + i] - score) < 1e-4);
            assert_true(score <= last + 1e-4);
            last = score;
        }
        for (int32_t item = 0; item < ITEMS; item += 2) { /* nobody better was left out */
            size_t i = 0;

            while (i < (size_t)lists->counts[user] && lists->items[user * lists->n + i] != item)
                i++;
            if (i == (size_t)lists->counts[user] && !csr_has(train, user, item))
                assert_true(scores[user * ITEMS + (size_t)item] <= last + 1e-4);
        }
    }
}

static struct baseline_params params_of(const struct csr *train, int32_t *candidates)
{
    for (int32_t i = 0; i < ITEMS / 2; i++)
        candidates[i] = 2 * i;
    return (struct baseline_params){.train = train,
                                    .candidates = candidates,
                                    .candidate_count = ITEMS / 2,
                                    .n = K,
                                    .threads = 2,
                                    .ease_lambda = 20,
                                    .most_ease_bytes = 1 << 20};
}

static void baselines_are_those_of_plain_matrices(void **state)
{
    static double similar[ITEMS * ITEMS];
    static double scores[USERS * ITEMS];
    int32_t candidates[ITEMS / 2];
    struct csr train;
    struct baseline_params params;
    struct als_lists lists;

    (void)state;
    als_reference_random(&train, USERS, ITEMS, 0.25, 6);
    params = params_of(&train, candidates);

    gram_plainly(similar, &train, false);
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t j = 0; j < ITEMS; j++)
            scores[i * ITEMS + j] = similar[i * ITEMS + j] / sqrt(similar[i * ITEMS + i] * similar[j * ITEMS + j]);
    }
    memcpy(similar, scores, sizeof similar);
    score_plainly(scores, &train, similar, false);
    assert_int_equal(baseline_lists(&lists, BASELINE_ITEM_COSINE, &params, NULL), ERR_OK);
    check_lists(&lists, &train, scores);
    als_lists_fini(&lists);

    gram_plainly(similar, &train, true);
    for (size_t i = 0; i < ITEMS; i++)
        similar[i * ITEMS + i] += 20;
    invert_plainly(similar);
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t j = 0; j < ITEMS; j++)
            scores[i * ITEMS + j] = i == j ? 0 : -similar[i * ITEMS + j] / similar[j * ITEMS + j];
    }
    memcpy(similar, scores, sizeof similar);
    score_plainly(scores, &train, similar, true);
    assert_int_equal(baseline_lists(&lists, BASELINE_EASE, &params, NULL), ERR_OK);
    check_lists(&lists, &train, scores);
    als_lists_fini(&lists);
    csr_fini(&train);
}

static void popularity_lists_what_most_users_have(void **state)
{
    static double scores[USERS * ITEMS];
    int32_t candidates[ITEMS / 2];
    struct csr train;
    struct baseline_params params;
    struct als_lists lists;

    (void)state;
    als_reference_random(&train, USERS, ITEMS, 0.25, 7);
    params = params_of(&train, candidates);
    for (size_t k = 0; k < csr_nonzeros(&train); k++) {
        for (size_t user = 0; user < USERS; user++)
            scores[user * ITEMS + (size_t)train.columns[k]] += 1;
    }
    assert_int_equal(baseline_lists(&lists, BASELINE_POPULARITY, &params, NULL), ERR_OK);
    check_lists(&lists, &train, scores);
    als_lists_fini(&lists);
    csr_fini(&train);
}

static void ease_that_does_not_fit_is_refused_with_the_numbers(void **state)
{
    int32_t candidates[ITEMS / 2];
    struct csr train;
    struct baseline_params params;
    struct als_lists lists;
    struct err err;

    (void)state;
    als_reference_random(&train, USERS, ITEMS, 0.25, 8);
    params = params_of(&train, candidates);
    params.most_ease_bytes = ITEMS * ITEMS * sizeof(double) - 1;
    assert_int_equal(baseline_lists(&lists, BASELINE_EASE, &params, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "30 items"));
    csr_fini(&train);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_those_of_the_formulas),
        cmocka_unit_test(perfect_lists_score_one_and_no_test_scores_nothing),
        cmocka_unit_test(a_split_has_every_entry_once),
        cmocka_unit_test(baselines_are_those_of_plain_matrices),
        cmocka_unit_test(popularity_lists_what_most_users_have),
        cmocka_unit_test(ease_that_does_not_fit_is_refused_with_the_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
