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
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_dual.h"

enum { FACTORS = 24, ITEMS = 160 };

static const float ALPHA = 800;

/* Values by their confidence at alpha 800. */
static const float HIGH = 3.7F;         /* c = 2960 */
static const float ONE = 1 / 800.0F;    /* c = 1, d = 0 */
static const float LOW = 0.0004F;       /* c = .32 */
static const float NOTHING = 0;         /* c = 0, d = -1 */
static const float DISLIKED = -2;       /* c = 1600, preference 0 */
static const float FAINTLY = -0.0005F;  /* c = .4, preference 0 */
static const float NEARLY = 0.0012501F; /* d = 8e-5 */

/* One row: how many entries of each value it has. */
struct row_class {
    const char *name;
    struct {
        float value;
        size_t count;
    } parts[4];
};

static const struct row_class classes[] = {
    {"empty", {{0, 0}}},
    {"one high", {{HIGH, 1}}},
    {"one of c = 1", {{ONE, 1}}},
    {"one low", {{LOW, 1}}},
    {"one of c = 0", {{NOTHING, 1}}},
    {"one disliked", {{DISLIKED, 1}}},
    {"all high", {{HIGH, 15}}},
    {"all low", {{LOW, 15}}},
    {"all of c = 1", {{ONE, 15}}},
    {"all of c = 0", {{NOTHING, 15}}},
    {"all disliked", {{DISLIKED, 15}}},
    {"high and low", {{HIGH, 9}, {LOW, 8}}},
    {"high and c = 1", {{HIGH, 9}, {ONE, 4}}},
    {"low and c = 1", {{LOW, 9}, {ONE, 4}}},
    {"nearly c = 1", {{NEARLY, 5}, {HIGH, 2}, {LOW, 3}}},
    {"high and disliked", {{HIGH, 8}, {DISLIKED, 7}, {FAINTLY, 2}}},
    {"everything", {{HIGH, 6}, {LOW, 5}, {ONE, 3}, {DISLIKED, 4}}},
    {"everything with c = 0", {{HIGH, 6}, {NOTHING, 5}, {ONE, 3}, {FAINTLY, 4}}},
    {"f - 1 mixed", {{HIGH, 13}, {LOW, FACTORS - 14}}},
    {"f mixed", {{HIGH, 13}, {LOW, FACTORS - 13}}},
    {"f low", {{LOW, FACTORS}}},
    {"more than f, mixed", {{HIGH, 20}, {LOW, 20}, {ONE, 2}, {DISLIKED, 5}}},
    {"more than f, c = 0", {{NOTHING, 30}, {HIGH, 1}}},
    {"all items", {{HIGH, 75}, {LOW, 40}, {ONE, 5}, {FAINTLY, 40}}},
};

enum { CLASSES = sizeof classes / sizeof classes[0] };

struct fixture {
    struct csr by_user;
    struct csr by_item;
    float x[CLASSES * FACTORS];
    float y[ITEMS * FACTORS];
    double gram[FACTORS * FACTORS];
    struct als_params params;
};

/* Entries are spread over the columns by a step that is coprime to ITEMS. */
static void make_matrix(struct csr *csr)
{
    float *values = mem_zeroed((size_t)CLASSES * ITEMS, sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < (size_t)CLASSES * ITEMS; i++)
        values[i] = NAN;
    for (size_t row = 0; row < CLASSES; row++) {
        size_t column = row * 13;

        for (size_t part = 0; part < 4; part++) {
            for (size_t i = 0; i < classes[row].parts[part].count; i++, column += 7)
                values[row * ITEMS + column % ITEMS] = classes[row].parts[part].value;
        }
    }
    als_reference_csr(csr, values, CLASSES, ITEMS);
    free(values);
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);

    assert_non_null(fixture);
    make_matrix(&fixture->by_user);
    assert_int_equal(csr_transpose(&fixture->by_item, &fixture->by_user, NULL), ERR_OK);
    als_reference_fill(fixture->x, CLASSES * FACTORS, 0.3F, 1);
    als_reference_fill(fixture->y, ITEMS * FACTORS, 0.4F, 2);
    fixture->params = (struct als_params){.solver = ALS_SOLVER_EXACT,
                                          .factors = FACTORS,
                                          .regularization = 0.01,
                                          .alpha = (double)ALPHA,
                                          .iterations = 1,
                                          .cg_steps = 3,
                                          .threads = 2};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    csr_fini(&fixture->by_user);
    csr_fini(&fixture->by_item);
    free(fixture);
    return 0;
}

static void sweep(struct fixture *fixture, enum als_side side)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
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
    double expected[FACTORS];

    als_reference_gram(fixture->gram, fixture->y, ITEMS, FACTORS);
    sweep(fixture, ALS_SIDE_USERS);
    for (size_t row = 0; row < CLASSES; row++) {
        double error;

        als_reference_row(expected, &fixture->by_user, row, fixture->y, fixture->gram, &fixture->params);
        error = als_reference_error(fixture->x + row * FACTORS, expected, FACTORS);
        if (!(error <= tolerance))
            fail_msg("row class '%s': relative error %g", classes[row].name, error);
    }
}

static void c_of_the_test_values_is_what_their_names_say(void **state)
{
    (void)state;
    assert_true(ALPHA * ONE == 1);
    assert_true(ALPHA * LOW < 1);
    assert_true(ALPHA * NEARLY > 1 && ALPHA * NEARLY < 1.001F);
}

static void exact_solves_every_class_of_row(void **state)
{
    check_users(*state, 1e-5);
}

static void exact_solves_every_class_at_strong_regularization(void **state)
{
    struct fixture *fixture = *state;

    fixture->params.regularization = 30;
    check_users(fixture, 1e-5);
}

static void exact_solves_every_class_at_small_alpha(void **state)
{
    struct fixture *fixture = *state;

    fixture->params.alpha = 1;
    check_users(fixture, 1e-5);
}

static void exact_solves_every_class_where_items_are_alike(void **state)
{
    struct fixture *fixture = *state;

    for (size_t item = 1; item < ITEMS; item += 2) /* G is singular: every second item is a copy */
        memcpy(fixture->y + item * FACTORS, fixture->y + (item - 1) * FACTORS, FACTORS * sizeof(float));
    check_users(fixture, 1e-4);
}

static void exact_survives_confidences_beyond_float_precision(void **state)
{
    struct fixture *fixture = *state;

    for (size_t item = 1; item < ITEMS; item += 2)
        memcpy(fixture->y + item * FACTORS, fixture->y + (item - 1) * FACTORS, FACTORS * sizeof(float));
    fixture->params.alpha = 1e9; /* D^-1 vanishes beside G: the dual form gives up, the dense one does not */
    check_users(fixture, 1e-3);
}

/* Without the refuge of the dense form: v instead of y, and I in place of A0. */
static void the_dual_form_needs_no_help_below_f_entries(void **state)
{
    struct fixture *fixture = *state;
    struct row_dual *dual = NULL;
    static float d[ITEMS];
    static float b[ITEMS];
    struct confidence_row row = {.d = d, .b = b};

    assert_int_equal(row_dual_create(&dual, FACTORS - 1, FACTORS, NULL), ERR_OK);
    als_reference_fill(fixture->y, ITEMS * FACTORS, 0.1F, 2); /* V'V <= I, as it is for V = Y L^-T */
    memset(fixture->gram, 0, sizeof fixture->gram);
    fixture->params.regularization = 1;
    for (size_t i = 0; i < CLASSES; i++) {
        double expected[FACTORS];
        float t[FACTORS];

        confidence_fill(&row, &fixture->by_user, i, ALPHA);
        if (row.count >= FACTORS)
            continue;
        als_reference_row(expected, &fixture->by_user, i, fixture->y, fixture->gram, &fixture->params);
        if (!row_dual_solve(dual, &row, fixture->y, t) || als_reference_error(t, expected, FACTORS) > 1e-5)
            fail_msg("row class '%s' is not solved in the dual form", classes[i].name);
    }
    row_dual_destroy(dual);
}

static void cholesky_solves_every_class_of_row(void **state)
{
    struct fixture *fixture = *state;

    fixture->params.solver = ALS_SOLVER_CHOLESKY;
    check_users(fixture, 1e-6);
}

static void check_items(struct fixture *fixture)
{
    double expected[FACTORS];

    als_reference_gram(fixture->gram, fixture->x, CLASSES, FACTORS);
    sweep(fixture, ALS_SIDE_ITEMS);
    for (size_t item = 0; item < ITEMS; item++) {
        als_reference_row(expected, &fixture->by_item, item, fixture->x, fixture->gram, &fixture->params);
        assert_true(als_reference_error(fixture->y + item * FACTORS, expected, FACTORS) < 1e-5);
    }
}

static void exact_solves_items_from_users(void **state)
{
    check_items(*state);
}

/* lambda_i from .002 to 1.6 (see classes), then a thousand times that. */
static void every_class_is_solved_with_a_lambda_of_its_own(void **state)
{
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CHOLESKY};
    struct fixture *fixture = *state;

    fixture->params.regularization_scaling = ALS_SCALING_FREQUENCY;
    for (size_t i = 0; i < 2; i++) {
        fixture->params.solver = solvers[i];
        for (fixture->params.regularization = 0.01; fixture->params.regularization < 100;
             fixture->params.regularization *= 1000)
            check_users(fixture, 1e-5);
        fixture->params.regularization = 0.01;
        als_reference_fill(fixture->x, CLASSES * FACTORS, 0.3F, 1);
        check_items(fixture);
        als_reference_fill(fixture->y, ITEMS * FACTORS, 0.4F, 2);
    }
}

static void rows_without_entries_become_zero(void **state)
{
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 3; i++) {
        fixture->params.solver = solvers[i];
        als_reference_fill(fixture->x, CLASSES * FACTORS, 0.3F, 1);
        sweep(fixture, ALS_SIDE_USERS);
        for (size_t k = 0; k < FACTORS; k++)
            assert_true(fixture->x[k] == 0); /* the first class is the empty one */
    }
}

static void check_cg_steps(struct fixture *fixture)
{
    float start[CLASSES * FACTORS];

    memcpy(start, fixture->x, sizeof start);
    fixture->params.solver = ALS_SOLVER_CG;
    fixture->params.alpha = 10; /* at 800 floats and doubles part by some per cent within three steps */
    als_reference_gram(fixture->gram, fixture->y, ITEMS, FACTORS);
    sweep(fixture, ALS_SIDE_USERS);
    for (size_t row = 0; row < CLASSES; row++) {
        double expected[FACTORS];
        double error;

        for (size_t k = 0; k < FACTORS; k++)
            expected[k] = (double)start[row * FACTORS + k];
        als_reference_cg(expected, &fixture->by_user, row, fixture->y, fixture->gram, &fixture->params);
        error = als_reference_error(fixture->x + row * FACTORS, expected, FACTORS);
        if (!(error <= 1e-4))
            fail_msg("row class '%s': relative error %g", classes[row].name, error);
    }
}

static void cg_takes_the_reference_steps(void **state)
{
    check_cg_steps(*state);
}

static void cg_takes_the_reference_steps_with_a_lambda_of_each_row(void **state)
{
    struct fixture *fixture = *state;

    fixture->params.regularization_scaling = ALS_SCALING_FREQUENCY;
    fixture->params.regularization = 0.1; /* 1.6 to 17.6, at alpha 10 */
    check_cg_steps(fixture);
}

static void cg_leaves_a_solved_row_alone(void **state)
{
    struct fixture *fixture = *state;
    float solved[CLASSES * FACTORS];

    memset(fixture->y, 0, sizeof fixture->y); /* then x = 0 is the solution of every row */
    memset(fixture->x, 0, sizeof fixture->x);
    memset(solved, 0, sizeof solved);
    fixture->params.solver = ALS_SOLVER_CG;
    sweep(fixture, ALS_SIDE_USERS);
    assert_memory_equal(fixture->x, solved, sizeof solved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_of_the_test_values_is_what_their_names_say),
        TEST(exact_solves_every_class_of_row),
        TEST(exact_solves_every_class_at_strong_regularization),
        TEST(exact_solves_every_class_at_small_alpha),
        TEST(exact_solves_every_class_where_items_are_alike),
        TEST(exact_survives_confidences_beyond_float_precision),
        TEST(the_dual_form_needs_no_help_below_f_entries),
        TEST(cholesky_solves_every_class_of_row),
        TEST(exact_solves_items_from_users),
        TEST(every_class_is_solved_with_a_lambda_of_its_own),
        TEST(rows_without_entries_become_zero),
        TEST(cg_takes_the_reference_steps),
        TEST(cg_takes_the_reference_steps_with_a_lambda_of_each_row),
        TEST(cg_leaves_a_solved_row_alone),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
