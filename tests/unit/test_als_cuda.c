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
#include "worker/als/als_backend.h"

/* Linked twice: with CUDA itself (label gpu), and with the emulation of tests/support (label unit). */

enum { COLUMNS = 500, MOST_FACTORS = 300 };

static const double ALPHA = 800;

/* Values by their confidence at alpha 800. */
static const float HIGH = 3.7F;         /* c = 2960 */
static const float MIDDLE = 0.02F;      /* c = 16 */
static const float ONE = 1 / 800.0F;    /* c = 1, d = 0 */
static const float LOW = 0.0004F;       /* c = .32 */
static const float NOTHING = 0;         /* c = 0, d = -1 */
static const float DISLIKED = -2;       /* c = 1600, preference 0 */
static const float NEARLY = 0.0012501F; /* d = 8e-5 */

struct row_class {
    const char *name;
    struct {
        float value;
        size_t count;
    } parts[4];
};

/* With 300 factors from one unknown to more than f: every kind of row, its least and its most. */
static const struct row_class classes[] = {
    {"empty", {{0, 0}}},
    {"one high", {{HIGH, 1}}},
    {"one low", {{LOW, 1}}},
    {"all of c = 1", {{ONE, 15}}},
    {"all of c = 0", {{NOTHING, 15}}},
    {"all disliked", {{DISLIKED, 15}}},
    {"16 and some of c = 1", {{HIGH, 9}, {LOW, 7}, {ONE, 4}}},
    {"nearly c = 1", {{NEARLY, 5}, {HIGH, 2}, {LOW, 3}}},
    {"17 mixed", {{HIGH, 6}, {LOW, 5}, {ONE, 3}, {DISLIKED, 6}}},
    {"32 mixed", {{MIDDLE, 13}, {LOW, 19}}},
    {"33 high", {{HIGH, 33}}},
    {"64 mixed", {{HIGH, 31}, {NOTHING, 3}, {ONE, 3}, {LOW, 30}}},
    {"65 mixed", {{MIDDLE, 60}, {LOW, 5}}},
    {"100 low", {{LOW, 100}}},
    {"256 mixed", {{HIGH, 100}, {MIDDLE, 56}, {LOW, 100}, {ONE, 20}}},
    {"257 mixed", {{HIGH, 130}, {LOW, 127}}},
    {"299 mixed", {{MIDDLE, 150}, {LOW, 100}, {DISLIKED, 49}}},
    {"300 mixed", {{HIGH, 100}, {LOW, 200}}},
    {"450 mixed", {{HIGH, 200}, {LOW, 150}, {ONE, 50}, {DISLIKED, 50}}},
    {"500 of c = 0 but one", {{NOTHING, 499}, {HIGH, 1}}},
};

enum { CLASSES = sizeof classes / sizeof classes[0] };

struct fixture {
    struct csr by_user;
    struct csr by_item;
    struct als_params params;
    float *x;
    float *y;
    double *gram;
};

/* Entries are spread over the columns by a step that is coprime to their number. */
static void make_matrix(struct csr *csr)
{
    float *values = mem_zeroed((size_t)CLASSES * COLUMNS, sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < (size_t)CLASSES * COLUMNS; i++)
        values[i] = NAN;
    for (size_t row = 0; row < CLASSES; row++) {
        size_t column = row * 13;

        for (size_t part = 0; part < 4; part++) {
            for (size_t i = 0; i < classes[row].parts[part].count; i++, column += 7)
                values[row * COLUMNS + column % COLUMNS] = classes[row].parts[part].value;
        }
    }
    als_reference_csr(csr, values, CLASSES, COLUMNS);
    free(values);
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);

    assert_non_null(fixture);
    make_matrix(&fixture->by_user);
    assert_int_equal(csr_transpose(&fixture->by_item, &fixture->by_user, NULL), ERR_OK);
    fixture->x = mem_zeroed((size_t)CLASSES * MOST_FACTORS, sizeof(float));
    fixture->y = mem_zeroed((size_t)COLUMNS * MOST_FACTORS, sizeof(float));
    fixture->gram = mem_zeroed((size_t)MOST_FACTORS * MOST_FACTORS, sizeof(double));
    assert_true(fixture->x != NULL && fixture->y != NULL && fixture->gram != NULL);
    als_reference_fill(fixture->x, (size_t)CLASSES * MOST_FACTORS, 0.3F, 1);
    als_reference_fill(fixture->y, (size_t)COLUMNS * MOST_FACTORS, 0.1F, 2);
    fixture->params = (struct als_params){.solver = ALS_SOLVER_EXACT,
                                          .backend = ALS_BACKEND_CUDA,
                                          .factors = MOST_FACTORS,
                                          .regularization = 0.1,
                                          .alpha = ALPHA,
                                          .iterations = 1,
                                          .cg_steps = 3,
                                          .threads = 1};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    csr_fini(&fixture->by_user);
    csr_fini(&fixture->by_item);
    free(fixture->x);
    free(fixture->y);
    free(fixture->gram);
    free(fixture);
    return 0;
}

static void need_device(void)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CUDA);

    assert_non_null(backend);
    if (backend->probe(NULL) != ERR_OK) {
        print_message("no CUDA device\n");
        skip();
    }
}

static void sweep(struct fixture *fixture, enum als_side side)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CUDA);
    const struct als_problem problem = {.by_user = &fixture->by_user,
                                        .by_item = &fixture->by_item,
                                        .params = &fixture->params,
                                        .x = fixture->x,
                                        .y = fixture->y};
    struct als_training *training = NULL;
    struct err err = {0};

    if (backend->create(&training, &problem, &err) != ERR_OK || backend->half_sweep(training, side, &err) != ERR_OK ||
        backend->read_factors(training, &err) != ERR_OK)
        fail_msg("%s", err.message);
    backend->destroy(training);
}

static void check_users(struct fixture *fixture, double tolerance)
{
    size_t f = (size_t)fixture->params.factors;
    double expected[MOST_FACTORS];

    als_reference_gram(fixture->gram, fixture->y, COLUMNS, f);
    sweep(fixture, ALS_SIDE_USERS);
    for (size_t row = 0; row < CLASSES; row++) {
        double error;

        als_reference_row(expected, &fixture->by_user, row, fixture->y, fixture->gram, &fixture->params);
        error = als_reference_error(fixture->x + row * f, expected, f);
        if (!(error <= tolerance))
            fail_msg("row class '%s', %zu factors: relative error %g", classes[row].name, f, error);
    }
}

static void exact_solves_every_class_of_row(void **state)
{
    static const int factors[] = {1, 7, 24, 65, MOST_FACTORS};
    struct fixture *fixture = *state;

    need_device();
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        fixture->params.factors = factors[i];
        check_users(fixture, 1e-5);
    }
}

static void exact_solves_every_class_at_strong_regularization(void **state)
{
    struct fixture *fixture = *state;

    need_device();
    fixture->params.regularization = 30;
    fixture->params.factors = 65;
    check_users(fixture, 1e-5);
}

static void exact_solves_items_from_users(void **state)
{
    struct fixture *fixture = *state;
    double expected[24];

    need_device();
    fixture->params.factors = 24;
    als_reference_gram(fixture->gram, fixture->x, CLASSES, 24);
    sweep(fixture, ALS_SIDE_ITEMS);
    for (size_t item = 0; item < COLUMNS; item++) {
        als_reference_row(expected, &fixture->by_item, item, fixture->x, fixture->gram, &fixture->params);
        assert_true(als_reference_error(fixture->y + item * 24, expected, 24) < 1e-5);
    }
}

static void confidences_beyond_float_precision_are_solved_in_double(void **state)
{
    struct fixture *fixture = *state;
    enum { F = 24 };

    need_device();
    fixture->params.factors = F;
    for (size_t item = 1; item < COLUMNS; item += 2) /* G is singular: every second item is a copy */
        memcpy(fixture->y + item * F, fixture->y + (item - 1) * F, F * sizeof(float));
    fixture->params.alpha = 1e9;
    check_users(fixture, 1e-3);
}

static void cholesky_solves_every_class_of_row(void **state)
{
    struct fixture *fixture = *state;

    need_device();
    fixture->params.solver = ALS_SOLVER_CHOLESKY;
    fixture->params.factors = 65;
    check_users(fixture, 1e-5); /* where c = 0 takes away nearly all of F'F, its floats show */
}

static void cg_takes_the_reference_steps(void **state)
{
    enum { F = 70 };
    struct fixture *fixture = *state;
    static float start[CLASSES * F];

    need_device();
    memcpy(start, fixture->x, sizeof start);
    fixture->params.solver = ALS_SOLVER_CG;
    fixture->params.factors = F;
    fixture->params.alpha = 10; /* at 800 floats and doubles part by some per cent within three steps */
    als_reference_gram(fixture->gram, fixture->y, COLUMNS, F);
    sweep(fixture, ALS_SIDE_USERS);
    for (size_t row = 0; row < CLASSES; row++) {
        double expected[F];
        double error;

        for (size_t k = 0; k < F; k++)
            expected[k] = (double)start[row * F + k];
        als_reference_cg(expected, &fixture->by_user, row, fixture->y, fixture->gram, &fixture->params);
        error = als_reference_error(fixture->x + row * F, expected, F);
        if (!(error <= 1e-4))
            fail_msg("row class '%s': relative error %g", classes[row].name, error);
    }
}

static void cg_leaves_a_solved_row_alone(void **state)
{
    struct fixture *fixture = *state;

    need_device();
    memset(fixture->y, 0, (size_t)COLUMNS * MOST_FACTORS * sizeof(float)); /* x = 0 solves every row */
    memset(fixture->x, 0, (size_t)CLASSES * MOST_FACTORS * sizeof(float));
    fixture->params.solver = ALS_SOLVER_CG;
    sweep(fixture, ALS_SIDE_USERS);
    for (size_t i = 0; i < (size_t)CLASSES * MOST_FACTORS; i++)
        assert_true(fixture->x[i] == 0);
}

enum { USERS = 30, ITEMS = 24, FACTORS = 8, ITERATIONS = 2, LONG = 1030 };

static const struct als_params usual = {.solver = ALS_SOLVER_EXACT,
                                        .backend = ALS_BACKEND_CUDA,
                                        .factors = FACTORS,
                                        .regularization = 0.1,
                                        .alpha = 800,
                                        .iterations = ITERATIONS,
                                        .cg_steps = 3,
                                        .seed = 42,
                                        .threads = 1};

/* The largest relative difference of a training's losses on the two backends. */
static double compare_trainings(const struct csr *values, const struct als_params *params)
{
    struct als_params on_cpu = *params;
    struct als_model model;
    double expected[ITERATIONS];
    double loss[ITERATIONS];
    double worst = 0;

    on_cpu.backend = ALS_BACKEND_CPU;
    als_reference_train(&model, values, &on_cpu, expected);
    als_model_fini(&model);
    als_reference_train(&model, values, params, loss);
    assert_true(fabs(loss[params->iterations - 1] / als_reference_loss(values, model.x, model.y, params) - 1) < 1e-6);
    als_model_fini(&model);
    for (int i = 0; i < params->iterations; i++)
        worst = fmax(worst, fabs(loss[i] / expected[i] - 1));
    return worst;
}

static void every_solver_trains_as_the_cpu_does(void **state)
{
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};
    static const double tolerances[] = {1e-5, 2e-3, 1e-5};
    struct csr values;

    (void)state;
    need_device();
    als_reference_random(&values, USERS, ITEMS, 0.3, 5);
    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;
        double difference;

        params.solver = solvers[i];
        difference = compare_trainings(&values, &params);
        if (!(difference < tolerances[i]))
            fail_msg("solver %zu: losses differ by %g", i, difference);
    }
    csr_fini(&values);
}

/* A Gram matrix of more rows than a panel of its sum has, and a loss of more than one round of blocks. */
static void a_long_side_is_summed_up(void **state)
{
    struct als_params params = usual;
    struct csr values;

    (void)state;
    need_device();
    als_reference_random(&values, LONG, 4, 0.25, 5);
    params.factors = 2;
    params.solver = ALS_SOLVER_CG;
    params.cg_steps = 1;
    params.iterations = 1;
    assert_true(compare_trainings(&values, &params) < 2e-3);
    csr_fini(&values);
}

static void lower_precision_trains_nearly_as_well(void **state)
{
    static const enum als_precision precisions[] = {ALS_PRECISION_TF32, ALS_PRECISION_FP16};
    struct csr values;

    (void)state;
    need_device();
    als_reference_random(&values, USERS, ITEMS, 0.3, 5);
    for (size_t i = 0; i < 2; i++) {
        struct als_params params = usual;
        double difference;

        params.precision = precisions[i];
        difference = compare_trainings(&values, &params);
        if (!(difference > 1e-9 && difference < 1e-2))
            fail_msg("precision %zu: losses differ by %g", i, difference);
    }
    csr_fini(&values);
}

static void a_matrix_without_entries_gives_a_model_of_zeros(void **state)
{
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};
    struct csr empty;

    (void)state;
    need_device();
    assert_int_equal(csr_init(&empty, 2, 3, 0, NULL), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;
        struct als_model model;

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

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct csr values;
    struct als_model first;
    struct als_model second;

    (void)state;
    need_device();
    als_reference_random(&values, USERS, ITEMS, 0.3, 5);
    als_reference_train(&first, &values, &usual, NULL);
    als_reference_train(&second, &values, &usual, NULL);
    assert_memory_equal(first.x, second.x, USERS * FACTORS * sizeof *first.x);
    assert_memory_equal(first.y, second.y, ITEMS * FACTORS * sizeof *first.y);
    als_model_fini(&first);
    als_model_fini(&second);
    csr_fini(&values);
}

static void check_refused(const struct als_params *params, const char *word)
{
    struct csr values;
    struct als_model model;
    struct err err = {0};

    als_reference_random(&values, 30, 20, 0.3, 5);
    assert_int_equal(als_train(&model, &values, params, NULL, NULL, &err), ERR_NUMERIC);
    assert_null(model.x);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' is not in '%s'", word, err.message);
    csr_fini(&values);
}

static void a_system_that_is_not_definite_is_named(void **state)
{
    struct als_params params = usual;

    (void)state;
    need_device();
    params.factors = 90; /* more than rows */
    params.regularization = 0;
    check_refused(&params, "regularization 0");
    params.regularization = 1e-16; /* only rounding makes it definite */
    check_refused(&params, "shared 90 x 90");
    params.solver = ALS_SOLVER_CHOLESKY;
    params.regularization = 0;
    check_refused(&params, "user ");
}

static void a_model_says_which_backend_made_it(void **state)
{
    struct csr values;
    struct als_model model;
    char text[160];

    (void)state;
    need_device();
    als_reference_random(&values, 30, 20, 0.3, 5);
    als_reference_train(&model, &values, &usual, NULL);
    assert_int_equal(model.backend, ALS_BACKEND_CUDA);
    als_describe_backend(ALS_BACKEND_AUTO, text, sizeof text);
    assert_memory_equal(text, "cuda ", 5);
    als_model_fini(&model);
    csr_fini(&values);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(exact_solves_every_class_of_row),
        TEST(exact_solves_every_class_at_strong_regularization),
        TEST(exact_solves_items_from_users),
        TEST(confidences_beyond_float_precision_are_solved_in_double),
        TEST(cholesky_solves_every_class_of_row),
        TEST(cg_takes_the_reference_steps),
        TEST(cg_leaves_a_solved_row_alone),
        cmocka_unit_test(every_solver_trains_as_the_cpu_does),
        cmocka_unit_test(a_long_side_is_summed_up),
        cmocka_unit_test(lower_precision_trains_nearly_as_well),
        cmocka_unit_test(a_matrix_without_entries_gives_a_model_of_zeros),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_system_that_is_not_definite_is_named),
        cmocka_unit_test(a_model_says_which_backend_made_it),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
