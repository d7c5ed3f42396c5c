/* cg from the golden start: losses, lists and neighbours. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "als_golden.h"
#include "common/base/mem.h"
#include "worker/als/als.h"

enum { MOST_ITERATIONS = 35 };

static const char *const variants[] = {"online_retail/intended",   "online_retail/intended_100d",
                                       "online_retail/as_written", "online_retail/as_written_100d",
                                       "retailrocket/intended",    "retailrocket/as_written"};

static const struct als_params als64 = {.solver = ALS_SOLVER_CG,
                                        .factors = 64,
                                        .regularization = 0.01,
                                        .alpha = 40,
                                        .iterations = 15,
                                        .cg_steps = 3,
                                        .seed = 42};

static const struct als_params als800 = {.solver = ALS_SOLVER_CG,
                                         .factors = 800,
                                         .regularization = 0.005,
                                         .alpha = 800,
                                         .iterations = 35,
                                         .cg_steps = 3,
                                         .seed = 42};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Trains and compares every loss of the file. */
static void follow_curve(struct als_model *model, const struct als_golden *golden, const struct als_params *params,
                         const char *file, double tolerance)
{
    double expected[MOST_ITERATIONS];
    double loss[MOST_ITERATIONS];
    double worst = 0;
    double begin = seconds();
    struct err err = {0};

    als_golden_losses(golden, file, expected, (size_t)params->iterations);
    if (als_train(model, &golden->values, params, NULL, loss, &err) != ERR_OK)
        fail_msg("%s: %s", golden->variant, err.message);
    for (int i = 0; i < params->iterations; i++)
        worst = fmax(worst, fabs(loss[i] / expected[i] - 1));
    print_message("%s, %s: losses differ by at most %.2g of themselves; %.1f s\n", golden->variant, file, worst,
                  seconds() - begin);
    assert_true(worst < tolerance);
}

static void check_lists(const struct als_golden *golden, const struct als_model *model, const char *file)
{
    struct als_lists lists;
    double overlap;

    assert_int_equal(
        als_top_items(&lists, model, golden->candidates, golden->candidate_count, ALS_GOLDEN_LIST, 0, NULL), ERR_OK);
    overlap = als_golden_overlap(golden, file, &lists);
    print_message("%s, %s: mean overlap of the 18 is %.4f\n", golden->variant, file, overlap);
    assert_true(overlap >= 0.75);
    als_lists_fini(&lists);
}

static void check_similar(const struct als_golden *golden, const struct als_model *model)
{
    struct als_lists lists;
    int32_t *all = mem_zeroed(golden->items, sizeof *all);
    double overlap;

    assert_non_null(all);
    for (size_t item = 0; item < golden->items; item++)
        all[item] = (int32_t)item;
    assert_int_equal(als_similar_items(&lists, model, all, golden->items, 9, 0.3F, 0, NULL), ERR_OK);
    overlap = als_golden_similar_overlap(golden, "als64_similar.csv", &lists);
    print_message("%s: mean overlap of the neighbours is %.4f\n", golden->variant, overlap);
    assert_true(overlap >= 0.75);
    als_lists_fini(&lists);
    free(all);
}

static void check_64(const char *variant)
{
    struct als_golden golden;
    struct als_model model;

    als_golden_init(&golden, variant);
    follow_curve(&model, &golden, &als64, "als64.json", 2e-3);
    check_lists(&golden, &model, "als64_lists.csv");
    check_similar(&golden, &model);
    als_model_fini(&model);
    als_golden_fini(&golden);
}

static void cg_follows_the_losses_and_lists_of_64_factors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        check_64(variants[i]);
}

static void cg_follows_the_losses_of_800_factors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct als_golden golden;
        struct als_model model;

        als_golden_init(&golden, variants[i]);
        follow_curve(&model, &golden, &als800, "als800.json", 1e-2);
        als_model_fini(&model);
        als_golden_fini(&golden);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cg_follows_the_losses_and_lists_of_64_factors),
        cmocka_unit_test(cg_follows_the_losses_of_800_factors),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
