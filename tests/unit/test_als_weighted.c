/* A side of many more rows than the other, whose factors are sums by weights. */
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
#include "worker/als/cpu/weighted_rows.h"

enum { LONG = 1200, SHORT = 90, FACTORS = 24, ITERATIONS = 3, HEAVY_EVERY = 100, HEAVY_ENTRIES = 60 };

static const struct als_params usual = {.solver = ALS_SOLVER_EXACT,
                                        .factors = FACTORS,
                                        .regularization = 0.1,
                                        .alpha = 800,
                                        .iterations = ITERATIONS,
                                        .cg_steps = 3,
                                        .seed = 42,
                                        .threads = 2};

/* c = 1600, .4, 1, 40 and 1200 of preference 0 */
static const float by_turns[] = {2, 0.0005F, 1 / 800.0F, 0.05F, -1.5F};

enum { TURNS = sizeof by_turns / sizeof by_turns[0] };

struct fixture {
    struct csr tall; /* LONG x SHORT: rows of no, one or two entries, and a few of many */
    struct csr wide; /* its transpose */
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    float *values = mem_zeroed((size_t)LONG * SHORT, sizeof *values);

    assert_true(fixture != NULL && values != NULL);
    for (size_t i = 0; i < (size_t)LONG * SHORT; i++)
        values[i] = NAN;
    for (size_t row = 0; row < LONG; row++) {
        size_t entries = row % HEAVY_EVERY == 0 ? HEAVY_ENTRIES : row % 3;

        for (size_t j = 0; j < entries; j++)
            values[row * SHORT + (row * 7 + j * 13) % SHORT] = by_turns[(row / 2 + j) % TURNS];
    }
    als_reference_csr(&fixture->tall, values, LONG, SHORT);
    free(values);
    assert_int_equal(csr_transpose(&fixture->wide, &fixture->tall, NULL), ERR_OK);
    assert_true(weighted_rows_pay(LONG, SHORT, csr_nonzeros(&fixture->tall), FACTORS));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    csr_fini(&fixture->tall);
    csr_fini(&fixture->wide);
    free(fixture);
    return 0;
}

static void check_beside_cholesky(const struct csr *values)
{
    struct als_params params = usual;
    struct als_model exact;
    struct als_model dense;
    double loss[ITERATIONS];
    double expected[ITERATIONS];

    als_reference_train(&exact, values, &params, loss);
    params.solver = ALS_SOLVER_CHOLESKY;
    als_reference_train(&dense, values, &params, expected);
    for (size_t i = 0; i < ITERATIONS; i++)
        assert_true(fabs(loss[i] / expected[i] - 1) < 1e-5);
    assert_true(als_reference_distance(exact.x, dense.x, exact.users * FACTORS) < 1e-4);
    assert_true(als_reference_distance(exact.y, dense.y, exact.items * FACTORS) < 1e-4);
    assert_true(fabs(loss[ITERATIONS - 1] / als_reference_loss(values, exact.x, exact.y, &params) - 1) < 1e-6);
    als_model_fini(&exact);
    als_model_fini(&dense);
}

static void many_users_are_solved_by_their_weights(void **state)
{
    const struct fixture *fixture = *state;

    check_beside_cholesky(&fixture->tall);
}

static void many_items_are_solved_by_their_weights(void **state)
{
    const struct fixture *fixture = *state;

    check_beside_cholesky(&fixture->wide);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct als_params params = usual;
    struct als_model one;
    struct als_model three;

    params.threads = 1;
    als_reference_train(&one, &fixture->tall, &params, NULL);
    params.threads = 3;
    als_reference_train(&three, &fixture->tall, &params, NULL);
    assert_memory_equal(one.x, three.x, sizeof(float) * LONG * FACTORS);
    assert_memory_equal(one.y, three.y, sizeof(float) * SHORT * FACTORS);
    als_model_fini(&one);
    als_model_fini(&three);
}

/* The sums are of the factors' last half-sweep, whichever came before. */
static void half_sweeps_may_come_in_any_order(void **state)
{
    static const enum als_side order[] = {ALS_SIDE_USERS, ALS_SIDE_USERS, ALS_SIDE_ITEMS,
                                          ALS_SIDE_ITEMS, ALS_SIDE_USERS, ALS_SIDE_ITEMS};
    const struct fixture *fixture = *state;
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
    static float x[2][LONG * FACTORS];
    static float y[2][SHORT * FACTORS];

    for (size_t solver = 0; solver < 2; solver++) {
        struct als_params params = usual;
        const struct als_problem problem = {
            .by_user = &fixture->tall, .by_item = &fixture->wide, .params = &params, .x = x[solver], .y = y[solver]};
        struct als_training *training = NULL;

        params.solver = solver == 0 ? ALS_SOLVER_EXACT : ALS_SOLVER_CHOLESKY;
        als_reference_fill(x[solver], LONG * FACTORS, 0.3F, 8);
        als_reference_fill(y[solver], SHORT * FACTORS, 0.3F, 9);
        assert_int_equal(backend->create(&training, &problem, NULL), ERR_OK);
        for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
            assert_int_equal(backend->half_sweep(training, order[i], NULL), ERR_OK);
        backend->destroy(training);
    }
    assert_true(als_reference_distance(x[0], x[1], LONG * FACTORS) < 1e-4);
    assert_true(als_reference_distance(y[0], y[1], SHORT * FACTORS) < 1e-4);
}

static void sums_that_cost_more_than_they_save_are_not_taken(void **state)
{
    (void)state;
    assert_false(weighted_rows_pay(90, 1200, 10, 800));
    assert_false(weighted_rows_pay(4000, 4000, 10, 800));
    assert_false(weighted_rows_pay(20000, 8000, 400000, 64));
    assert_true(weighted_rows_pay(20000, 8000, 400000, 800));
    assert_false(weighted_rows_pay(20000, 8000, 4000000, 800));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(many_users_are_solved_by_their_weights),
        TEST(many_items_are_solved_by_their_weights),
        TEST(the_number_of_threads_changes_nothing),
        TEST(half_sweeps_may_come_in_any_order),
        cmocka_unit_test(sums_that_cost_more_than_they_save_are_not_taken),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
