/*
 * Which grid a search has, by settings and parameters, and which earlier attempt counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/job_setup_search.h"

enum { NOW = 1767225600, DAY_S = 86400 };

struct scene {
    struct worker_settings settings;
    struct json *params;
    struct json *earlier;
    struct search_params out;
};

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->settings.window_days = 365;
    scene->settings.als.seed = 42;
    settings_profile_apply(&scene->settings.als, SETTINGS_PROFILE_QUALITY);
    *state = scene;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;

    json_value_destroy(scene->params);
    json_value_destroy(scene->earlier);
    free(scene);
    return 0;
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;

    assert_int_equal(json_value_parse(&value, text, strlen(text), NULL), ERR_OK);
    return value;
}

static const struct search_params *set_up(struct scene *scene, const char *params, const char *earlier)
{
    json_value_destroy(scene->params);
    json_value_destroy(scene->earlier);
    scene->params = params != NULL ? parse(params) : NULL;
    scene->earlier = earlier != NULL ? parse(earlier) : NULL;
    job_setup_search(&scene->out, &scene->settings, scene->params, scene->earlier, NOW);
    return &scene->out;
}

static void assert_reals(const double *values, size_t count, const double *expected, size_t expected_count)
{
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == expected[i]);
}

static void without_parameters_the_settings_and_what_is_around_them_are_tried(void **state)
{
    static const double regularization[] = {.005, .1, 1, 10, 100, 30};
    static const double alpha[] = {10, 100, 800};
    const struct search_params *out = set_up(*state, NULL, NULL);
    const struct search_grid *grid = &out->grid;

    assert_reals(grid->regularization, grid->regularization_count, regularization, 6);
    assert_reals(grid->alpha, grid->alpha_count, alpha, 3);
    assert_int_equal(grid->factors_count, 2);
    assert_true(grid->factors[0] == 200 && grid->factors[1] == 800);
    assert_true(grid->iterations_count == 1 && grid->iterations[0] == 8);
    assert_true(grid->solver_count == 1 && grid->solvers[0] == ALS_SOLVER_EXACT);
    assert_int_equal(out->most_combinations, 30);
    assert_int_equal(out->search_seed, 123);
    assert_int_equal(out->validation, SEARCH_BY_TIME);
    assert_int_equal(out->test_days, 14);
    assert_true(out->warm_start && !out->bm25_before);
    assert_int_equal(out->rows.fetch.now_s, NOW);
}

static void the_settings_point_is_that_of_the_profile(void **state)
{
    const struct search_params *out = set_up(*state, "{\"profile\":\"service\"}", NULL);

    assert_int_equal(out->grid.solvers[0], ALS_SOLVER_CG);
    assert_int_equal(out->grid.iterations[0], 35);
    assert_int_equal(out->grid.regularization_count, 5); /* .005 is there already */
}

static void lists_and_single_values_are_the_grid(void **state)
{
    const struct search_params *out =
        set_up(*state,
               "{\"factors\":[64,128],\"regularization\":2.5,\"alpha\":[1,0.5],\"iterations\":7,"
               "\"solver\":[\"cg\",\"cholesky\"],\"max_combinations\":9,\"search_seed\":4,\"validation\":\"random\","
               "\"bm25\":\"before\",\"warm_start\":false,\"now\":77,\"seed\":5}",
               NULL);
    const struct search_grid *grid = &out->grid;

    assert_true(grid->factors_count == 2 && grid->factors[0] == 64 && grid->factors[1] == 128);
    assert_true(grid->regularization_count == 1 && grid->regularization[0] == 2.5);
    assert_true(grid->alpha_count == 2 && grid->alpha[0] == 1 && grid->alpha[1] == .5);
    assert_true(grid->iterations_count == 1 && grid->iterations[0] == 7);
    assert_true(grid->solver_count == 2 && grid->solvers[0] == ALS_SOLVER_CG &&
                grid->solvers[1] == ALS_SOLVER_CHOLESKY);
    assert_true(out->most_combinations == 9 && out->search_seed == 4 && out->als.seed == 5);
    assert_true(out->validation == SEARCH_RANDOM && out->bm25_before && !out->warm_start);
    assert_true(out->rows.fetch.now_s == 77 && out->weigh.now_s == 77);
    /* the point of the settings has what is given once, and its own where there is a choice */
    assert_true(out->als.regularization == 2.5 && out->als.iterations == 7);
    assert_true(out->als.factors == 800 && out->als.solver == ALS_SOLVER_EXACT);
}

static void a_single_solver_is_the_grids(void **state)
{
    const struct search_params *out = set_up(*state, "{\"solver\":\"cg\",\"validation\":\"last_out\"}", NULL);

    assert_true(out->grid.solver_count == 1 && out->grid.solvers[0] == ALS_SOLVER_CG);
    assert_int_equal(out->validation, SEARCH_LAST_OUT);
}

static void few_factors_have_no_fewer_beside_them(void **state)
{
    struct scene *scene = *state;
    const struct search_params *out;

    scene->settings.als.factors = 3;
    scene->settings.als_given.factors = true;
    out = set_up(scene, NULL, NULL);
    assert_true(out->grid.factors_count == 1 && out->grid.factors[0] == 3);
}

static void an_earlier_attempt_sets_the_time(void **state)
{
    const struct search_params *out = set_up(*state, NULL, "{\"resumable\":true,\"now\":1767139200}");

    assert_non_null(out->earlier);
    assert_null(out->not_resumed);
    assert_int_equal(out->rows.fetch.now_s, 1767139200);
    assert_int_equal(out->weigh.now_s, 1767139200);
}

static void one_that_is_old_or_says_nothing_does_not_count(void **state)
{
    const struct search_params *out = set_up(*state, NULL, "{\"resumable\":true,\"now\":1766534400}"); /* 8 days */

    assert_null(out->earlier);
    assert_string_equal(out->not_resumed, "they are not of the last 7 days");
    assert_int_equal(out->rows.fetch.now_s, NOW);
    out = set_up(*state, NULL, "{\"now\":1767139200}");
    assert_true(out->earlier == NULL && out->not_resumed == NULL && out->rows.fetch.now_s == NOW);
    out = set_up(*state, NULL, "{\"resumable\":true,\"now\":1767225601}"); /* of the future: a clock went back */
    assert_null(out->earlier);
}

static void a_time_that_is_given_wins(void **state)
{
    const struct search_params *out = set_up(*state, "{\"now\":77}", "{\"resumable\":true,\"now\":1767139200}");

    assert_int_equal(out->rows.fetch.now_s, 77);
    assert_non_null(out->earlier); /* whether its data are these is the search's to find out */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_parameters_the_settings_and_what_is_around_them_are_tried),
        TEST(the_settings_point_is_that_of_the_profile),
        TEST(lists_and_single_values_are_the_grid),
        TEST(a_single_solver_is_the_grids),
        TEST(few_factors_have_no_fewer_beside_them),
        TEST(an_earlier_attempt_sets_the_time),
        TEST(one_that_is_old_or_says_nothing_does_not_count),
        TEST(a_time_that_is_given_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
