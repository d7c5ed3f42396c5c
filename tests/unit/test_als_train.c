#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/als.h"
#include "worker/als/pcg64.h"

enum { USERS = 150, ITEMS = 90, FACTORS = 20, ITERATIONS = 4 };

static const struct als_params usual = {.solver = ALS_SOLVER_EXACT,
                                        .factors = FACTORS,
                                        .regularization = 0.1,
                                        .alpha = 800,
                                        .iterations = ITERATIONS,
                                        .cg_steps = 3,
                                        .seed = 42,
                                        .threads = 2};

static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};

static int set_up(void **state)
{
    struct csr *values = mem_zeroed(1, sizeof *values);

    assert_non_null(values);
    als_reference_random(values, USERS, ITEMS, 0.12, 5);
    *state = values;
    return 0;
}

static int tear_down(void **state)
{
    csr_fini(*state);
    free(*state);
    return 0;
}

static void check_same(const struct als_model *a, const struct als_model *b)
{
    assert_memory_equal(a->x, b->x, USERS * (size_t)a->factors * sizeof *a->x);
    assert_memory_equal(a->y, b->y, ITEMS * (size_t)a->factors * sizeof *a->y);
}

static void every_solver_reports_the_loss_of_its_model(void **state)
{
    for (size_t i = 0; i < 6; i++) {
        struct als_params params = usual;
        struct als_model model;
        double loss[ITERATIONS];
        double expected;

        params.solver = solvers[i % 3];
        params.regularization_scaling = i < 3 ? ALS_SCALING_NONE : ALS_SCALING_FREQUENCY;
        als_reference_train(&model, *state, &params, loss);
        expected = als_reference_loss(*state, model.x, model.y, &params);
        assert_true(fabs(loss[ITERATIONS - 1] / expected - 1) < 1e-6);
        als_model_fini(&model);
    }
}

static void exact_and_cholesky_train_the_same_model(void **state)
{
    struct als_params params = usual;
    double exact[ITERATIONS];
    double dense[ITERATIONS];
    struct als_model model;

    als_reference_train(&model, *state, &params, exact);
    als_model_fini(&model);
    params.solver = ALS_SOLVER_CHOLESKY;
    als_reference_train(&model, *state, &params, dense);
    als_model_fini(&model);
    for (size_t i = 0; i < ITERATIONS; i++)
        assert_true(fabs(exact[i] / dense[i] - 1) < 1e-5);
}

/* From an odd number of user factors on, the items' start tells whether the generator's spare half was kept. */
static void the_start_is_drawn_users_first_without_a_gap(void **state)
{
    struct als_params params = usual;
    struct csr values;
    struct als_model model;
    struct pcg64 generator;
    double y;
    double x;
    double c;

    (void)state;
    als_reference_random(&values, 1, 1, 2, 3);
    params.factors = 1;
    params.iterations = 1;
    als_reference_train(&model, &values, &params, NULL);
    pcg64_seed(&generator, params.seed);
    (void)pcg64_next_float(&generator); /* x, which the first half-sweep does not look at */
    y = (double)pcg64_next_float(&generator) * 0.01;
    c = params.alpha * (double)values.values[0];
    x = c * y / (c * y * y + params.regularization);
    y = c * x / (c * x * x + params.regularization);
    assert_true(fabs((double)model.x[0] / x - 1) < 1e-5);
    assert_true(fabs((double)model.y[0] / y - 1) < 1e-5);
    als_model_fini(&model);
    csr_fini(&values);
}

static void a_matrix_without_entries_gives_a_model_of_zeros(void **state)
{
    struct csr empty;
    struct als_model model;

    (void)state;
    assert_int_equal(csr_init(&empty, 2, 3, 0, NULL), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;

        params.solver = solvers[i];
        als_reference_train(&model, &empty, &params, NULL);
        for (size_t k = 0; k < 2 * FACTORS; k++)
            assert_true(model.x[k] == 0);
        for (size_t k = 0; k < 3 * FACTORS; k++)
            assert_true(model.y[k] == 0);
        als_model_fini(&model);
    }
    csr_fini(&empty);
}

/* Half-sweeps one by one, through the backend. */
static void exact_loss_falls_at_every_half_sweep(void **state)
{
    static const double regularizations[] = {0.005, 0.1, 30, 0.1};
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
    const struct csr *by_user = *state;
    struct csr by_item;

    assert_int_equal(csr_transpose(&by_item, by_user, NULL), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        struct als_params params = usual;
        static float x[USERS * FACTORS];
        static float y[ITEMS * FACTORS];
        const struct als_problem problem = {.by_user = by_user, .by_item = &by_item, .params = &params, .x = x, .y = y};
        struct als_training *training = NULL;
        double last = INFINITY;

        params.regularization = regularizations[i];
        params.regularization_scaling = i < 3 ? ALS_SCALING_NONE : ALS_SCALING_FREQUENCY;
        als_reference_fill(x, USERS * FACTORS, 0.3F, 8);
        als_reference_fill(y, ITEMS * FACTORS, 0.3F, 9);
        assert_int_equal(backend->create(&training, &problem, NULL), ERR_OK);
        for (int half = 0; half < 16; half++) {
            double loss;

            assert_int_equal(backend->half_sweep(training, half % 2 == 0 ? ALS_SIDE_USERS : ALS_SIDE_ITEMS, NULL),
                             ERR_OK);
            assert_int_equal(backend->loss(training, &loss, NULL), ERR_OK);
            if (!(loss < last))
                fail_msg("lambda %g, half-sweep %d: %.12g after %.12g", params.regularization, half, loss, last);
            last = loss;
        }
        backend->destroy(training);
    }
    csr_fini(&by_item);
}

static void same_seed_and_threads_give_the_same_bytes(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;
        struct als_model first;
        struct als_model second;

        params.solver = solvers[i];
        params.threads = 4;
        als_reference_train(&first, *state, &params, NULL);
        als_reference_train(&second, *state, &params, NULL);
        check_same(&first, &second);
        als_model_fini(&first);
        als_model_fini(&second);
    }
}

static void the_number_of_threads_changes_nothing(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;
        struct als_model one;
        struct als_model four;

        params.solver = solvers[i];
        params.threads = 1;
        als_reference_train(&one, *state, &params, NULL);
        params.threads = 4;
        als_reference_train(&four, *state, &params, NULL);
        check_same(&one, &four);
        als_model_fini(&one);
        als_model_fini(&four);
    }
}

static void another_seed_gives_another_model(void **state)
{
    struct als_params params = usual;
    struct als_model first;
    struct als_model second;

    als_reference_train(&first, *state, &params, NULL);
    params.seed = 7;
    als_reference_train(&second, *state, &params, NULL);
    assert_memory_not_equal(first.x, second.x, USERS * FACTORS * sizeof *first.x);
    als_model_fini(&first);
    als_model_fini(&second);
}

struct witness {
    int stop_at;
    int calls;
    double losses[ITERATIONS];
};

static bool on_iteration(void *context, int iteration, double loss)
{
    struct witness *witness = context;

    assert_int_equal(iteration, ++witness->calls);
    witness->losses[iteration - 1] = loss;
    return iteration != witness->stop_at;
}

static void the_observer_sees_every_iteration(void **state)
{
    struct witness witness = {0};
    const struct als_observer observer = {.on_iteration = on_iteration, .context = &witness};
    struct als_model model;
    double loss[ITERATIONS];

    assert_int_equal(als_train(&model, *state, &usual, &observer, loss, NULL), ERR_OK);
    assert_int_equal(witness.calls, ITERATIONS);
    assert_memory_equal(witness.losses, loss, sizeof loss);
    als_model_fini(&model);
}

static void the_observer_can_stop_the_training(void **state)
{
    struct witness witness = {.stop_at = 2};
    const struct als_observer observer = {.on_iteration = on_iteration, .context = &witness};
    struct als_model model;
    struct err err;

    assert_int_equal(als_train(&model, *state, &usual, &observer, NULL, &err), ERR_CANCELLED);
    assert_int_equal(witness.calls, 2);
    assert_null(model.x);
    assert_non_null(strstr(err.message, "iteration 2"));
}

/* The rest of a training that was cut in two is that of one in a piece. */
static void a_training_goes_on_from_the_factors_of_another(void **state)
{
    const struct csr *values = *state;

    for (size_t i = 0; i < sizeof solvers / sizeof solvers[0]; i++) {
        struct als_params params = usual;
        struct als_model whole;
        struct als_model first;
        struct als_model rest;
        struct als_start start;
        double loss[ITERATIONS];

        params.solver = solvers[i];
        als_reference_train(&whole, values, &params, NULL);
        params.iterations = 1;
        als_reference_train(&first, values, &params, NULL);
        start = (struct als_start){.x = first.x, .y = first.y};
        params.iterations = ITERATIONS - 1;
        params.seed = 7; /* nothing is left to draw */
        assert_int_equal(als_train_from(&rest, values, &params, &start, NULL, loss, NULL), ERR_OK);
        check_same(&whole, &rest);
        als_model_fini(&whole);
        als_model_fini(&first);
        als_model_fini(&rest);
    }
}

static void rows_that_no_earlier_model_has_begin_as_ever(void **state)
{
    const struct csr *values = *state;
    struct als_model cold;
    struct als_model warm;
    struct als_start start = {0};
    float *y = mem_zeroed((size_t)ITEMS * FACTORS, sizeof *y);

    assert_non_null(y);
    for (size_t item = 0; item < ITEMS; item++)
        y[item * FACTORS] = NAN;
    start.y = y;
    als_reference_train(&cold, values, &usual, NULL);
    assert_int_equal(als_train_from(&warm, values, &usual, &start, NULL, NULL, NULL), ERR_OK);
    check_same(&cold, &warm);
    als_model_fini(&cold);
    als_model_fini(&warm);
    free(y);
}

static void a_training_ends_when_the_loss_hardly_falls(void **state)
{
    enum { MOST = 60 };
    struct als_params params = usual;
    struct als_model model;
    double loss[MOST];
    int last = 0;

    params.iterations = MOST;
    params.tolerance = 0.01;
    als_reference_train(&model, *state, &params, loss);
    while (last + 1 < MOST && !isnan(loss[last + 1]))
        last++;
    assert_in_range(last, 1, MOST - 2);
    assert_true(loss[last - 1] - loss[last] < 0.01 * loss[last - 1]);
    for (int i = 1; i < last; i++)
        assert_true(loss[i - 1] - loss[i] >= 0.01 * loss[i - 1]);
    for (int i = last + 1; i < MOST; i++)
        assert_true(isnan(loss[i]));
    als_model_fini(&model);
}

static void shapes_of_one_are_solved(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {1, 30}, {30, 1}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct csr values;
        struct als_params params = usual;
        struct als_model model;
        double loss[ITERATIONS];

        als_reference_random(&values, shapes[i][0], shapes[i][1], 2, 3);
        for (params.factors = 1; params.factors <= 9; params.factors += 8) {
            als_reference_train(&model, &values, &params, loss);
            assert_true(fabs(loss[ITERATIONS - 1] / als_reference_loss(&values, model.x, model.y, &params) - 1) < 1e-6);
            als_model_fini(&model);
        }
        csr_fini(&values);
    }
}

static void more_factors_than_rows_are_fine(void **state)
{
    struct als_params params = usual;
    struct als_model model;
    double loss[ITERATIONS];

    params.factors = ITEMS + 31;
    als_reference_train(&model, *state, &params, loss);
    assert_true(fabs(loss[ITERATIONS - 1] / als_reference_loss(*state, model.x, model.y, &params) - 1) < 1e-6);
    als_model_fini(&model);
}

static void a_singular_shared_system_is_named(void **state)
{
    struct als_params params = usual;
    struct als_model model;
    struct err err;

    params.regularization = 0;
    params.factors = ITEMS + 31;
    assert_int_equal(als_train(&model, *state, &params, NULL, NULL, &err), ERR_NUMERIC);
    assert_null(model.x);
    assert_non_null(strstr(err.message, "iteration 1"));
    assert_non_null(strstr(err.message, "users from items"));
    assert_non_null(strstr(err.message, "regularization 0"));
}

static void a_system_that_only_rounding_makes_definite_is_refused(void **state)
{
    struct als_params params = usual;
    struct als_model model;
    struct err err;

    params.regularization = 1e-16;
    params.factors = ITEMS + 31;
    assert_int_equal(als_train(&model, *state, &params, NULL, NULL, &err), ERR_NUMERIC);
    assert_non_null(strstr(err.message, "shared"));
}

static void a_row_that_cannot_be_solved_is_named(void **state)
{
    struct als_params params = usual;
    struct als_model model;
    struct err err;

    params.solver = ALS_SOLVER_CHOLESKY;
    params.regularization = 0;
    params.factors = ITEMS + 31;
    assert_int_equal(als_train(&model, *state, &params, NULL, NULL, &err), ERR_NUMERIC);
    assert_null(model.x);
    assert_non_null(strstr(err.message, "user 0 with "));
}

static void no_regularization_works_where_the_data_allow_it(void **state)
{
    struct als_params params = usual;
    struct als_model model;

    params.regularization = 0;
    params.factors = 5;
    als_reference_train(&model, *state, &params, NULL);
    als_model_fini(&model);
}

static void check_refused(const struct csr *values, const struct als_params *params, enum err_code expected,
                          const char *word)
{
    struct als_model model;
    struct err err = {0};

    assert_int_equal(als_train(&model, values, params, NULL, NULL, &err), expected);
    assert_null(model.x);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' is not in '%s'", word, err.message);
}

static void bad_parameters_are_refused_by_name(void **state)
{
    struct als_params bad[10];
    static const char *const words[10] = {
        "factors 0",    "factors 4097", "regularization", "regularization", "alpha",
        "iterations 0", "cg_steps 0",   "threads -1",     "solver 9",       "regularization_scaling 2"};

    for (size_t i = 0; i < 10; i++)
        bad[i] = usual;
    bad[0].factors = 0;
    bad[1].factors = 4097;
    bad[2].regularization = -1;
    bad[3].regularization = NAN;
    bad[4].alpha = 0;
    bad[5].iterations = 0;
    bad[6].solver = ALS_SOLVER_CG;
    bad[6].cg_steps = 0;
    bad[7].threads = -1;
    bad[8].solver = (enum als_solver)9;
    bad[9].regularization_scaling = (enum als_regularization_scaling)2;
    for (size_t i = 0; i < 10; i++)
        check_refused(*state, &bad[i], ERR_ARGUMENT, words[i]);
}

static void a_backend_that_is_not_built_is_refused(void **state)
{
    struct als_params params = usual;
    char text[64];

    if (als_backend_find(ALS_BACKEND_CUDA) != NULL)
        return; /* it is built: test_als_cuda has what it says then */
    params.backend = ALS_BACKEND_CUDA;
    check_refused(*state, &params, ERR_CONFIG, "cuda");
    als_describe_backend(ALS_BACKEND_CUDA, text, sizeof text);
    assert_string_equal(text, "cuda (not in this build)");
    als_describe_backend(ALS_BACKEND_AUTO, text, sizeof text);
    assert_memory_equal(text, "cpu ", 4);
}

static void a_bad_matrix_is_refused(void **state)
{
    struct csr *values = *state;
    struct csr none = *values;

    none.rows = 0;
    check_refused(&none, &usual, ERR_ARGUMENT, "0 users");
    values->columns[1] = values->columns[0];
    check_refused(values, &usual, ERR_ARGUMENT, "out of order");
    values->columns[0] = ITEMS;
    check_refused(values, &usual, ERR_ARGUMENT, "out of order or range");
    values->columns[0] = 0;
    values->columns[1] = 1;
    values->values[1] = NAN;
    check_refused(values, &usual, ERR_ARGUMENT, "not a finite confidence");
    values->values[1] = 1;
    values->offsets[2] = values->offsets[1] - 1;
    check_refused(values, &usual, ERR_ARGUMENT, "offsets descend");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(every_solver_reports_the_loss_of_its_model),
        TEST(exact_and_cholesky_train_the_same_model),
        TEST(the_start_is_drawn_users_first_without_a_gap),
        TEST(a_matrix_without_entries_gives_a_model_of_zeros),
        TEST(exact_loss_falls_at_every_half_sweep),
        TEST(same_seed_and_threads_give_the_same_bytes),
        TEST(the_number_of_threads_changes_nothing),
        TEST(another_seed_gives_another_model),
        TEST(the_observer_sees_every_iteration),
        TEST(the_observer_can_stop_the_training),
        TEST(a_training_goes_on_from_the_factors_of_another),
        TEST(rows_that_no_earlier_model_has_begin_as_ever),
        TEST(a_training_ends_when_the_loss_hardly_falls),
        TEST(shapes_of_one_are_solved),
        TEST(more_factors_than_rows_are_fine),
        TEST(a_singular_shared_system_is_named),
        TEST(a_system_that_only_rounding_makes_definite_is_refused),
        TEST(a_row_that_cannot_be_solved_is_named),
        TEST(no_regularization_works_where_the_data_allow_it),
        TEST(bad_parameters_are_refused_by_name),
        TEST(a_backend_that_is_not_built_is_refused),
        TEST(a_bad_matrix_is_refused),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
