/*
 * The whole search on a small shop in memory: what it reports, how it goes on after it was cut short, what fails.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_shop.h"
#include "worker/pipeline/search_job.h"
#include "worker/pipeline/search_results.h"

enum { NOW = 1767225600, DAY_S = 86400, USERS = 60, PRODUCTS = 40, TASTES = 4, ROWS = 12 };

/* Who listens: cancels before combination `stop_before` (0: never), and counts what is kept. */
struct listener {
    int stop_before;
    bool refuses;
    int kept;
    size_t most_results; /* of a report that was kept */
    bool kept_is_partial;
};

struct job {
    struct fake_shop shop;
    struct listener listener;
    struct search_params params;
    struct job_inputs inputs;
    struct json *report;
    struct json *earlier;
    struct err err;
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    const struct job *job = context;
    char *rest;
    long number;

    assert_true(fraction >= 0 && fraction <= 1 + 1e-9);
    if (job->listener.stop_before == 0 || strcmp(stage, "search") != 0 || note == NULL)
        return true;
    number = strtol(note, &rest, 10); /* "3 of 6: …"; of a baseline there is none */
    return strncmp(rest, " of ", 4) != 0 || number < job->listener.stop_before;
}

static bool on_keep(void *context, const struct json *report)
{
    struct job *job = context;
    struct listener *listener = &job->listener;
    bool partial = false;

    listener->kept++;
    listener->most_results = json_value_count(json_value_get(report, "all_results"));
    listener->kept_is_partial = json_value_get_bool(report, "partial", &partial) && partial;
    assert_non_null(strstr(json_value_get_text(report, "text"), "hyperparameter_search: unfinished after "));
    return !listener->refuses;
}

/* Users of a taste meet products of it, one after the other in 60 days; some products are everybody's. */
static void fill_shop(struct fake_shop *shop)
{
    uint32_t random = 3;

    shop->products = PRODUCTS;
    for (int i = 0; i < USERS * ROWS; i++) {
        char user[16];
        unsigned number = (unsigned)i % USERS;
        unsigned product;

        random = random * 1664525u + 1013904223u;
        product = (random >> 8) % 4 == 0 ? 1 + (random >> 16) % PRODUCTS
                                         : 1 + number % TASTES + TASTES * ((random >> 16) % (PRODUCTS / TASTES));
        (void)snprintf(user, sizeof user, "user-%02u", number);
        fake_shop_add_plain(shop, ACTION_PURCHASE, user, product,
                            NOW - 60 * DAY_S + (int64_t)i * 60 * DAY_S / (USERS * ROWS));
    }
}

static int start(void **state)
{
    struct job *job = calloc(1, sizeof *job);

    assert_non_null(job);
    fill_shop(&job->shop);
    job->params = (struct search_params){
        .rows = {.fetch = {.now_s = NOW, .window_days = 365, .keep_window_days = 365},
                 .outliers = {.max_per_day = 150}},
        .weigh = {.weights = {1, .7, .5, .3, .1}, .decay_days = 25, .repeat_factor = .8, .now_s = NOW},
        .matrix = {.min_user_rows = 1, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = .3},
        .als = {.solver = ALS_SOLVER_EXACT,
                .backend = ALS_BACKEND_CPU,
                .factors = 4,
                .regularization = 1,
                .alpha = 10,
                .iterations = 2,
                .cg_steps = 3,
                .seed = 42,
                .threads = 1},
        .grid = {.solver_count = 1,
                 .solvers = {ALS_SOLVER_EXACT},
                 .factors_count = 1,
                 .factors = {4},
                 .regularization_count = 3,
                 .regularization = {1, 10, .1},
                 .alpha_count = 1,
                 .alpha = {10},
                 .iterations_count = 2,
                 .iterations = {2, 5}},
        .most_combinations = 30,
        .search_seed = 123,
        .test_days = 14,
        .warm_start = true,
    };
    job->inputs = (struct job_inputs){.source = fake_shop_source(&job->shop),
                                      .progress = {.fn = on_progress, .keep = on_keep, .context = job}};
    *state = job;
    return 0;
}

static int stop(void **state)
{
    struct job *job = *state;

    fake_shop_fini(&job->shop);
    json_value_destroy(job->report);
    json_value_destroy(job->earlier);
    free(job);
    return 0;
}

static enum err_code run(struct job *job)
{
    json_value_destroy(job->report);
    job->report = NULL;
    return search_job_run(&job->report, &job->params, &job->inputs, &job->err);
}

static void run_well(struct job *job)
{
    if (run(job) != ERR_OK)
        fail_msg("%s", job->err.message);
}

static const struct json *results_of(const struct job *job)
{
    return json_value_get(job->report, "all_results");
}

static double real_of(const struct json *object, const char *key)
{
    double value;

    if (!json_value_get_double(object, key, &value))
        fail_msg("%s is missing", key);
    return value;
}

static int64_t int_of(const struct json *object, const char *key)
{
    int64_t value;

    if (!json_value_get_int64(object, key, &value))
        fail_msg("%s is missing", key);
    return value;
}

/* The result of a point of this grid, or NULL. */
static const struct json *find_result(const struct json *report, double regularization, int64_t iterations)
{
    const struct json *results = json_value_get(report, "all_results");

    for (size_t i = 0; i < json_value_count(results); i++) {
        const struct json *params = json_value_get(json_value_at(results, i), "params");

        if (real_of(params, "regularization") == regularization && int_of(params, "iterations") == iterations)
            return json_value_at(results, i);
    }
    return NULL;
}

static const struct json *result_of(const struct json *report, double regularization, int64_t iterations)
{
    const struct json *result = find_result(report, regularization, iterations);

    if (result == NULL)
        fail_msg("there is no result of regularization %g, %d iterations", regularization, (int)iterations);
    return result;
}

/* Both reports have the same figures for every point, to the last bit. */
static void assert_same_figures(const struct json *report, const struct json *other)
{
    static const double regularizations[] = {1, 10, .1};
    static const char *const metrics[] = {"precision_at_10", "precision_at_5", "map_at_10", "ndcg_at_10", "auc_at_10"};

    for (size_t i = 0; i < 6; i++) {
        const struct json *a = result_of(report, regularizations[i / 2], i % 2 == 0 ? 2 : 5);
        const struct json *b = result_of(other, regularizations[i / 2], i % 2 == 0 ? 2 : 5);

        assert_true(real_of(a, "score") == real_of(b, "score"));
        assert_true(real_of(a, "loss") == real_of(b, "loss"));
        for (size_t j = 0; j < sizeof metrics / sizeof metrics[0]; j++)
            assert_true(real_of(json_value_get(a, "metrics"), metrics[j]) ==
                        real_of(json_value_get(b, "metrics"), metrics[j]));
    }
}

static const struct json *combinations_of(const struct job *job)
{
    return json_value_get(json_value_get(job->report, "test_info"), "combinations");
}

static bool has_warning(const struct job *job, const char *part)
{
    const struct json *warnings = json_value_get(job->report, "warnings");

    for (size_t i = 0; i < json_value_count(warnings); i++) {
        if (strstr(json_value_text(json_value_at(warnings, i)), part) != NULL)
            return true;
    }
    return false;
}

static void a_search_tries_every_point_and_tells_the_best(void **state)
{
    struct job *job = *state;
    const struct json *results;
    double best = 0;

    run_well(job);
    results = results_of(job);
    assert_int_equal(json_value_count(results), 6);
    for (size_t i = 0; i < 6; i++) {
        const struct json *metrics = json_value_get(json_value_at(results, i), "metrics");
        double score = real_of(json_value_at(results, i), "score");

        assert_true(fabs(score - (.25 * real_of(metrics, "precision_at_10") + .2 * real_of(metrics, "precision_at_5") +
                                  .2 * real_of(metrics, "auc_at_10") + .2 * real_of(metrics, "map_at_10") +
                                  .15 * real_of(metrics, "ndcg_at_10"))) < 1e-12);
        assert_true(score > .1 && score < 1);
        best = fmax(best, score);
    }
    assert_true(real_of(job->report, "best_score") == best);
    assert_true(real_of(result_of(job->report, real_of(json_value_get(job->report, "best_params"), "regularization"),
                                  int_of(json_value_get(job->report, "best_params"), "iterations")),
                        "score") == best);
    assert_int_equal(int_of(combinations_of(job), "ended"), 6);
    assert_int_equal(int_of(combinations_of(job), "failed"), 0);
    assert_null(json_value_get(job->report, "partial"));
    assert_null(json_value_get(job->report, "resumable"));
    assert_int_equal(json_value_count(json_value_get(job->report, "baselines")), 3);
    assert_non_null(json_value_get(json_value_get(json_value_get(job->report, "baselines"), "ease"), "score"));
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "item_cosine\n"));
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "  as set\n"));
}

static void training_goes_on_from_fewer_iterations_to_the_same_model(void **state)
{
    struct job *job = *state;
    struct json *warm;

    run_well(job);
    warm = job->report;
    job->report = NULL;
    assert_int_equal(int_of(result_of(warm, 10, 5), "continued_from"), 2);
    assert_null(json_value_get(result_of(warm, 10, 2), "continued_from"));
    job->params.warm_start = false;
    run_well(job);
    assert_null(json_value_get(result_of(job->report, 10, 5), "continued_from"));
    assert_same_figures(warm, job->report);
    json_value_destroy(warm);
}

static void with_a_tolerance_every_point_is_trained_anew(void **state)
{
    struct job *job = *state;

    job->params.als.tolerance = .4;
    run_well(job);
    assert_null(json_value_get(result_of(job->report, 10, 5), "continued_from"));
    assert_true(real_of(result_of(job->report, 10, 5), "loss") > 0);
}

/* Whose momentum is not that of a training that goes on. */
static void with_acceleration_every_point_is_trained_anew(void **state)
{
    struct job *job = *state;

    job->params.als.acceleration = true;
    run_well(job);
    assert_null(json_value_get(result_of(job->report, 10, 5), "continued_from"));
    assert_true(real_of(result_of(job->report, 10, 5), "loss") > 0);
}

static void of_a_large_grid_some_are_drawn(void **state)
{
    struct job *job = *state;

    job->params.most_combinations = 3;
    run_well(job);
    assert_int_equal(json_value_count(results_of(job)), 3);
    assert_int_equal(int_of(combinations_of(job), "grid"), 6);
    assert_int_equal(int_of(combinations_of(job), "chosen"), 3);
    assert_non_null(find_result(job->report, 1, 2)); /* as set */
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "3 of 3 have ended, drawn from a grid of 6\n"));
}

static void each_validation_tells_what_it_held_out(void **state)
{
    struct job *job = *state;
    const struct json *info;
    int64_t train;

    run_well(job);
    info = json_value_get(job->report, "test_info");
    assert_string_equal(json_value_get_text(info, "validation"), "time");
    assert_int_equal(int_of(info, "test_days"), 14);
    job->params.test_days = 20;
    run_well(job);
    assert_int_equal(int_of(json_value_get(job->report, "test_info"), "test_days"), 14);
    assert_true(has_warning(job, "14 days are held out, not 20: that would be more than a quarter of all"));
    job->params.validation = SEARCH_RANDOM;
    job->params.bm25_before = true;
    run_well(job);
    info = json_value_get(job->report, "test_info");
    assert_string_equal(json_value_get_text(info, "validation"), "random");
    assert_string_equal(json_value_get_text(info, "bm25"), "before");
    assert_null(json_value_get(info, "test_days"));
    train = int_of(json_value_get(info, "train"), "pairs");
    assert_in_range(int_of(info, "test_pairs") * 100 / (train + int_of(info, "test_pairs")), 15, 25);
    job->params.validation = SEARCH_LAST_OUT;
    job->params.bm25_before = false;
    run_well(job);
    info = json_value_get(job->report, "test_info");
    assert_string_equal(json_value_get_text(info, "validation"), "last_out");
    assert_int_equal(int_of(info, "test_pairs"), USERS);
    assert_int_equal(int_of(info, "users"), USERS);
}

/* Runs until before combination `number`; its report becomes job->earlier. */
static void cut_short(struct job *job, int number)
{
    job->listener.stop_before = number;
    assert_int_equal(run(job), ERR_CANCELLED);
    job->listener.stop_before = 0;
    job->earlier = job->report;
    job->report = NULL;
}

static void what_ended_before_a_cancel_is_kept_and_not_done_again(void **state)
{
    struct job *job = *state;
    struct json *whole;
    bool resumable = false;

    run_well(job);
    whole = job->report;
    job->report = NULL;
    cut_short(job, 4);
    assert_int_equal(json_value_count(json_value_get(job->earlier, "all_results")), 3);
    assert_true(json_value_get_bool(job->earlier, "resumable", &resumable) && resumable);
    assert_null(json_value_get(job->earlier, "partial"));
    assert_non_null(json_value_get(job->earlier, "best_params"));
    assert_non_null(strstr(json_value_get_text(job->earlier, "text"), "hyperparameter_search: cancelled after "));

    job->params.earlier = job->earlier;
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 3);
    assert_int_equal(int_of(combinations_of(job), "ended"), 6);
    for (size_t i = 0; i < 6; i++) /* those of before come first */
        assert_int_equal(json_value_get(json_value_at(results_of(job), i), "reused") != NULL, i < 3);
    assert_null(json_value_get(result_of(job->report, 10, 5), "continued_from")); /* what it follows is not at hand */
    assert_same_figures(whole, job->report);
    assert_true(real_of(whole, "best_score") == real_of(job->report, "best_score"));
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "6 of 6 have ended, 3 of them in an earlier"));
    json_value_destroy(whole);
}

static void nothing_is_trained_where_all_has_ended(void **state)
{
    struct job *job = *state;

    run_well(job);
    job->earlier = job->report;
    job->report = NULL;
    job->params.earlier = job->earlier;
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 6);
    assert_same_figures(job->earlier, job->report);
}

static void other_data_or_parameters_are_a_new_search(void **state)
{
    struct job *job = *state;

    cut_short(job, 4);
    job->params.earlier = job->earlier;
    job->params.als.seed = 7;
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 0);
    assert_true(has_warning(job, "the data are not the same any more, so every combination is tried anew"));
    job->params.als.seed = 42;
    job->params.als.acceleration = true;
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 0);
    job->params.als.acceleration = false;
    fake_shop_add_plain(&job->shop, ACTION_PURCHASE, "user-01", 3, NOW - 50 * DAY_S);
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 0);
    job->params.earlier = NULL;
    job->params.not_resumed = "they are old";
    run_well(job);
    assert_true(has_warning(job, "an earlier attempt's results are not taken over: they are old"));
}

static void what_comes_in_after_now_changes_nothing(void **state)
{
    struct job *job = *state;

    cut_short(job, 4);
    job->params.earlier = job->earlier;
    fake_shop_add_plain(&job->shop, ACTION_PURCHASE, "user-01", 3, NOW);
    fake_shop_add_plain(&job->shop, ACTION_PURCHASE, "user-01", 4, NOW + 600);
    fake_shop_add_plain(&job->shop, ACTION_PURCHASE, "user-01", 4, NOW + 2 * DAY_S);
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 3);
    assert_int_equal(
        int_of(json_value_get(json_value_at(json_value_get(job->report, "stages"), 0), "dropped"), "not_before_now"),
        2);
}

static void an_attempt_that_fails_early_passes_on_what_it_was_given(void **state)
{
    struct job *job = *state;

    cut_short(job, 4);
    job->params.earlier = job->earlier;
    job->shop.activities_fail = ERR_NETWORK;
    assert_int_equal(run(job), ERR_NETWORK);
    assert_int_equal(json_value_count(results_of(job)), 3);
    json_value_destroy(job->earlier);
    job->earlier = job->report;
    job->report = NULL;
    job->params.earlier = job->earlier;
    job->shop.activities_fail = ERR_OK;
    run_well(job);
    assert_int_equal(int_of(combinations_of(job), "reused"), 3);
}

static void a_combination_that_fails_is_listed(void **state)
{
    struct job *job = *state;
    const struct json *results;
    size_t failed = 0;

    job->params.grid.alpha_count = 2;
    job->params.grid.alpha[1] = 0;
    run_well(job);
    results = results_of(job);
    assert_int_equal(json_value_count(results), 12);
    for (size_t i = 0; i < 12; i++) {
        const struct json *error = json_value_get(json_value_at(results, i), "error");

        if (error == NULL)
            continue;
        failed++;
        assert_string_equal(json_value_get_text(error, "code"), "argument");
        assert_string_equal(json_value_get_text(error, "message"), "alpha 0 is not a number > 0");
        assert_null(json_value_get(json_value_at(results, i), "score"));
    }
    assert_int_equal(failed, 6);
    assert_int_equal(int_of(combinations_of(job), "failed"), 6);
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "    alpha 0 is not a number > 0\n"));
}

static void where_all_fail_the_job_does(void **state)
{
    struct job *job = *state;

    job->params.grid.alpha[0] = 0;
    assert_int_equal(run(job), ERR_ARGUMENT);
    assert_string_equal(job->err.message, "none of the 6 combinations could be tried: alpha 0 is not a number > 0");
    assert_int_equal(json_value_count(results_of(job)), 6);
    assert_null(json_value_get(job->report, "best_params"));
}

static void the_report_so_far_is_kept(void **state)
{
    struct job *job = *state;

    run_well(job);
    assert_int_equal(job->listener.kept, 7); /* after the baselines and each combination */
    assert_int_equal(job->listener.most_results, 6);
    assert_true(job->listener.kept_is_partial);
    job->listener = (struct listener){0};
    job->params.keep_every_ms = 3600000;
    run_well(job);
    assert_int_equal(job->listener.kept, 1);
    job->listener = (struct listener){.refuses = true};
    job->params.keep_every_ms = 0;
    run_well(job);
    assert_true(job->listener.kept > 7); /* again with each iteration */
}

static void the_best_carries_what_else_a_training_needs(void **state)
{
    static const char given[] = "{\"bm25_k1\":1.5,\"factors\":[4,8],\"validation\":\"time\",\"now\":5,\"cg_steps\":4}";
    struct job *job = *state;
    struct json *params;
    const struct json *best;

    assert_int_equal(json_value_parse(&params, given, strlen(given), NULL), ERR_OK);
    job->params.given = params;
    run_well(job);
    best = json_value_get(job->report, "best_params");
    assert_int_equal(json_value_count(best), 7);
    assert_true(real_of(best, "bm25_k1") == 1.5);
    assert_int_equal(int_of(best, "cg_steps"), 4);
    assert_int_equal(int_of(best, "factors"), 4);
    json_value_destroy(params);
}

static void the_best_at_an_end_of_the_grid_is_warned_of(void **state)
{
    struct job *job = *state;
    double best;
    char text[64];

    run_well(job);
    best = real_of(json_value_get(job->report, "best_params"), "regularization");
    (void)snprintf(text, sizeof text, "the best regularization, %g, is the", best);
    assert_int_equal(has_warning(job, text), best != 1);
    assert_false(has_warning(job, "the best alpha"));
}

static void a_search_can_be_stopped_in_each_stage(void **state)
{
    struct job *job = *state;

    for (int number = 1; number <= 6; number++) {
        cut_short(job, number);
        assert_int_equal(json_value_count(json_value_get(job->earlier, "all_results")), number - 1);
        json_value_destroy(job->earlier);
        job->earlier = NULL;
    }
}

#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(a_search_tries_every_point_and_tells_the_best),
        JOB_TEST(training_goes_on_from_fewer_iterations_to_the_same_model),
        JOB_TEST(with_a_tolerance_every_point_is_trained_anew),
        JOB_TEST(with_acceleration_every_point_is_trained_anew),
        JOB_TEST(of_a_large_grid_some_are_drawn),
        JOB_TEST(each_validation_tells_what_it_held_out),
        JOB_TEST(what_ended_before_a_cancel_is_kept_and_not_done_again),
        JOB_TEST(nothing_is_trained_where_all_has_ended),
        JOB_TEST(other_data_or_parameters_are_a_new_search),
        JOB_TEST(what_comes_in_after_now_changes_nothing),
        JOB_TEST(an_attempt_that_fails_early_passes_on_what_it_was_given),
        JOB_TEST(a_combination_that_fails_is_listed),
        JOB_TEST(where_all_fail_the_job_does),
        JOB_TEST(the_report_so_far_is_kept),
        JOB_TEST(the_best_carries_what_else_a_training_needs),
        JOB_TEST(the_best_at_an_end_of_the_grid_is_warned_of),
        JOB_TEST(a_search_can_be_stopped_in_each_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
