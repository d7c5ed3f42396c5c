/*
 * A search when memory runs out: the n-th allocation fails, for n = 1, 2, … until none does. It ends with an error that
 * says so, or without what could not be made; nothing leaks (the sanitizers' builds look).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_shop.h"
#include "tests/support/failing_memory.h"
#include "worker/pipeline/search_job.h"

enum { NOW = 1767225600, DAY_S = 86400, USERS = 12, PRODUCTS = 12 };

static struct search_params params_of(enum search_validation validation)
{
    return (struct search_params){
        .rows = {.fetch = {.now_s = NOW, .window_days = 365, .keep_window_days = 365},
                 .outliers = {.max_per_day = 150}},
        .weigh = {.weights = {1, .7, .5, .3, .1}, .decay_days = 25, .repeat_factor = .8, .now_s = NOW},
        .matrix = {.min_user_rows = 1, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = .3},
        .als =
            {.backend = ALS_BACKEND_CPU, .factors = 2, .regularization = 1, .alpha = 10, .iterations = 1, .threads = 1},
        .grid = {.solver_count = 1,
                 .factors_count = 1,
                 .factors = {2},
                 .regularization_count = 1,
                 .regularization = {1},
                 .alpha_count = 1,
                 .alpha = {10},
                 .iterations_count = 2,
                 .iterations = {1, 2}},
        .most_combinations = 30,
        .test_days = 14,
        .validation = validation,
        .warm_start = true};
}

static int start(void **state)
{
    struct fake_shop *shop = calloc(1, sizeof *shop);

    assert_non_null(shop);
    shop->products = PRODUCTS;
    for (int i = 0; i < USERS * 5; i++) {
        char user[16];

        (void)snprintf(user, sizeof user, "user-%02d", i % USERS);
        fake_shop_add_plain(shop, ACTION_PURCHASE, user, 1 + (i % USERS * 5 + i / USERS * 7) % PRODUCTS,
                            NOW - 60 * DAY_S + (int64_t)i * DAY_S);
    }
    *state = shop;
    return 0;
}

static int stop(void **state)
{
    fake_shop_fini(*state);
    free(*state);
    return 0;
}

/* One allocation more succeeds each time, until all do. */
static void run_until_it_succeeds(struct fake_shop *shop, enum search_validation validation)
{
    const struct search_params params = params_of(validation);
    const struct job_inputs inputs = {.source = fake_shop_source(shop)};
    size_t errors = 0;
    size_t n = 0;

    do {
        struct json *report = NULL;
        struct err err = {0};
        enum err_code rc;

        failing_memory_set(++n);
        rc = search_job_run(&report, &params, &inputs, &err);
        failing_memory_set(0);
        json_value_destroy(report);
        if (rc != ERR_OK &&
            (rc != ERR_NO_MEMORY || !failing_memory_has_failed() || strstr(err.message, "memory") == NULL))
            fail_msg("allocation %zu: %s", n, err.message);
        errors += rc != ERR_OK;
        assert_true(n < 100000);
    } while (failing_memory_has_failed());
    print_message("%zu allocations failed one by one, %zu of them ended the run\n", n - 1, errors);
    assert_true(errors > 30);
}

static void by_time_each_lack_of_memory_is_told_or_survived(void **state)
{
    run_until_it_succeeds(*state, SEARCH_BY_TIME);
}

static void at_random_it_is_the_same(void **state)
{
    run_until_it_succeeds(*state, SEARCH_RANDOM);
}

static void with_the_last_one_out_it_is_the_same(void **state)
{
    run_until_it_succeeds(*state, SEARCH_LAST_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_time_each_lack_of_memory_is_told_or_survived, start, stop),
        cmocka_unit_test_setup_teardown(at_random_it_is_the_same, start, stop),
        cmocka_unit_test_setup_teardown(with_the_last_one_out_it_is_the_same, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
