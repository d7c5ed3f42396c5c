/* The CMS as a source when all goes well, and while its lists change. */
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

static int set_up(void **state)
{
    struct cms_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    return fixture != NULL && cms_fixture_start(fixture, NULL, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    cms_fixture_stop(*state);
    free(*state);
    return 0;
}

static int64_t count_of(const struct cms_fixture *fixture, const char *name)
{
    struct json *stats = cms_fixture_stats(fixture);
    int64_t count = -1;

    assert_true(json_value_get_int64(stats, name, &count));
    json_value_destroy(stats);
    return count;
}

static void all_activities_come_once_and_in_order(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;

    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_int_equal(harvest.counts[ACTION_CONTENT_VIEW], FIXTURE_VIEWS);
    assert_int_equal(harvest.counts[ACTION_PURCHASE], FIXTURE_PURCHASES);
    assert_int_equal(harvest.counts[ACTION_ADD_TO_CART], 0);
    for (int row = 0; row < FIXTURE_VIEWS; row++) {
        int again = row >= 10000 && row < 10000 + FIXTURE_REPEATED ? FIXTURE_REPEATED : 0; /* handed over too */

        assert_int_equal(harvest.ids[ACTION_CONTENT_VIEW][row], FIXTURE_VIEWS - row + again);
    }
    assert_int_equal(harvest.source.pages, 4);
    assert_int_equal(harvest.source.retries, 0);
    cms_harvest_fini(&harvest);
}

static void requests_are_as_the_cms_expects_them(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;

    config.shop = "shop & co/\xc3\xbc";
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_int_equal(cms_fixture_count_paths(fixture, "/GET/events/?namespace=shop%20%26%20co%2F%C3%BC&order_by=id"
                                                      "&order_by_type=desc&date_filter_from=0&event=content_view&"),
                     4);
    assert_int_equal(cms_fixture_count_paths(fixture, "event=content_view&limit=9950,10000"), 1);
    assert_int_equal(cms_fixture_count_paths(fixture, "event=content_view&limit=24950,10000"), 1);
    assert_int_equal(cms_fixture_count_paths(fixture, "event=purchase&limit=250,10000"), 1);
    assert_int_equal(cms_fixture_count_paths(fixture, "event=add_to_wishlist&limit=0,10000"), 1);
    assert_int_equal(count_of(fixture, "requests"), 4 + 2 + 3);
    cms_harvest_fini(&harvest);
}

static enum err_code count_activity(void *context, enum action asked, const struct json *activity, struct err *err)
{
    size_t *counts = context;

    (void)activity;
    (void)err;
    counts[asked]++;
    return ERR_OK;
}

static void each_action_is_asked_from_its_own_time(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    int64_t from_s[ACTION_COUNT] = {0};
    size_t counts[ACTION_COUNT] = {0};
    struct source_counts source_counts = {0};
    struct source source;
    struct cms *cms;

    from_s[ACTION_PURCHASE] = 201;
    from_s[ACTION_CONTENT_VIEW] = 24001;
    from_s[ACTION_ADD_TO_CART] = -5; /* before 1970 is all */
    assert_int_equal(cms_create(&cms, &config, NULL), ERR_OK);
    source = cms_source(cms);
    assert_int_equal(source.activities(source.self, from_s, count_activity, counts, NULL, &source_counts, NULL),
                     ERR_OK);
    assert_int_equal(counts[ACTION_PURCHASE], 100);
    assert_int_equal(counts[ACTION_CONTENT_VIEW], 1000);
    assert_int_equal(cms_fixture_count_paths(fixture, "date_filter_from=0&event=add_to_cart"), 1);
    cms_destroy(cms);
}

static void products_are_paged_too(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;

    assert_int_equal(cms_harvest_products(&harvest, &config, NULL), ERR_OK);
    assert_int_equal(harvest.products, FIXTURE_PRODUCTS);
    assert_int_equal(harvest.source.pages, 2);
    assert_int_equal(cms_fixture_count_paths(fixture, "/GET/products/short/?namespace=shop&limit=9950,10000"), 1);
    cms_harvest_fini(&harvest);
    assert_true(cms_fixture_control(fixture, "{\"catalogue\":0.25}"));
    assert_int_equal(cms_harvest_products(&harvest, &config, NULL), ERR_OK);
    assert_int_equal(harvest.products, FIXTURE_PRODUCTS / 4);
    cms_harvest_fini(&harvest);
}

static void actions_are_fetched_side_by_side_one_request_each_on_kept_connections(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;

    config.page_gap_ms = 100;
    assert_true(cms_fixture_control(fixture, "{\"fault\":{\"kind\":\"slow\",\"ms\":300}}"));
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    cms_harvest_fini(&harvest);
    assert_int_equal(count_of(fixture, "at_once"), ACTION_COUNT);
    assert_int_equal(count_of(fixture, "at_once_of_one"), 1);
    assert_in_range(count_of(fixture, "connections"), ACTION_COUNT, ACTION_COUNT + 4); /* and ours to ask */
}

static int64_t now_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

static void pages_of_an_action_keep_their_distance(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;
    int64_t start_ms = now_ms();

    config.page_gap_ms = 200;
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_in_range(now_ms() - start_ms, 3 * 200, 60000); /* four pages of views */
    cms_harvest_fini(&harvest);
}

/* What there was at the start; the lists are so again before each case. */
static struct cms_harvest harvest_plain(const struct cms_fixture *fixture)
{
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest plain;

    assert_int_equal(cms_harvest_activities(&plain, &config, NULL, NULL), ERR_OK);
    return plain;
}

/* Whatever comes or goes at the head of the lists meanwhile: no activity that was there at the start is missing, nor
 * comes again. But a page may meet the 50 repeated rows as well as the rows they repeat. */
static void assert_no_row_is_lost(const struct cms_fixture *fixture, const struct cms_harvest *plain, const char *kind,
                                  int count, const char *when)
{
    struct cms_config config = cms_fixture_config(fixture);
    struct cms_harvest harvest;
    char fault[TEXT_BYTES];

    (void)snprintf(fault, sizeof fault, "{\"reset\":true,\"fault\":{\"kind\":\"%s\",\"count\":%d,%s}}", kind, count,
                   when);
    assert_true(cms_fixture_control(fixture, fault));
    assert_int_equal(cms_harvest_activities(&harvest, &config, NULL, NULL), ERR_OK);
    assert_in_range(harvest.counts[ACTION_CONTENT_VIEW], FIXTURE_VIEWS - FIXTURE_REPEATED, FIXTURE_VIEWS);
    assert_int_equal(harvest.counts[ACTION_PURCHASE], FIXTURE_PURCHASES);
    assert_true(cms_harvest_has_all(&harvest, plain));
    cms_harvest_fini(&harvest);
}

static void rows_that_come_meanwhile_push_none_out(void **state)
{
    static const int counts[] = {1, 49, 50, 51, 777, 5000};
    static const int bursts[] = {9949, 9950, 9951, 10000};
    struct cms_harvest plain = harvest_plain(*state);

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_no_row_is_lost(*state, &plain, "shift", counts[i], "\"match\":\"event=\"");
    for (size_t i = 0; i < sizeof bursts / sizeof bursts[0]; i++)
        assert_no_row_is_lost(*state, &plain, "shift", bursts[i], "\"first\":1,\"match\":\"content_view&limit=9950,\"");
    for (int count = 249; count <= 251; count++)
        assert_no_row_is_lost(*state, &plain, "shift", count, "\"first\":1,\"match\":\"purchase&limit=250,\"");
    cms_harvest_fini(&plain);
}

static void rows_that_go_meanwhile_hide_none(void **state)
{
    static const int counts[] = {1, 49, 50, 51, 199};
    static const int purges[] = {2000, 9900};
    struct cms_harvest plain = harvest_plain(*state);

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_no_row_is_lost(*state, &plain, "delete", counts[i], "\"match\":\"content_view\"");
    for (size_t i = 0; i < sizeof purges / sizeof purges[0]; i++)
        assert_no_row_is_lost(*state, &plain, "delete", purges[i],
                              "\"first\":1,\"match\":\"content_view&limit=9950,\"");
    assert_no_row_is_lost(*state, &plain, "delete", 299, "\"first\":1,\"match\":\"purchase&limit=250,\"");
    cms_harvest_fini(&plain);
}

/* What progress was told. */
struct listener {
    double fraction;
    int reports;
    int stop_at; /* 0: never */
    char note[TEXT_BYTES];
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct listener *listener = context;

    assert_string_equal(stage, "fetch");
    assert_true(fraction >= listener->fraction && fraction < 1);
    listener->fraction = fraction;
    (void)snprintf(listener->note, sizeof listener->note, "%s", note != NULL ? note : "");
    return ++listener->reports != listener->stop_at;
}

static void progress_tells_the_activities_so_far(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct listener listener = {0};
    struct progress progress = {.fn = on_progress, .context = &listener};
    struct cms_harvest harvest;

    assert_int_equal(cms_harvest_activities(&harvest, &config, &progress, NULL), ERR_OK);
    assert_string_equal(listener.note, "purchase 300, content_view 25,000");
    assert_true(listener.fraction > 0.3);
    cms_harvest_fini(&harvest);
}

static void who_is_cancelled_stops_at_once(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct cms_config config = cms_fixture_config(fixture);
    struct listener listener = {.stop_at = 1};
    struct progress progress = {.fn = on_progress, .context = &listener};
    struct cms_harvest harvest;
    int64_t start_ms = now_ms();

    assert_true(cms_fixture_control(fixture, "{\"fault\":{\"kind\":\"slow\",\"ms\":20000}}"));
    assert_int_equal(cms_harvest_activities(&harvest, &config, &progress, NULL), ERR_CANCELLED);
    assert_in_range(now_ms() - start_ms, 0, 5000);
    cms_harvest_fini(&harvest);
}

static void a_source_is_named_by_url_and_shop(void **state)
{
    struct cms_config config = {.url = "https://cms.example/api//", .shop = "my shop", .token = "t"};
    struct cms *cms;

    (void)state;
    assert_int_equal(cms_create(&cms, &config, NULL), ERR_OK);
    assert_string_equal(cms_source(cms).identity, "https://cms.example/api?namespace=my%20shop");
    cms_destroy(cms);
}

static void an_unusable_url_is_a_config_error(void **state)
{
    static const char *const urls[] = {NULL,
                                       "",
                                       "cms.example",
                                       "ftp://cms.example",
                                       "http://",
                                       "https:///",
                                       "http://:80",
                                       "http://a/?q=1",
                                       "http://a b",
                                       "https://user:pass@cms.example",
                                       "http://a/#top",
                                       "file:///etc/passwd"};
    struct cms_config config = {.shop = "shop"};
    struct cms *cms;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        config.url = urls[i];
        assert_int_equal(cms_create(&cms, &config, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "API_URL"));
        assert_null(strstr(err.message, "pass"));
        assert_null(cms);
    }
    config.url = "http://cms.example";
    config.token = "a\r\nHost: evil";
    assert_int_equal(cms_create(&cms, &config, &err), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_activities_come_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_are_as_the_cms_expects_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_action_is_asked_from_its_own_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(products_are_paged_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(actions_are_fetched_side_by_side_one_request_each_on_kept_connections, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pages_of_an_action_keep_their_distance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_come_meanwhile_push_none_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_go_meanwhile_hide_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_tells_the_activities_so_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_cancelled_stops_at_once, set_up, tear_down),
        cmocka_unit_test(a_source_is_named_by_url_and_shop),
        cmocka_unit_test(an_unusable_url_is_a_config_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
