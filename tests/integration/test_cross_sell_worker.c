/* The job cross_sell: from queue or --once to lists, report and document, and what holds it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"

#define FENCE_AHEAD "99999999999999"

static int64_t int_of(const struct json *object, const char *key)
{
    int64_t value = -1;

    (void)json_value_get_int64(object, key, &value);
    return value;
}

static int64_t keys_of_target(struct worker_fixture *fixture)
{
    return strtoll(worker_fixture_target(fixture, 3, "DBSIZE", NULL), NULL, 10);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* --once cross_sell with further arguments (NULL-ended); the exit status. */
static int once(struct worker_fixture *fixture, const char *const *settings, const char *const *more, char **output)
{
    const char *arguments[24] = {"--once", "cross_sell"};
    size_t count = 2;

    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        arguments[count++] = more[i];
    arguments[count] = NULL;
    return worker_fixture_call(fixture, settings, arguments, output);
}

static void run_job(struct worker_fixture *fixture, const char *params, const char *state, char *id)
{
    worker_fixture_submit(fixture, JOB_CROSS_SELL, params, id);
    worker_fixture_wait_for_state(fixture, id, state);
}

static struct json *report_of(struct worker_fixture *fixture, const char *id)
{
    struct json *report = NULL;
    struct err err = {0};

    worker_fixture_open_store(fixture);
    if (job_store_get_report(fixture->store, id, &report, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return report;
}

static void check_document(struct worker_fixture *fixture, const char *id, int64_t lists)
{
    struct json *document = worker_fixture_document(fixture, id);
    const struct json *result = json_value_get(document, "result");

    assert_string_equal(json_value_get_text(document, "stage"), "publish");
    assert_string_equal(json_value_get_text(document, "backend"), "cpu");
    assert_int_equal(int_of(result, "users"), 0);
    assert_int_equal(int_of(result, "products"), lists);
    assert_int_equal(int_of(result, "published"), lists);
    json_value_destroy(document);
}

static void check_report(struct worker_fixture *fixture, const char *id, int64_t lists)
{
    static const char *const names[] = {"fetch", "outliers", "analytics", "pairs", "publish"};
    struct json *report = report_of(fixture, id);
    const struct json *stages = json_value_get(report, "stages");
    const struct json *counts = json_value_get(report, "published_counts");
    const struct json *sample = json_value_get(json_value_get(report, "samples"), "cross_sell");

    assert_int_equal(json_value_count(stages), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(json_value_get_text(json_value_at(stages, i), "name"), names[i]);
    assert_int_equal(int_of(json_value_at(stages, 4), "rows_out"), lists);
    assert_int_equal(int_of(counts, "cross_sell_lists"), lists);
    assert_int_equal(int_of(counts, "cross_sell_keys"), lists);
    assert_int_equal(int_of(counts, "removed"), 0);
    assert_true(int_of(counts, "recommendable") > 0 && int_of(counts, "recommendable") < lists);
    assert_int_equal(int_of(json_value_get(json_value_get(report, "counts"), "cross_sell"), "lists"), lists);
    assert_int_equal(int_of(sample, "product_id"), 7); /* TEST_PRODUCT_FOR_CROSS_SELL */
    assert_string_equal(json_value_get_text(sample, "title"), "Toy 7");
    assert_true(json_value_count(json_value_get(sample, "cross_sell")) > 0);
    assert_int_equal(json_value_count(json_value_get(report, "warnings")), 0);
    assert_holds(json_value_get_text(report, "text"), "looked at or bought together with 7 Toy 7 are");
    json_value_destroy(report);
}

static void run_to_the_end(struct worker_fixture *fixture)
{
    char params[64];
    char now[32];
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const dry[] = {"--param", "publish=false", "--param", now, "--dump", dump, NULL};
    char id[JOB_ID_BYTES];
    int64_t lists;

    (void)snprintf(params, sizeof params, "{\"now\":%lld}", (long long)fixture->now_s);
    (void)snprintf(now, sizeof now, "now=%lld", (long long)fixture->now_s);
    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump"));
    worker_fixture_run(fixture, 0, (const char *const[]){"TEST_PRODUCT_FOR_CROSS_SELL=7", NULL});
    run_job(fixture, params, "succeeded", id);
    assert_int_equal(once(fixture, NULL, dry, NULL), 0);
    lists = worker_fixture_assert_cross_sell(fixture, dump);
    assert_true(lists > WORKER_SHOP_PRODUCTS / 2);
    check_document(fixture, id, lists);
    check_report(fixture, id, lists);
    worker_fixture_assert_queue_is_empty(fixture);
}

static void a_job_publishes_lists_that_never_expire(void **state)
{
    run_to_the_end(*state);
}

static void with_mongodb_it_is_the_same(void **state)
{
    struct worker_fixture *fixture = *state;

    if (!worker_fixture_use_mongo(fixture))
        skip();
    run_to_the_end(fixture);
}

static void keys_of_products_that_vanished_are_removed(void **state)
{
    struct worker_fixture *fixture = *state;
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const first[] = {"--dump", dump, NULL};
    const char *const second[] = {"--param", "min_product_interactions=270", "--dump", dump, NULL};
    char *output = NULL;
    char text[64];
    int64_t before;
    int64_t after;

    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump-1"));
    assert_int_equal(once(fixture, NULL, first, NULL), 0);
    before = worker_fixture_assert_cross_sell(fixture, dump);
    assert_int_equal(once(fixture, NULL, second, &output), 0);
    after = worker_fixture_assert_cross_sell(fixture, dump);
    assert_true(after < before && after > before / 2);
    (void)snprintf(text, sizeof text, "%lld keys, %lld removed", (long long)after, (long long)(before - after));
    assert_holds(output, text);
    free(output);
}

static void the_guard_holds_back_what_a_cut_catalogue_makes(void **state)
{
    struct worker_fixture *fixture = *state;
    struct json *document;
    char before[4096];
    char id[JOB_ID_BYTES];
    int64_t keys;

    worker_fixture_run(fixture, 0, NULL);
    run_job(fixture, "{}", "succeeded", id);
    keys = keys_of_target(fixture);
    (void)snprintf(before, sizeof before, "%s", worker_fixture_target(fixture, 3, "GET", "7", NULL));
    assert_true(cms_server_control(&fixture->cms, "{\"catalogue\":0.33}"));
    run_job(fixture, "{}", "dead", id);
    document = worker_fixture_document(fixture, id);
    assert_string_equal(json_value_get_text(json_value_get(document, "error"), "code"), "guard");
    assert_holds(json_value_get_text(json_value_get(document, "error"), "message"), "recommendable products against");
    json_value_destroy(document);
    assert_string_equal(worker_fixture_target(fixture, 3, "GET", "7", NULL), before);
    assert_int_equal(keys_of_target(fixture), keys);
    run_job(fixture, "{\"force\":true}", "succeeded", id);
    assert_string_not_equal(worker_fixture_target(fixture, 3, "GET", "7", NULL), before);
}

static void the_guard_compares_lists_too(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const few[] = {"--param", "minimum_weight=1000", NULL};
    char *output = NULL;
    int64_t keys;

    assert_int_equal(once(fixture, NULL, NULL, NULL), 0);
    keys = keys_of_target(fixture);
    assert_int_equal(once(fixture, NULL, few, &output), 1);
    assert_holds(output, "0 products with a cross-sell list against");
    assert_holds(output, "lists are empty");
    assert_int_equal(keys_of_target(fixture), keys);
    free(output);
}

static void a_dry_run_needs_no_redis_and_writes_nothing_to_one(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const nowhere[] = {"QUEUE_REDIS_URL=redis://127.0.0.1:1", NULL};
    static const char *const dry[] = {"--param", "publish=false", NULL};
    char *output = NULL;

    assert_int_equal(once(fixture, nowhere, dry, &output), 0);
    assert_holds(output, "a dry run");
    assert_int_equal(keys_of_target(fixture), 0);
    free(output);
}

static void keys_have_a_prefix_and_a_life_where_that_is_set(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const settings[] = {"CROSS_SELL_KEY_PREFIX=with:", "CROSS_SELL_TTL_S=500", NULL};
    static const char *const short_lists[] = {"--param", "cross_sell_limit=2", NULL};
    const char *value;
    int64_t ttl_s;

    assert_int_equal(once(fixture, settings, short_lists, NULL), 0);
    assert_string_equal(worker_fixture_target(fixture, 3, "EXISTS", "7", NULL), "0");
    ttl_s = strtoll(worker_fixture_target(fixture, 3, "TTL", "with:7", NULL), NULL, 10);
    assert_true(ttl_s > 0 && ttl_s <= 500);
    value = worker_fixture_target(fixture, 3, "GET", "with:7", NULL);
    assert_non_null(strchr(value, ','));
    assert_ptr_equal(strchr(value, ','), strrchr(value, ',')); /* two products */
}

static void a_parameter_of_another_job_is_refused(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const more[] = {"--param", "factors=8", NULL};
    char *output = NULL;

    assert_int_equal(once(fixture, NULL, more, &output), 1);
    assert_holds(output, "a job of type cross_sell has no parameter \"factors\"");
    free(output);
}

static void a_target_that_holds_a_newer_fence_is_the_floor_of_the_next(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    (void)worker_fixture_target(fixture, 3, "SET", "recfleet:fence:cross_sell", FENCE_AHEAD, NULL);
    worker_fixture_run(fixture, 0, NULL);
    run_job(fixture, "{}", "succeeded", id);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "fence"), "100000000000000");
    assert_string_equal(worker_fixture_target(fixture, 3, "EXISTS", "7", NULL), "1");
}

/* Slow enough a fetch that there is time for something to happen. */
static void start_slowly(struct worker_fixture *fixture, char *id)
{
    assert_true(cms_server_control(&fixture->cms, "{\"fault\":{\"kind\":\"slow\",\"ms\":700}}"));
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, JOB_CROSS_SELL, "{}", id);
    worker_fixture_wait_for_stage(fixture, id, "fetch");
}

static void a_publish_under_an_old_fence_supersedes_the_job(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    start_slowly(fixture, id);
    (void)worker_fixture_target(fixture, 3, "SET", "recfleet:fence:cross_sell", FENCE_AHEAD, NULL);
    worker_fixture_wait_for_state(fixture, id, "superseded");
    worker_fixture_wait_for_document(fixture, id, "superseded");
    assert_string_equal(worker_fixture_target(fixture, 3, "EXISTS", "7", NULL), "0");
}

static void a_cancelled_run_stops_and_publishes_nothing(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char key[64];

    start_slowly(fixture, id);
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    (void)queue_fixture_ask(fixture->queue, "HSET", key, "cancel", "enough", NULL);
    worker_fixture_wait_for_state(fixture, id, "cancelled");
    worker_fixture_wait_for_document(fixture, id, "cancelled");
    assert_string_equal(worker_fixture_target(fixture, 3, "EXISTS", "7", NULL), "0");
    worker_fixture_assert_queue_is_empty(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_fixture_clear, worker_fixture_end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_publishes_lists_that_never_expire),
        TEST(with_mongodb_it_is_the_same),
        TEST(keys_of_products_that_vanished_are_removed),
        TEST(the_guard_holds_back_what_a_cut_catalogue_makes),
        TEST(the_guard_compares_lists_too),
        TEST(a_dry_run_needs_no_redis_and_writes_nothing_to_one),
        TEST(keys_have_a_prefix_and_a_life_where_that_is_set),
        TEST(a_parameter_of_another_job_is_refused),
        TEST(a_target_that_holds_a_newer_fence_is_the_floor_of_the_next),
        TEST(a_publish_under_an_old_fence_supersedes_the_job),
        TEST(a_cancelled_run_stops_and_publishes_nothing),
    };

    return cmocka_run_group_tests_name("cross_sell_worker", tests, worker_fixture_start, worker_fixture_stop);
}
