/*
 * The stages when memory runs out: the n-th allocation fails, for n = 1, 2, … until the run succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/failing_memory.h"
#include "worker/pipeline/analytics.h"
#include "worker/pipeline/clean.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"

/* Parsed beforehand: the JSON library's own memory is not under test. */
struct served {
    struct json *activities[40];
    struct json *product;
};

static struct json *parse(const char *text)
{
    struct json *value;

    assert_int_equal(json_value_parse(&value, text, strlen(text), NULL), ERR_OK);
    return value;
}

static int serve(void **state)
{
    struct served *served = calloc(1, sizeof *served);
    char text[200];

    assert_non_null(served);
    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"id\":%zu,\"action\":\"purchase\",\"user_uid\":\"u%zu\",\"created\":%zu,"
                       "\"info\":{\"content_ids\":\",%zu,%zu,7,\"}}",
                       i / 2, i % 5, 86400 * i, i % 3, i % 4);
        served->activities[i] = parse(text);
    }
    served->product = parse("{\"id\":1,\"stock\":1,\"status\":\"Published\",\"title\":\"T\"}");
    *state = served;
    return 0;
}

static int forget(void **state)
{
    struct served *served = *state;

    for (size_t i = 0; i < 40; i++)
        json_value_destroy(served->activities[i]);
    json_value_destroy(served->product);
    free(served);
    return 0;
}

static enum err_code clean_all(struct interactions *rows, const struct served *served, struct err *err)
{
    static struct clean_counts counts; /* large for a stack */
    enum err_code rc = ERR_OK;
    size_t removed;

    memset(&counts, 0, sizeof counts);
    for (size_t i = 0; rc == ERR_OK && i < 40; i++)
        rc = clean_activity(rows, &counts, served->activities[i], 1767225600, err);
    return rc == ERR_OK ? clean_duplicates(rows, &counts, &removed, err) : rc;
}

static enum err_code analyze(const struct interactions *rows, struct err *err)
{
    const struct analytics_params params = {.weights = {1, 1, 1, 1, 1}, .decay_days = 25, .session_s = 86400 * 10};
    struct catalogue nothing;
    struct json *json;
    enum err_code rc;

    catalogue_init(&nothing);
    rc = analytics_run(&json, rows, &nothing, &params, NULL, err);
    json_value_destroy(json);
    return rc;
}

static enum err_code make_matrix(struct interactions *rows, struct err *err)
{
    const struct outlier_params outlier_params = {.max_per_day = 5, .regular_gaps = true};
    const struct weigh_params weigh_params = {
        .weights = {1, 1, 1, 1, 1}, .decay_days = 25, .repeat_factor = .8, .now_s = 86400 * 40};
    const struct matrix_params matrix_params = {
        .min_user_rows = 1, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = .3};
    struct outlier_result outliers;
    struct pairs pairs = {0};
    struct matrix matrix = {0};
    enum err_code rc;

    rc = outliers_run(&outliers, rows, &outlier_params, err);
    if (rc == ERR_OK)
        rc = analyze(rows, err);
    if (rc == ERR_OK)
        rc = weigh_run(&pairs, rows, &weigh_params, err);
    if (rc == ERR_OK)
        rc = matrix_build(&matrix, &pairs, &matrix_params, err);
    matrix_fini(&matrix);
    pairs_fini(&pairs);
    outlier_result_fini(&outliers);
    return rc;
}

static enum err_code run_stages(const struct served *served, struct err *err)
{
    struct interactions rows;
    struct catalogue catalogue;
    size_t malformed = 0;
    enum err_code rc = interactions_init(&rows, err);

    catalogue_init(&catalogue);
    if (rc == ERR_OK)
        rc = clean_product(&catalogue, &malformed, served->product, err);
    if (rc == ERR_OK)
        rc = catalogue_sort(&catalogue, err);
    if (rc == ERR_OK)
        rc = clean_all(&rows, served, err);
    if (rc == ERR_OK)
        rc = make_matrix(&rows, err);
    catalogue_fini(&catalogue);
    interactions_fini(&rows);
    return rc;
}

static void each_lack_of_memory_is_an_error_that_says_so(void **state)
{
    size_t failures = 0;
    enum err_code rc = ERR_NO_MEMORY;

    for (size_t n = 1; rc != ERR_OK; n++) {
        struct err err = {0};

        assert_true(n < 10000);
        failing_memory_set(n);
        rc = run_stages(*state, &err);
        failing_memory_set(0);
        assert_int_equal(rc, failing_memory_has_failed() ? ERR_NO_MEMORY : ERR_OK);
        if (rc != ERR_OK && strstr(err.message, "memory") == NULL)
            fail_msg("allocation %zu: %s", n, err.message);
        failures += failing_memory_has_failed();
    }
    print_message("%zu allocations failed one by one\n", failures);
    assert_true(failures > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_lack_of_memory_is_an_error_that_says_so, serve, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
