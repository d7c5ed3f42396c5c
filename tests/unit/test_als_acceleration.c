/* Momentum of the items' factors from iteration to iteration. */
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
#include "worker/als/als_backend.h"
#include "worker/als/pcg64.h"

enum { USERS = 400, ITEMS = 150, FACTORS = 16, MANY_FACTORS = 200, ITERATIONS = 40 };

static const struct als_params accelerated = {.solver = ALS_SOLVER_EXACT,
                                              .factors = FACTORS,
                                              .regularization = 0.005,
                                              .acceleration = true,
                                              .alpha = 800,
                                              .iterations = ITERATIONS,
                                              .cg_steps = 3,
                                              .seed = 42,
                                              .threads = 2};

/* Confidences from .001 to 1000, as many below 1 as above. */
static int set_up(void **state)
{
    struct csr *values = mem_zeroed(1, sizeof *values);
    float *cells = mem_zeroed((size_t)USERS * ITEMS, sizeof *cells);
    struct pcg64 generator;

    assert_non_null(values);
    assert_non_null(cells);
    pcg64_seed(&generator, 3);
    for (size_t i = 0; i < (size_t)USERS * ITEMS; i++) {
        bool is_entry = pcg64_next_float(&generator) < 0.08F;

        cells[i] = is_entry ? powf(10, 6 * pcg64_next_float(&generator) - 3) / 800 : NAN;
    }
    als_reference_csr(values, cells, USERS, ITEMS);
    free(cells);
    *state = values;
    return 0;
}

static int tear_down(void **state)
{
    csr_fini(*state);
    free(*state);
    return 0;
}

static void train_loss(double *loss, const struct csr *values, const struct als_params *params)
{
    struct als_model model;

    als_reference_train(&model, values, params, loss);
    als_model_fini(&model);
}

static size_t iterations_to(const double *loss, double target)
{
    size_t count = 0;

    while (count < ITERATIONS && !(loss[count] <= target))
        count++;
    return count + 1;
}

static void a_loss_is_reached_in_fewer_iterations(void **state)
{
    static const double regularizations[] = {0.005, 1};

    for (size_t i = 0; i < 2; i++) {
        struct als_params params = accelerated;
        double fast[ITERATIONS];
        double plain[ITERATIONS];
        size_t needed;

        params.regularization = regularizations[i];
        train_loss(fast, *state, &params);
        params.acceleration = false;
        train_loss(plain, *state, &params);
        needed = iterations_to(fast, plain[29]);
        if (needed > 20)
            fail_msg("lambda %g: %zu iterations instead of 30", params.regularization, needed);
    }
}

static void check_loss_falls(const struct csr *values, const struct als_params *params)
{
    double loss[ITERATIONS];

    train_loss(loss, values, params);
    for (int i = 1; i < ITERATIONS; i++) {
        if (!(loss[i] <= loss[i - 1] * (1 + 1e-9)))
            fail_msg("%d factors, lambda %g: %.12g after %.12g in iteration %d", params->factors,
                     params->regularization, loss[i], loss[i - 1], i + 1);
    }
}

/* So little data that some steps go too far. */
static void the_loss_never_rises(void **state)
{
    static const double regularizations[] = {0.005, 1, 30, 0.01};
    struct csr values;

    (void)state;
    als_reference_random(&values, 60, 40, 0.12, 5);
    for (size_t i = 0; i < 4; i++) {
        struct als_params params = accelerated;

        params.regularization = regularizations[i];
        params.regularization_scaling = i < 3 ? ALS_SCALING_NONE : ALS_SCALING_FREQUENCY;
        for (params.factors = 4; params.factors <= 32; params.factors *= 2)
            check_loss_falls(&values, &params);
    }
    csr_fini(&values);
}

/* Whether an iteration of the accelerated training is that of a plain one from the model before. */
static bool is_plain(const struct csr *values, struct als_params params, int iteration, double expected)
{
    struct als_model before;
    struct als_model after;
    struct als_start start;
    double loss[ITERATIONS];

    params.iterations = iteration - 1;
    als_reference_train(&before, values, &params, NULL);
    start = (struct als_start){.x = before.x, .y = before.y};
    params.iterations = 1;
    assert_int_equal(als_train_from(&after, values, &params, &start, NULL, loss, NULL), ERR_OK);
    als_model_fini(&before);
    als_model_fini(&after);
    return fabs(loss[0] / expected - 1) < 1e-9;
}

/* So that it begins where the one before ended, and the next one does too. */
static void a_step_too_far_is_taken_back(void **state)
{
    struct als_params params = accelerated;
    struct csr values;
    double loss[ITERATIONS];
    int in_a_row = 0;

    (void)state;
    als_reference_random(&values, 60, 40, 0.12, 5);
    params.factors = 32;
    params.regularization = 1;
    train_loss(loss, &values, &params);
    assert_true(is_plain(&values, params, 2, loss[1]));
    for (int i = 3; i <= ITERATIONS && in_a_row < 2; i++)
        in_a_row = is_plain(&values, params, i, loss[i - 1]) ? in_a_row + 1 : 0;
    assert_int_equal(in_a_row, 2);
    csr_fini(&values);
}

static void the_loss_is_that_of_the_model(void **state)
{
    for (int iterations = 3; iterations < 6; iterations++) {
        struct als_params params = accelerated;
        struct als_model model;
        double loss[ITERATIONS];

        params.iterations = iterations;
        als_reference_train(&model, *state, &params, loss);
        assert_true(fabs(loss[iterations - 1] / als_reference_loss(*state, model.x, model.y, &params) - 1) < 1e-6);
        als_model_fini(&model);
    }
}

static void the_first_two_iterations_are_plain(void **state)
{
    struct als_params params = accelerated;
    double fast[ITERATIONS];
    double plain[ITERATIONS];

    params.iterations = 3;
    train_loss(fast, *state, &params);
    params.acceleration = false;
    train_loss(plain, *state, &params);
    assert_true(fast[0] == plain[0]);
    assert_true(fast[1] == plain[1]);
    assert_true(fast[2] < plain[2]);
}

static void check_beside_cholesky(const struct csr *values, int factors)
{
    struct als_params params = accelerated;
    struct als_model exact;
    struct als_model dense;

    params.factors = factors;
    params.regularization = 10;
    params.iterations = 5;
    als_reference_train(&exact, values, &params, NULL);
    params.solver = ALS_SOLVER_CHOLESKY;
    als_reference_train(&dense, values, &params, NULL);
    assert_true(als_reference_distance(exact.x, dense.x, exact.users * exact.factors) < 1e-3);
    assert_true(als_reference_distance(exact.y, dense.y, exact.items * exact.factors) < 1e-3);
    als_model_fini(&exact);
    als_model_fini(&dense);
}

/* With many factors a side of more rows has its factors by weights, which a step leaves behind. */
static void exact_and_cholesky_take_the_same_steps(void **state)
{
    const struct csr *tall = *state;
    struct csr wide;

    assert_int_equal(csr_transpose(&wide, tall, NULL), ERR_OK);
    check_beside_cholesky(tall, FACTORS);
    check_beside_cholesky(tall, MANY_FACTORS);
    check_beside_cholesky(&wide, MANY_FACTORS);
    csr_fini(&wide);
}

static void same_seed_gives_the_same_bytes_with_any_number_of_threads(void **state)
{
    static const int threads[] = {1, 1, 3};
    struct als_model models[3];

    for (size_t i = 0; i < 3; i++) {
        struct als_params params = accelerated;

        params.threads = threads[i];
        als_reference_train(&models[i], *state, &params, NULL);
        assert_memory_equal(models[i].x, models[0].x, sizeof(float) * USERS * FACTORS);
        assert_memory_equal(models[i].y, models[0].y, sizeof(float) * ITEMS * FACTORS);
    }
    for (size_t i = 0; i < 3; i++)
        als_model_fini(&models[i]);
}

static void steps_lead_ahead_and_back(void **state)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
    struct als_params params = accelerated;
    static float x[USERS * FACTORS];
    static float y[ITEMS * FACTORS];
    static float first[ITEMS * FACTORS];
    static float second[ITEMS * FACTORS];
    struct csr by_item;
    struct als_training *training = NULL;
    struct als_problem problem = {.by_user = *state, .by_item = &by_item, .params = &params, .x = x, .y = y};

    assert_int_equal(csr_transpose(&by_item, *state, NULL), ERR_OK);
    assert_int_equal(backend->create(&training, &problem, NULL), ERR_OK);
    als_reference_fill(first, ITEMS * FACTORS, 0.3F, 8);
    als_reference_fill(second, ITEMS * FACTORS, 0.3F, 9);
    memcpy(y, first, sizeof y);
    assert_int_equal(backend->step_ahead(training, 0, NULL), ERR_OK);
    assert_memory_equal(y, first, sizeof y);
    memcpy(y, second, sizeof y);
    assert_int_equal(backend->step_ahead(training, 0.5F, NULL), ERR_OK);
    for (size_t i = 0; i < (size_t)ITEMS * FACTORS; i++)
        assert_true(fabsf(y[i] - (1.5F * second[i] - 0.5F * first[i])) < 1e-6F);
    assert_int_equal(backend->step_back(training, NULL), ERR_OK);
    assert_memory_equal(y, second, sizeof y);
    backend->destroy(training);
    csr_fini(&by_item);
}

/* And not with what was known of them before the step. */
static void users_are_solved_from_the_items_ahead(void **state)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
    const struct csr *by_user = *state;
    struct als_params params = accelerated;
    static float x[USERS * FACTORS];
    static float y[ITEMS * FACTORS];
    static double gram[FACTORS * FACTORS];
    double expected[FACTORS];
    double loss;
    struct csr by_item;
    struct als_training *training = NULL;
    struct als_problem problem = {.by_user = by_user, .by_item = &by_item, .params = &params, .x = x, .y = y};

    assert_int_equal(csr_transpose(&by_item, by_user, NULL), ERR_OK);
    als_reference_fill(y, ITEMS * FACTORS, 0.3F, 8);
    assert_int_equal(backend->create(&training, &problem, NULL), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(backend->half_sweep(training, ALS_SIDE_USERS, NULL), ERR_OK);
        assert_int_equal(backend->half_sweep(training, ALS_SIDE_ITEMS, NULL), ERR_OK);
        assert_int_equal(backend->loss(training, &loss, NULL), ERR_OK);
        assert_int_equal(i < 2 ? backend->step_ahead(training, (float)i, NULL) : backend->step_back(training, NULL),
                         ERR_OK);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(backend->half_sweep(training, ALS_SIDE_USERS, NULL), ERR_OK);
        als_reference_gram(gram, y, ITEMS, FACTORS);
        for (size_t row = 0; row < USERS; row++) {
            als_reference_row(expected, by_user, row, y, gram, &params);
            assert_true(als_reference_error(x + row * FACTORS, expected, FACTORS) < 1e-3);
        }
        assert_int_equal(backend->step_ahead(training, 1, NULL), ERR_OK);
    }
    backend->destroy(training);
    csr_fini(&by_item);
}

static void it_ends_by_a_tolerance(void **state)
{
    struct als_params params = accelerated;
    double loss[ITERATIONS];

    params.tolerance = 0.01;
    train_loss(loss, *state, &params);
    assert_true(!isnan(loss[2]));
    assert_true(isnan(loss[ITERATIONS - 1]));
}

static void with_cg_it_is_refused(void **state)
{
    struct als_params params = accelerated;
    struct als_model model;
    struct err err = {0};

    params.solver = ALS_SOLVER_CG;
    assert_int_equal(als_train(&model, *state, &params, NULL, NULL, &err), ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "acceleration"));
    assert_null(model.x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loss_is_reached_in_fewer_iterations),
        TEST(the_loss_never_rises),
        TEST(a_step_too_far_is_taken_back),
        TEST(the_loss_is_that_of_the_model),
        TEST(the_first_two_iterations_are_plain),
        TEST(exact_and_cholesky_take_the_same_steps),
        TEST(same_seed_gives_the_same_bytes_with_any_number_of_threads),
        TEST(steps_lead_ahead_and_back),
        TEST(users_are_solved_from_the_items_ahead),
        TEST(it_ends_by_a_tolerance),
        TEST(with_cg_it_is_refused),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
