/* The CMS as a source when the CMS fails: what passes is tried again, what does not ends with an error that says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/integration/cms_fixture.h"

enum { TEXT_BYTES = 256 };

static struct cms_harvest plain; /* what comes when nothing fails */

static int set_up(void **state)
{
    struct cms_fixture *fixture = calloc(1, sizeof *fixture);
    struct cms_config config;

    *state = fixture;
    if (fixture == NULL || !cms_fixture_start(fixture, "--token", "secret-token"))
        return -1;
    config = cms_fixture_config(fixture);
    return cms_harvest_activities(&plain, &config, NULL, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    cms_harvest_fini(&plain);
    cms_fixture_stop(*state);
    free(*state);
    return 0;
}

static void fail_with(const struct cms_fixture *fixture, const char *fault)
{
    char text[TEXT_BYTES];

    (void)snprintf(text, sizeof text, "{\"fault\":{%s}}", fault);
    assert_true(cms_fixture_control(fixture, text));
}

static int64_t now_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

/* libcurl itself sends again what a kept connection swallowed: `most` retries are ours at most. */
static void assert_passes(const struct cms_fixture *fixture, const char *fault, size_t least, size_t most)
{
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;

    fail_with(fixture, fault);
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_true(cms_harvest_is_same(&harvest, &plain));
    assert_in_range(harvest.source.retries, least, most);
    assert_int_equal(harvest.source.pages, plain.source.pages);
    cms_harvest_fini(&harvest);
}

static void what_passes_is_tried_again(void **state)
{
    static const char *const kinds[] = {"429", "500", "502", "503", "reset", "truncated"};
    char fault[TEXT_BYTES];

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bool is_reset = strcmp(kinds[i], "reset") == 0;

        (void)snprintf(fault, sizeof fault, "\"kind\":\"%s\",\"first\":3", kinds[i]);
        assert_passes(*state, fault, is_reset ? 0 : 3, 3);
        (void)snprintf(fault, sizeof fault, "\"kind\":\"%s\",\"first\":2,\"match\":\"limit=9950\"", kinds[i]);
        assert_passes(*state, fault, is_reset ? 0 : 2, 2);
    }
}

static void a_cms_that_fails_every_third_time_is_read_to_the_end(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;

    fail_with(*state, "\"kind\":\"500\",\"every\":3");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_true(cms_harvest_is_same(&harvest, &plain));
    assert_in_range(harvest.source.retries, 3, 9);
    cms_harvest_fini(&harvest);
}

/* Fails for good, with an error that names the page and not the token, after so many requests of that page. */
static void assert_fails(const struct cms_fixture *fixture, const char *fault, enum err_code code, const char *reason,
                         size_t least_requests)
{
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;
    struct err err = {0};
    char whole[TEXT_BYTES];
    size_t before = cms_fixture_count_paths(fixture, "event=content_view&limit=9950,");

    (void)snprintf(whole, sizeof whole, "%s,\"match\":\"event=content_view&limit=9950,\"", fault);
    fail_with(fixture, whole);
    config.max_retries = 2;
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), code);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, reason));
    assert_non_null(strstr(err.message, fixture->server.url));
    assert_non_null(strstr(err.message, "event=content_view&limit="));
    assert_null(strstr(err.message, "secret-token"));
    assert_in_range(cms_fixture_count_paths(fixture, "event=content_view&limit=9950,") - before, least_requests,
                    code == ERR_NETWORK ? 6 * least_requests : least_requests);
    cms_harvest_fini(&harvest);
}

static void what_does_not_pass_fails_the_run_as_transient(void **state)
{
    assert_fails(*state, "\"kind\":\"429\"", ERR_UNAVAILABLE, "429", 3);
    assert_fails(*state, "\"kind\":\"500\"", ERR_UNAVAILABLE, "500", 3);
    assert_fails(*state, "\"kind\":\"503\"", ERR_UNAVAILABLE, "503", 3);
    assert_fails(*state, "\"kind\":\"reset\"", ERR_NETWORK, "", 3);
    assert_fails(*state, "\"kind\":\"truncated\"", ERR_NETWORK, "", 3);
}

static void what_is_wrong_is_an_error_at_once_and_never_the_end_of_the_list(void **state)
{
    assert_fails(*state, "\"kind\":\"403\"", ERR_REMOTE, "403", 1);
    assert_fails(*state, "\"kind\":\"404\"", ERR_REMOTE, "404", 1);
    assert_fails(*state, "\"kind\":\"redirect\"", ERR_REMOTE, "302", 1);
    assert_fails(*state, "\"kind\":\"garbage\"", ERR_FORMAT, "JSON", 1);
    assert_fails(*state, "\"kind\":\"null\"", ERR_FORMAT, "data.activities", 1);
    assert_fails(*state, "\"kind\":\"wrong_shape\"", ERR_FORMAT, "data.activities", 1);
    assert_fails(*state, "\"kind\":\"large\",\"bytes\":70000000", ERR_TOO_LARGE, "67108864", 1);
}

static void an_empty_page_where_rows_must_be_is_not_the_end(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    struct err err;

    fail_with(*state, "\"kind\":\"empty\",\"match\":\"event=content_view&limit=9950,\"");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK); /* from further back it is there */
    assert_true(cms_harvest_is_same(&harvest, &plain));
    assert_int_equal(harvest.source.retries, 1);
    cms_harvest_fini(&harvest);
    fail_with(*state, "\"kind\":\"empty\",\"match\":\"0,10000\",\"every\":1");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_OK); /* a shop without any activity */
    assert_int_equal(harvest.counts[ACTION_CONTENT_VIEW], 0);
    cms_harvest_fini(&harvest);
}

static void a_list_that_vanishes_midway_is_an_error(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    struct err err;

    fail_with(*state, "\"kind\":\"delete\",\"count\":30000,\"match\":\"event=content_view\"");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_NETWORK);
    assert_non_null(strstr(err.message, "does not meet"));
    cms_harvest_fini(&harvest);
}

static void a_cms_that_ignores_the_offset_does_not_keep_us_for_ever(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    struct err err;

    fail_with(*state, "\"kind\":\"stuck\",\"match\":\"event=content_view\"");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "whatever the offset"));
    cms_harvest_fini(&harvest);
}

static void retry_after_is_honoured(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    int64_t start_ms = now_ms();

    fail_with(*state, "\"kind\":\"429\",\"retry_after\":1,\"first\":1,\"match\":\"purchase\"");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_in_range(now_ms() - start_ms, 1000, 60000);
    cms_harvest_fini(&harvest);
}

static void retries_wait_longer_and_longer(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    int64_t start_ms = now_ms();

    config.retry_base_ms = 100;
    config.max_retries = 3;
    fail_with(*state, "\"kind\":\"500\",\"match\":\"purchase\"");
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_UNAVAILABLE);
    assert_in_range(now_ms() - start_ms, (100 + 200 + 400) / 2, 60000);
    cms_harvest_fini(&harvest);
}

static void a_stalled_answer_is_given_up(void **state)
{
    static const char *const faults[] = {"\"kind\":\"slow\",\"ms\":30000", "\"kind\":\"dribble\",\"ms\":5"};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct cms_config config = cms_fixture_config(*state);
        struct cms_harvest harvest;
        struct err err;
        int64_t start_ms = now_ms();

        config.stall_timeout_s = 2;
        config.max_retries = -1;
        fail_with(*state, faults[i]);
        assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_NETWORK);
        assert_in_range(now_ms() - start_ms, 1000, 20000);
        cms_harvest_fini(&harvest);
    }
}

static void a_wrong_token_is_refused_and_not_told(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    struct err err;

    config.token = "wrong-token";
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "401"));
    assert_null(strstr(err.message, "wrong-token"));
    cms_harvest_fini(&harvest);
}

static void a_cms_that_is_away_is_a_network_error(void **state)
{
    struct cms_config config = cms_fixture_config(*state);
    struct cms_harvest harvest;
    struct err err;
    char url[TEXT_BYTES];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", server_free_port());
    config.url = url;
    config.max_retries = 2;
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, &err), ERR_NETWORK);
    assert_non_null(strstr(err.message, url));
    assert_in_range(harvest.source.retries, 2, 2 * ACTION_COUNT);
    cms_harvest_fini(&harvest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_passes_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cms_that_fails_every_third_time_is_read_to_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_pass_fails_the_run_as_transient, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_an_error_at_once_and_never_the_end_of_the_list, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_page_where_rows_must_be_is_not_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_that_vanishes_midway_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cms_that_ignores_the_offset_does_not_keep_us_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retry_after_is_honoured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retries_wait_longer_and_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stalled_answer_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_token_is_refused_and_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cms_that_is_away_is_a_network_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
