/* `recfleet-worker --once` on a small shop, and where the golden data is at hand on Online Retail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"

#define TYPE "homepage_and_similar_products"

static void assert_holds(const char *output, const char *text)
{
    if (strstr(output, text) == NULL)
        fail_msg("\"%s\" is not in:\n%s", text, output);
}

/* --once with further arguments (NULL-ended); the exit status. */
static int once(struct worker_fixture *fixture, const char *const *settings, const char *const *more, char **output)
{
    const char *arguments[24] = {"--once", TYPE};
    size_t count = 2;

    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        arguments[count++] = more[i];
    arguments[count] = NULL;
    return worker_fixture_call(fixture, settings, arguments, output);
}

static int run_dry(struct worker_fixture *fixture, const char *const *settings, char **output)
{
    static const char *const dry[] = {"--param", "publish=false", NULL};

    return once(fixture, settings, dry, output);
}

static void what_is_dumped_is_what_redis_holds(void **state)
{
    struct worker_fixture *fixture = *state;
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const more[] = {"--dump", dump, NULL};
    char *output = NULL;

    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump-1"));
    assert_int_equal(once(fixture, NULL, more, &output), 0);
    assert_holds(output, "homepage_and_similar_products: succeeded");
    worker_fixture_assert_published(fixture, dump, 604800);
    free(output);
}

static void lists_that_never_expire_go_when_their_owner_is_gone(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const eternal[] = {"RECOMMENDATION_TTL_S=0", NULL};
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const first[] = {NULL};
    const char *const second[] = {"--param", "min_user_interactions=9", "--param", "force=true", "--dump", dump, NULL};
    char *output = NULL;

    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump-2"));
    assert_int_equal(once(fixture, eternal, first, NULL), 0);
    assert_int_equal(strtoll(worker_fixture_target(fixture, 1, "TTL", "user-7", NULL), NULL, 10), -1);
    assert_int_equal(once(fixture, eternal, second, &output), 0);
    worker_fixture_assert_published(fixture, dump, 0);
    assert_null(strstr(output, " 0 removed"));
    free(output);
}

static void a_dry_run_needs_no_redis_and_writes_nothing_to_one(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const nowhere[] = {"QUEUE_REDIS_URL=redis://127.0.0.1:1", NULL};
    char *output = NULL;

    assert_int_equal(run_dry(fixture, nowhere, &output), 0);
    assert_holds(output, "a dry run");
    assert_int_equal(strtoll(worker_fixture_target(fixture, 1, "DBSIZE", NULL), NULL, 10), 0);
    free(output);
}

static void how_a_model_is_regularized_and_ended_is_a_parameter(void **state)
{
    static const char *const more[] = {"--param", "publish=false",   "--param", "regularization_scaling=frequency",
                                       "--param", "tolerance=.5",    "--param", "regularization=.5",
                                       "--param", "acceleration=on", NULL};
    char *output = NULL;

    assert_int_equal(once(*state, NULL, more, &output), 0);
    assert_holds(output, "regularization 0.5 by frequency, alpha 800, 8 iterations, tolerance 0.5, accelerated,");
    free(output);
}

static void a_run_that_publishes_needs_the_queues_redis(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const nowhere[] = {"QUEUE_REDIS_URL=redis://127.0.0.1:1", NULL};
    char *output = NULL;

    assert_int_equal(once(fixture, nowhere, NULL, &output), 1);
    assert_holds(output, "recfleet-worker: connect to Redis 127.0.0.1:1");
    free(output);
}

static void the_report_is_kept_and_the_next_guard_reads_it(void **state)
{
    struct worker_fixture *fixture = *state;
    struct json *report = NULL;
    struct err err = {0};
    int64_t fence;

    assert_int_equal(once(fixture, NULL, NULL, NULL), 0);
    worker_fixture_open_store(fixture);
    assert_int_equal(
        job_store_last_published(fixture->store, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, WORKER_SHOP, &report, &err),
        ERR_OK);
    assert_true(json_value_get_int64(report, "fence", &fence) && fence > 0);
    assert_int_equal(json_value_kind(json_value_get(report, "loss")), JSON_KIND_ARRAY);
    assert_int_equal(json_value_count(json_value_get(report, "stages")), 9);
    json_value_destroy(report);
}

static void a_catalogue_cut_to_a_third_publishes_nothing_unless_forced(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const forced[] = {"--param", "force=true", NULL};
    char before[4096];
    char *output = NULL;

    assert_int_equal(once(fixture, NULL, NULL, NULL), 0);
    (void)snprintf(before, sizeof before, "%s", worker_fixture_target(fixture, 1, "GET", "user-7", NULL));
    assert_true(cms_server_control(&fixture->cms, "{\"catalogue\":0.33}"));
    assert_int_equal(once(fixture, NULL, NULL, &output), 1);
    assert_holds(output, "PUBLISH_GUARD_PERCENT");
    assert_holds(output, "recommendable products against");
    assert_string_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), before);
    free(output);

    assert_int_equal(run_dry(fixture, NULL, NULL), 0); /* nothing to guard */
    assert_int_equal(once(fixture, NULL, forced, NULL), 0);
    assert_string_not_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), before);
}

static void a_newer_fence_at_the_target_is_the_floor_of_the_next(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const ahead = "99999999999999";

    (void)worker_fixture_target(fixture, 2, "SET", "similar:recfleet:fence:similar", ahead, NULL);
    assert_int_equal(once(fixture, NULL, NULL, NULL), 0);
    assert_string_equal(worker_fixture_target(fixture, 2, "GET", "similar:recfleet:fence:similar", NULL),
                        "100000000000000");
}

static void what_cannot_run_says_so(void **state)
{
    struct worker_fixture *fixture = *state;
    static const struct {
        const char *arguments[8];
        int status;
        const char *text;
    } cases[] = {
        {{"--once", "bakery", NULL}, 1, "\"bakery\" is no type of job"},
        {{"--once", TYPE, "--param", "colour=red", NULL}, 1, "no parameter \"colour\""},
        {{"--once", TYPE, "--param", "factors=0", NULL}, 1, "factors must be"},
        {{"--once", TYPE, "--param", "namespace=books", NULL}, 1, "knows no shop books"},
        {{"--once", TYPE, "--param", "factors", NULL}, 64, "NAME=VALUE"},
        {{"--once", NULL}, 64, "--once needs a value"},
        {{"--twice", NULL}, 64, "unknown argument --twice"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output = NULL;

        assert_int_equal(worker_fixture_call(fixture, NULL, cases[i].arguments, &output), cases[i].status);
        assert_holds(output, cases[i].text);
        free(output);
    }
}

static void a_cms_that_fails_for_good_is_named(void **state)
{
    struct worker_fixture *fixture = *state;
    static const struct {
        const char *fault;
        const char *text;
    } cases[] = {
        {"{\"fault\":{\"kind\":\"garbage\"}}", "/GET/"},
        {"{\"fault\":{\"kind\":\"null\"}}", "/GET/"},
        {"{\"fault\":{\"kind\":\"403\"}}", "403"},
        {"{\"fault\":{\"kind\":\"empty\"}}", "are required."},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output = NULL;

        assert_true(cms_server_control(&fixture->cms, cases[i].fault));
        assert_int_equal(once(fixture, NULL, NULL, &output), 1);
        assert_holds(output, cases[i].text);
        assert_int_equal(strtoll(worker_fixture_target(fixture, 1, "EXISTS", "user-7", NULL), NULL, 10), 0);
        free(output);
    }
}

static void wrong_settings_are_all_told_at_once(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const wrong[] = {"API_URL=ftp://shop",
                                        "CACHE_URL=azure:",
                                        "ALS_FACTORS=many",
                                        "TIMEZONE=Mars/Olympus",
                                        "INTERACTION_WEIGHTS=purchase=1,sing=2",
                                        NULL};
    char *output = NULL;

    assert_int_equal(run_dry(fixture, wrong, &output), 78);
    assert_holds(output, "API_URL: ");
    assert_holds(output, "CACHE_URL: a cache in Azure storage is not built yet");
    assert_holds(output, "ALS_FACTORS: \"many\"");
    assert_holds(output, "TIMEZONE: this machine knows no zone \"Mars/Olympus\"");
    assert_holds(output, "\"sing\" is no action");
    free(output);
}

static void the_effective_settings_are_shown_without_secrets(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const secret[] = {"BEARER_TOKEN=very-secret", "HOMEPAGE_REDIS_URL=redis://u:hidden@h:1/4", NULL};
    static const char *const print[] = {"--print-config", NULL};
    char *output = NULL;

    assert_int_equal(worker_fixture_call(fixture, secret, print, &output), 0);
    assert_holds(output, "ALS_FACTORS=16\n");
    assert_holds(output, "BEARER_TOKEN=****\n");
    assert_holds(output, "PUBLISH_GUARD_PERCENT=50\n");
    assert_null(strstr(output, "very-secret"));
    assert_null(strstr(output, "hidden"));
    free(output);
}

static void a_cluster_is_no_target(void **state)
{
    struct worker_fixture *fixture = *state;
    struct test_server cluster;
    char url[SERVER_TEXT_BYTES + 32];
    const char *settings[] = {url, NULL};
    static const char *const none[] = {NULL};
    char *output = NULL;

    assert_true(server_start_redis(&cluster, "--cluster-enabled", "yes", NULL));
    (void)snprintf(url, sizeof url, "SIMILAR_REDIS_URL=%s", cluster.url);
    assert_int_equal(once(fixture, settings, NULL, &output), 1);
    assert_holds(output, "is a cluster");
    free(output);
    assert_int_equal(worker_fixture_call(fixture, settings, none, &output), 78);
    assert_holds(output, "is a cluster");
    free(output);
    server_fini(&cluster);
}

/* The golden shop, in full. */
static void a_real_shop_is_published_as_dumped(void **state)
{
    struct worker_fixture *fixture = *state;
    const char *shared = getenv("RECFLEET_SHARED");
    struct test_server own = fixture->cms;
    char data[512];
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const more[] = {"--param", "window_days=0", "--param", "now=1767225600", "--dump", dump, NULL};
    int status;

    if (shared == NULL) {
        print_message("RECFLEET_SHARED is not set: no golden data here\n");
        skip();
    }
    (void)snprintf(data, sizeof data, "%s/golden/online_retail", shared);
    assert_true(cms_server_start(&fixture->cms, data, NULL));
    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump-golden"));
    status = once(fixture, NULL, more, NULL);
    server_fini(&fixture->cms);
    fixture->cms = own;
    assert_int_equal(status, 0);
    worker_fixture_assert_published(fixture, dump, 604800);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_fixture_clear, worker_fixture_end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_dumped_is_what_redis_holds),
        TEST(lists_that_never_expire_go_when_their_owner_is_gone),
        TEST(a_dry_run_needs_no_redis_and_writes_nothing_to_one),
        TEST(how_a_model_is_regularized_and_ended_is_a_parameter),
        TEST(a_run_that_publishes_needs_the_queues_redis),
        TEST(the_report_is_kept_and_the_next_guard_reads_it),
        TEST(a_catalogue_cut_to_a_third_publishes_nothing_unless_forced),
        TEST(a_newer_fence_at_the_target_is_the_floor_of_the_next),
        TEST(what_cannot_run_says_so),
        TEST(a_cms_that_fails_for_good_is_named),
        TEST(wrong_settings_are_all_told_at_once),
        TEST(the_effective_settings_are_shown_without_secrets),
        TEST(a_cluster_is_no_target),
        TEST(a_real_shop_is_published_as_dumped),
    };

    return cmocka_run_group_tests_name("once", tests, worker_fixture_start, worker_fixture_stop);
}
