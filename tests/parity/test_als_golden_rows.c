/* exact at 800 factors on a real shop: the loss of each half-sweep, and rows of every kind beside dense double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../unit/als_reference.h"
#include "als_golden.h"
#include "common/base/mem.h"
#include "worker/als/als_backend.h"
#include "worker/als/cpu/row_heavy.h"
#include "worker/als/pcg64.h"

enum { FACTORS = 800, SAMPLES = 3 };

static const float ALPHA = 800;

enum row_kind {
    ROW_ALL_ABOVE,  /* every c > 1 */
    ROW_MIXED,      /* c on both sides of 1 */
    ROW_ALL_BELOW,  /* every c < 1 */
    ROW_LONG,       /* more than f / 2 entries, fewer than f */
    ROW_OVERFULL,   /* f entries or more */
    ROW_WITH_ONES,  /* planted: c = 1 exactly */
    ROW_WITH_ZEROS, /* planted: c = 0 */
    ROW_DISLIKING,  /* planted: negative values */
    ROW_KINDS
};

static const char *const kind_names[ROW_KINDS] = {"c > 1",  "mixed",      "c < 1",      "long",
                                                  "n >= f", "with c = 1", "with c = 0", "with negatives"};

struct fixture {
    struct als_golden golden;
    struct csr by_item;
    float *x;
    float *y;
    double *gram;
    struct als_params params;
    struct als_training *training;
};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static enum row_kind kind_of(const struct csr *values, size_t row)
{
    size_t count = (size_t)(values->offsets[row + 1] - values->offsets[row]);
    size_t above = 0;
    size_t below = 0;

    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        float c = fabsf(ALPHA * values->values[k]);

        if (values->values[k] < 0)
            return ROW_DISLIKING;
        if (c == 0)
            return ROW_WITH_ZEROS;
        if (c == 1)
            return ROW_WITH_ONES;
        above += c > 1;
        below += c < 1;
    }
    if (count >= FACTORS)
        return ROW_OVERFULL;
    if (count > FACTORS / 2)
        return ROW_LONG;
    if (below == 0)
        return ROW_ALL_ABOVE;
    return above == 0 ? ROW_ALL_BELOW : ROW_MIXED;
}

/* Users 100 to 102 get an entry in five of c = 1, 200 to 202 of c = 0, 300 to 302 of disliked items. */
static void plant_odd_values(struct csr *values)
{
    static const float planted[] = {1 / 800.0F, 0, -1.5F};

    assert_true(ALPHA * planted[0] == 1);
    for (size_t plant = 0; plant < 3; plant++) {
        for (size_t row = 100 * (plant + 1); row < 100 * (plant + 1) + SAMPLES; row++) {
            for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k += 5)
                values->values[k] = planted[plant];
        }
    }
}

static int set_up(void **state)
{
    *state = mem_zeroed(1, sizeof(struct fixture));
    return *state != NULL ? 0 : -1;
}

/* In the test itself, which may be skipped here. */
static void load(struct fixture *fixture)
{
    struct pcg64 generator;

    als_golden_init(&fixture->golden, "online_retail/intended");
    plant_odd_values(&fixture->golden.values);
    assert_int_equal(csr_transpose(&fixture->by_item, &fixture->golden.values, NULL), ERR_OK);
    fixture->x = mem_aligned(fixture->golden.users * FACTORS, sizeof(float));
    fixture->y = mem_aligned(fixture->golden.items * FACTORS, sizeof(float));
    fixture->gram = mem_aligned((size_t)FACTORS * FACTORS, sizeof(double));
    assert_true(fixture->x != NULL && fixture->y != NULL && fixture->gram != NULL);
    pcg64_seed(&generator, 42);
    for (size_t i = 0; i < fixture->golden.users * FACTORS; i++)
        fixture->x[i] = pcg64_next_float(&generator) * 0.01F;
    for (size_t i = 0; i < fixture->golden.items * FACTORS; i++)
        fixture->y[i] = pcg64_next_float(&generator) * 0.01F;
    fixture->params = (struct als_params){
        .solver = ALS_SOLVER_EXACT, .factors = FACTORS, .alpha = (double)ALPHA, .iterations = 8, .cg_steps = 3};
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    als_backend_find(ALS_BACKEND_CPU)->destroy(fixture->training);
    als_golden_fini(&fixture->golden);
    csr_fini(&fixture->by_item);
    free(fixture->x);
    free(fixture->y);
    free(fixture->gram);
    free(fixture);
    return 0;
}

/* Up to SAMPLES rows of each kind, spread over the side, beside the reference. How many kinds there were. */
static size_t check_rows(struct fixture *fixture, enum als_side side)
{
    const struct csr *values = side == ALS_SIDE_USERS ? &fixture->golden.values : &fixture->by_item;
    const float *solved = side == ALS_SIDE_USERS ? fixture->x : fixture->y;
    const float *fixed = side == ALS_SIDE_USERS ? fixture->y : fixture->x;
    size_t taken[ROW_KINDS] = {0};
    double worst[ROW_KINDS] = {0};
    double worst_of_few = 0; /* of rows that are solved directly, in the dual form */
    static double expected[FACTORS];
    size_t kinds = 0;

    als_reference_gram(fixture->gram, fixed, values->cols, FACTORS);
    for (size_t i = 0; i < values->rows; i++) {
        size_t row = i * 1009 % values->rows; /* 1009 is prime and divides neither side */
        enum row_kind kind = kind_of(values, row);
        int64_t entries = values->offsets[row + 1] - values->offsets[row];
        double error;

        if (entries == 0 || taken[kind]++ >= SAMPLES)
            continue;
        als_reference_row(expected, values, row, fixed, fixture->gram, &fixture->params);
        error = als_reference_error(solved + row * FACTORS, expected, FACTORS);
        worst[kind] = fmax(worst[kind], error);
        if (entries < ROW_HEAVY_LEAST)
            worst_of_few = fmax(worst_of_few, error);
    }
    for (size_t kind = 0; kind < ROW_KINDS; kind++) {
        if (taken[kind] == 0)
            continue;
        kinds++;
        print_message("%s %s, lambda %g: %zu of %zu rows, worst error %.1e\n",
                      side == ALS_SIDE_USERS ? "users" : "items", kind_names[kind], fixture->params.regularization,
                      taken[kind] < SAMPLES ? taken[kind] : SAMPLES, taken[kind], worst[kind]);
        assert_true(worst[kind] < 1e-3);
    }
    assert_true(worst_of_few > 0 && worst_of_few < 1e-5); /* 0: none of them was looked at */
    return kinds;
}

/* All iterations, half by half; rows are checked after the last two. */
static void check_training(struct fixture *fixture, double regularization, int iterations)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CPU);
    const struct als_problem problem = {.by_user = &fixture->golden.values,
                                        .by_item = &fixture->by_item,
                                        .params = &fixture->params,
                                        .x = fixture->x,
                                        .y = fixture->y};
    double last = INFINITY;
    double spent = 0;

    fixture->params.regularization = regularization;
    assert_int_equal(backend->create(&fixture->training, &problem, NULL), ERR_OK);
    for (int half = 0; half < 2 * iterations; half++) {
        enum als_side side = half % 2 == 0 ? ALS_SIDE_USERS : ALS_SIDE_ITEMS;
        double begin = seconds();
        struct err err = {0};
        double loss;

        if (backend->half_sweep(fixture->training, side, &err) != ERR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(backend->loss(fixture->training, &loss, NULL), ERR_OK);
        spent += seconds() - begin;
        if (!(loss < last))
            fail_msg("half-sweep %d: loss %.9g after %.9g", half + 1, loss, last);
        last = loss;
        if (half == 2 * iterations - 2)
            assert_true(check_rows(fixture, side) >= 6);
    }
    assert_true(check_rows(fixture, ALS_SIDE_ITEMS) >= 5);
    print_message("lambda %g: loss %.6g after %d iterations in %.1f s\n", regularization, last, iterations, spent);
}

static void exact_is_exact_in_the_quality_profile(void **state)
{
    load(*state);
    check_training(*state, 30, 8);
}

static void exact_is_exact_at_the_service_regularization(void **state)
{
    load(*state);
    check_training(*state, 0.005, 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exact_is_exact_in_the_quality_profile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exact_is_exact_at_the_service_regularization, set_up, tear_down),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
