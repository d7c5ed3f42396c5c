#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/search_grid.h"

/* 2 x 2 x 3 x 2 x 3 = 72 points; iterations are not in order */
static const struct search_grid grid = {.solver_count = 2,
                                        .solvers = {ALS_SOLVER_EXACT, ALS_SOLVER_CG},
                                        .factors_count = 2,
                                        .factors = {8, 16},
                                        .regularization_count = 3,
                                        .regularization = {.1, 1, 10},
                                        .alpha_count = 2,
                                        .alpha = {40, 800},
                                        .iterations_count = 3,
                                        .iterations = {9, 3, 5}};
static const struct search_point usual = {
    .solver = ALS_SOLVER_CG, .factors = 16, .regularization = 1, .alpha = 40, .iterations = 5};

static struct search_point *draw(size_t most, uint64_t seed, const struct search_point *set, size_t *count)
{
    struct search_point *points;
    struct err err;

    if (search_grid_draw(&points, count, &grid, set, most, seed, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return points;
}

static bool holds(const struct search_point *points, size_t count, const struct search_point *point)
{
    for (size_t i = 0; i < count; i++) {
        if (search_point_equal(&points[i], point))
            return true;
    }
    return false;
}

static void assert_different(const struct search_point *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_false(holds(points, i, &points[i]));
}

static void a_grid_that_fits_is_tried_as_a_whole(void **state)
{
    size_t count;
    struct search_point *points = draw(72, 1, &usual, &count);

    (void)state;
    assert_int_equal(search_grid_size(&grid), 72);
    assert_int_equal(count, 72);
    assert_different(points, count);
    for (size_t i = 0; i < 3; i++) { /* the usual model first */
        assert_int_equal(points[i].solver, ALS_SOLVER_CG);
        assert_true(points[i].factors == 16 && points[i].regularization == 1 && points[i].alpha == 40);
    }
    free(points);
}

static void more_iterations_follow_fewer(void **state)
{
    static const int ascending[] = {3, 5, 9};
    size_t count;
    struct search_point *points = draw(1000, 1, &usual, &count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(points[i].iterations, ascending[i % 3]);
        assert_int_equal(i % 3 > 0, i > 0 && search_point_continues(&points[i], &points[i - 1]));
    }
    free(points);
}

static void a_draw_has_different_points_and_the_usual_one(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t count;
        size_t most = 1 + seed % 71;
        struct search_point *points = draw(most, seed, &usual, &count);

        assert_int_equal(count, most);
        assert_different(points, count);
        assert_true(holds(points, count, &usual));
        free(points);
    }
}

static void a_seed_draws_the_same_again_and_another_one_does_not(void **state)
{
    size_t count;
    struct search_point *first = draw(20, 123, &usual, &count);
    struct search_point *again = draw(20, 123, &usual, &count);
    struct search_point *other = draw(20, 124, &usual, &count);
    size_t common = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_true(search_point_equal(&first[i], &again[i]));
        common += holds(other, count, &first[i]);
    }
    assert_true(common < count);
    free(first);
    free(again);
    free(other);
}

/* Of 72 points 18 are drawn: each in a quarter of 2,000 draws, give or take five standard deviations of 19. */
static void every_point_is_drawn_as_often(void **state)
{
    const struct search_point none = {.factors = 1};
    size_t counts[72] = {0};
    size_t all_count;
    struct search_point *all = draw(72, 1, &none, &all_count);

    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        size_t count;
        struct search_point *points = draw(18, seed, &none, &count);

        for (size_t i = 0; i < all_count; i++)
            counts[i] += holds(points, count, &all[i]);
        free(points);
    }
    for (size_t i = 0; i < all_count; i++)
        assert_in_range(counts[i], 500 - 95, 500 + 95);
    free(all);
}

static void a_point_goes_to_parameters_and_back(void **state)
{
    struct als_params params = {.seed = 7, .cg_steps = 3};
    struct search_point back;

    (void)state;
    search_point_apply(&params, &usual);
    assert_true(params.seed == 7 && params.factors == 16 && params.iterations == 5);
    back = search_point_of(&params);
    assert_true(search_point_equal(&back, &usual));
    assert_false(search_point_continues(&back, &usual));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_that_fits_is_tried_as_a_whole),
        cmocka_unit_test(more_iterations_follow_fewer),
        cmocka_unit_test(a_draw_has_different_points_and_the_usual_one),
        cmocka_unit_test(a_seed_draws_the_same_again_and_another_one_does_not),
        cmocka_unit_test(every_point_is_drawn_as_often),
        cmocka_unit_test(a_point_goes_to_parameters_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
