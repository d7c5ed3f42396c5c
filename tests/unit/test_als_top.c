#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/als.h"

/* More rows than a tile has, and more candidates. */
enum { USERS = 300, ITEMS = 900, FACTORS = 6, N = 18 };

struct fixture {
    struct als_model model;
    int32_t *candidates; /* every item that 7 does not divide */
    size_t candidate_count;
};

/* Small whole numbers: scores are exact, and many are equal. */
static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct als_model *model;

    assert_non_null(fixture);
    model = &fixture->model;
    *model = (struct als_model){.users = USERS, .items = ITEMS, .factors = FACTORS};
    model->x = mem_zeroed((size_t)USERS * FACTORS, sizeof(float));
    model->y = mem_zeroed((size_t)ITEMS * FACTORS, sizeof(float));
    fixture->candidates = mem_zeroed(ITEMS, sizeof(int32_t));
    assert_true(model->x != NULL && model->y != NULL && fixture->candidates != NULL);
    als_reference_fill(model->x, (size_t)USERS * FACTORS, 3.4F, 1);
    als_reference_fill(model->y, (size_t)ITEMS * FACTORS, 3.4F, 2);
    for (size_t i = 0; i < (size_t)USERS * FACTORS; i++)
        model->x[i] = rintf(model->x[i]);
    for (size_t i = 0; i < (size_t)ITEMS * FACTORS; i++)
        model->y[i] = rintf(model->y[i]);
    memset(model->x + 5 * FACTORS, 0, FACTORS * sizeof(float));  /* a user without entries */
    memset(model->y + 8 * FACTORS, 0, FACTORS * sizeof(float));  /* an item without entries, and a candidate */
    memset(model->y + 14 * FACTORS, 0, FACTORS * sizeof(float)); /* and no candidate */
    for (int32_t item = 0; item < ITEMS; item++) {
        if (item % 7 != 0)
            fixture->candidates[fixture->candidate_count++] = item;
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    als_model_fini(&fixture->model);
    free(fixture->candidates);
    free(fixture);
    return 0;
}

static double dot(const float *a, const float *b)
{
    double sum = 0;

    for (size_t k = 0; k < FACTORS; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* Picks the best not yet listed, n times. scores[candidate]: NAN for one that does not count. */
static void check_list(const struct als_lists *lists, size_t row, const struct fixture *fixture, double *scores,
                       double tolerance)
{
    size_t count = 0;

    for (;; count++) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < fixture->candidate_count; i++) {
            if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best] + tolerance))
                best = i;
        }
        if (best == SIZE_MAX || count == lists->n)
            break;
        assert_true((int32_t)count < lists->counts[row]);
        assert_true(fabs((double)lists->scores[row * lists->n + count] - scores[best]) <= tolerance);
        if (tolerance == 0) {
            assert_int_equal(lists->items[row * lists->n + count], fixture->candidates[best]);
        }
        scores[best] = NAN;
    }
    assert_int_equal(lists->counts[row], count);
}

static void check_top(const struct fixture *fixture, size_t n, int threads)
{
    struct als_lists lists;
    double *scores = mem_zeroed(ITEMS, sizeof *scores);

    assert_non_null(scores);
    assert_int_equal(
        als_top_items(&lists, &fixture->model, fixture->candidates, fixture->candidate_count, n, threads, NULL),
        ERR_OK);
    assert_int_equal(lists.rows, USERS);
    assert_int_equal(lists.n, n);
    for (size_t user = 0; user < USERS; user++) {
        for (size_t i = 0; i < fixture->candidate_count; i++)
            scores[i] =
                dot(fixture->model.x + user * FACTORS, fixture->model.y + (size_t)fixture->candidates[i] * FACTORS);
        check_list(&lists, user, fixture, scores, 0);
    }
    als_lists_fini(&lists);
    free(scores);
}

static void top_items_are_the_best_with_ties_by_index(void **state)
{
    check_top(*state, N, 1);
    check_top(*state, 1, 4);
}

static void fewer_candidates_give_shorter_lists(void **state)
{
    struct fixture *fixture = *state;

    fixture->candidate_count = 7;
    check_top(fixture, N, 2);
    fixture->candidate_count = 0;
    check_top(fixture, N, 2);
}

static void a_user_of_zeros_gets_the_first_candidates(void **state)
{
    struct fixture *fixture = *state;
    struct als_lists lists;

    assert_int_equal(als_top_items(&lists, &fixture->model, fixture->candidates, fixture->candidate_count, N, 2, NULL),
                     ERR_OK);
    assert_memory_equal(lists.items + 5 * (size_t)N, fixture->candidates, N * sizeof(int32_t));
    als_lists_fini(&lists);
}

static void check_similar(const struct fixture *fixture, size_t n, float floor)
{
    struct als_lists lists;
    double *scores = mem_zeroed(ITEMS, sizeof *scores);

    assert_non_null(scores);
    assert_int_equal(
        als_similar_items(&lists, &fixture->model, fixture->candidates, fixture->candidate_count, n, floor, 2, NULL),
        ERR_OK);
    assert_int_equal(lists.rows, ITEMS);
    for (size_t item = 0; item < ITEMS; item++) {
        const float *y = fixture->model.y + item * FACTORS;

        for (size_t i = 0; i < fixture->candidate_count; i++) {
            size_t other = (size_t)fixture->candidates[i];
            const float *z = fixture->model.y + other * FACTORS;

            scores[i] = dot(y, z) / sqrt(dot(y, y) * dot(z, z));
            if (other == item || isnan(scores[i]) || scores[i] < (double)floor)
                scores[i] = NAN;
        }
        check_list(&lists, item, fixture, scores, 1e-6);
    }
    als_lists_fini(&lists);
    free(scores);
}

static void similar_items_are_the_nearest_above_the_floor(void **state)
{
    check_similar(*state, 10, 0.8001F);
    check_similar(*state, 3, -2);
}

static void an_item_is_not_similar_to_itself_nor_to_one_of_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct als_lists lists;

    assert_int_equal(
        als_similar_items(&lists, &fixture->model, fixture->candidates, fixture->candidate_count, ITEMS, -2, 2, NULL),
        ERR_OK);
    assert_int_equal(lists.counts[8], 0);
    assert_int_equal(lists.counts[14], 0);
    assert_int_equal(lists.counts[1], fixture->candidate_count - 2); /* without itself and the one of zeros */
    assert_true(lists.counts[7] < (int32_t)fixture->candidate_count);
    for (size_t item = 0; item < ITEMS; item++) {
        for (int32_t i = 0; i < lists.counts[item]; i++) {
            int32_t other = lists.items[item * ITEMS + (size_t)i];

            assert_true(other != (int32_t)item && other != 8 && other % 7 != 0);
        }
    }
    als_lists_fini(&lists);
}

static void bad_requests_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const int32_t descending[] = {3, 2};
    static const int32_t outside[] = {ITEMS};
    struct als_lists lists;
    struct err err;

    assert_int_equal(als_top_items(&lists, &fixture->model, descending, 2, N, 1, &err), ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "candidate 2"));
    assert_null(lists.items);
    assert_int_equal(als_top_items(&lists, &fixture->model, outside, 1, N, 1, &err), ERR_ARGUMENT);
    assert_int_equal(als_top_items(&lists, &fixture->model, outside, 0, 0, 1, &err), ERR_ARGUMENT);
    assert_int_equal(als_top_items(&lists, &fixture->model, outside, 0, N, -1, &err), ERR_ARGUMENT);
    assert_int_equal(als_similar_items(&lists, &fixture->model, outside, 0, N, NAN, 1, &err), ERR_ARGUMENT);
    assert_null(lists.items);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(top_items_are_the_best_with_ties_by_index),
        TEST(fewer_candidates_give_shorter_lists),
        TEST(a_user_of_zeros_gets_the_first_candidates),
        TEST(similar_items_are_the_nearest_above_the_floor),
        TEST(an_item_is_not_similar_to_itself_nor_to_one_of_zeros),
        TEST(bad_requests_are_refused),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
