#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_shop.h"
#include "tests/unit/memory_store.h"
#include "worker/pipeline/fetch.h"

enum { DAY = 86400, HOUR = 3600, NOW = 1000 * DAY, USERS = 7, PRODUCTS = 9 };

/* A shop and the cache of its runs. */
struct scene {
    struct fake_shop shop;
    struct memory_store store;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    if (scene == NULL)
        return -1;
    scene->shop.products = PRODUCTS;
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    fake_shop_fini(&scene->shop);
    memory_store_fini(&scene->store);
    free(scene);
    return 0;
}

/* A run as a worker makes it: the cache is opened for it. `cached`: false for a run without a cache. */
static enum err_code run(struct scene *scene, struct fetch_result *result, int64_t now_s, int window_days, bool cached,
                         struct err *err)
{
    struct fetch_params params = {.now_s = now_s, .window_days = window_days, .keep_window_days = 365};
    struct source source = fake_shop_source(&scene->shop);
    struct blob_store store = memory_store(&scene->store);
    struct cache *cache = NULL;
    enum err_code rc;

    if (cached)
        assert_int_equal(cache_create(&cache, &store, source.identity, NULL), ERR_OK);
    rc = fetch_run(result, &params, &source, cache, NULL, err);
    cache_destroy(cache);
    return rc;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Each row as a text, in order, so that two results can be compared whatever the order of their rows. */
static char **print_rows(const struct interactions *rows)
{
    char **texts = calloc(rows->count + 1, sizeof *texts);

    assert_non_null(texts);
    for (size_t row = 0; row < rows->count; row++) {
        char text[256];

        (void)snprintf(text, sizeof text, "%lld %d %s %lld %lld", (long long)rows->activity_id[row], rows->action[row],
                       id_table_text(rows->users, rows->user[row]), (long long)rows->created[row],
                       (long long)rows->product_id[row]);
        texts[row] = strdup(text);
        assert_non_null(texts[row]);
    }
    qsort(texts, rows->count, sizeof *texts, compare_texts);
    return texts;
}

static void assert_same_rows(const struct interactions *rows, const struct interactions *wanted)
{
    char **texts = print_rows(rows);
    char **wanted_texts = print_rows(wanted);

    assert_int_equal(rows->count, wanted->count);
    for (size_t row = 0; row < rows->count; row++) {
        assert_string_equal(texts[row], wanted_texts[row]);
        free(texts[row]);
        free(wanted_texts[row]);
    }
    free(texts);
    free(wanted_texts);
}

/* A run with the cache gives what a run without one gives. */
static void assert_cache_changes_nothing(struct scene *scene, int64_t now_s, int window_days)
{
    struct fetch_result plain;
    struct fetch_result cached;
    struct err err = {0};

    enum err_code rc = run(scene, &plain, now_s, window_days, false, &err);
    assert_int_equal(run(scene, &cached, now_s, window_days, true, &err), rc);
    assert_same_rows(&cached.rows, &plain.rows);
    assert_string_equal(cached.warnings[0], "");
    fetch_result_fini(&plain);
    fetch_result_fini(&cached);
}

static void add_days(struct scene *scene, int from_day, int to_day)
{
    for (int day = from_day; day <= to_day; day++)
        fake_shop_add_plain(&scene->shop, (enum action)(day % ACTION_COUNT), day % 2 == 0 ? "even" : "odd",
                            day % PRODUCTS + 1, (int64_t)day * DAY);
}

static void a_second_run_asks_since_the_watermark_of_each_action(void **state)
{
    struct scene *scene = *state;

    add_days(scene, 900, 1000);
    assert_cache_changes_nothing(scene, NOW, 200);
    for (int i = 0; i < ACTION_COUNT; i++)
        assert_int_equal(scene->shop.from_s[i], NOW - 200 * DAY);
    assert_int_equal(scene->shop.served, 101);
    assert_cache_changes_nothing(scene, NOW, 200);
    for (int i = 0; i < ACTION_COUNT; i++) {
        int newest_day = 1000 - (1000 - i) % ACTION_COUNT;

        assert_int_equal(scene->shop.from_s[i], (int64_t)newest_day * DAY - HOUR);
    }
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

static void an_action_without_activities_is_asked_from_the_start_again(void **state)
{
    struct scene *scene = *state;

    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 1, NOW - DAY);
    assert_cache_changes_nothing(scene, NOW, 200);
    assert_cache_changes_nothing(scene, NOW, 200);
    assert_int_equal(scene->shop.from_s[ACTION_PURCHASE], NOW - DAY - HOUR);
    assert_int_equal(scene->shop.from_s[ACTION_CONTENT_VIEW], NOW - 200 * DAY);
}

static void a_larger_window_is_fetched_anew(void **state)
{
    struct scene *scene = *state;

    add_days(scene, 800, 1000);
    assert_cache_changes_nothing(scene, NOW, 50);
    assert_cache_changes_nothing(scene, NOW, 150);
    assert_int_equal(scene->shop.from_s[0], NOW - 150 * DAY);
    assert_cache_changes_nothing(scene, NOW, 50);
    assert_cache_changes_nothing(scene, NOW, 150);
    assert_true(scene->shop.from_s[0] > NOW - 10 * DAY);
    assert_cache_changes_nothing(scene, NOW, 0);
    assert_cache_changes_nothing(scene, NOW, 365);
}

/* A cache that was not used for long, then by a run with a small window, must not have a hole before that window. */
static void a_stale_cache_gets_no_hole(void **state)
{
    struct scene *scene = *state;

    add_days(scene, 700, 800);
    assert_cache_changes_nothing(scene, 800 * DAY, 300);
    add_days(scene, 801, 1000);
    assert_cache_changes_nothing(scene, NOW, 20);
    assert_cache_changes_nothing(scene, NOW, 300);
    assert_cache_changes_nothing(scene, NOW, 300);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

static void a_run_in_the_past_takes_nothing_from_the_cache(void **state)
{
    struct scene *scene = *state;

    add_days(scene, 500, 1000);
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_cache_changes_nothing(scene, 950 * DAY, 100); /* all within what the cache covers */
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
    assert_cache_changes_nothing(scene, 900 * DAY, 300); /* reaches further back */
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
    assert_cache_changes_nothing(scene, 600 * DAY, 20); /* nothing in common */
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

static void a_run_in_the_future_takes_nothing_from_the_cache(void **state)
{
    struct scene *scene = *state;

    add_days(scene, 700, 1000);
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_cache_changes_nothing(scene, 5000 * DAY, 365);
    assert_cache_changes_nothing(scene, NOW, 300);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

/* Runs at random times with random windows, while the shop goes on: the cache never shows. */
static void random_runs_see_what_runs_without_a_cache_see(void **state)
{
    struct scene *scene = *state;
    int64_t clock_s = 500 * (int64_t)DAY;

    srand(11);
    for (int i = 0; i < 250; i++) {
        int64_t now_s = clock_s;

        for (int added = rand() % 12; added > 0; added--) {
            char user[16];

            clock_s += rand() % (3 * DAY);
            (void)snprintf(user, sizeof user, "u%d", rand() % USERS);
            fake_shop_add_plain(&scene->shop, (enum action)(rand() % ACTION_COUNT), user, rand() % PRODUCTS + 1,
                                clock_s - rand() % (HOUR / 2));
        }
        if (rand() % 3 == 0)
            clock_s += rand() % (100 * DAY);
        now_s = clock_s;
        if (rand() % 4 == 0)
            now_s -= rand() % (400 * DAY);
        else if (rand() % 8 == 0)
            now_s += rand() % (400 * DAY);
        assert_cache_changes_nothing(scene, now_s, rand() % 3 == 0 ? 0 : 1 + rand() % 500);
    }
}

static void old_rows_leave_the_cache_and_only_those(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;

    add_days(scene, 500, 1000);
    assert_cache_changes_nothing(scene, NOW, 0); /* keeps all for now */
    assert_int_equal(run(scene, &result, NOW, 10, true, NULL), ERR_OK);
    fetch_result_fini(&result);
    assert_int_equal(run(scene, &result, NOW, 10, true, NULL), ERR_OK);
    assert_int_equal(result.rows_from_cache, 366); /* of days 635 to 1000 */
    assert_int_equal(result.rows.count, 11);
    fetch_result_fini(&result);
    assert_cache_changes_nothing(scene, NOW, 365);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

static void the_future_counts_as_now_for_an_hour_and_is_never_cached(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;

    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 1, NOW);
    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 2, NOW + HOUR);
    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 3, NOW + HOUR + 1);
    assert_int_equal(run(scene, &result, NOW, 10, true, NULL), ERR_OK);
    assert_int_equal(result.rows.count, 2);
    assert_int_equal(result.rows.created[0], NOW);
    assert_int_equal(result.rows.created[1], NOW);
    assert_int_equal(result.clean.dropped[CLEAN_IN_FUTURE], 1);
    fetch_result_fini(&result);
    assert_int_equal(run(scene, &result, NOW, 10, true, NULL), ERR_OK);
    assert_int_equal(result.rows_from_cache, 1);
    fetch_result_fini(&result);
    assert_cache_changes_nothing(scene, NOW + 2 * HOUR, 10); /* with their own times, once these have come */
}

static void a_damaged_cache_is_reported_and_fetched_anew(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;

    add_days(scene, 950, 1000);
    assert_cache_changes_nothing(scene, NOW, 200);
    memory_store_find(&scene->store, "interactions.csv")->data[60] ^= 1;
    assert_int_equal(run(scene, &result, NOW, 200, true, NULL), ERR_OK);
    assert_non_null(strstr(result.warnings[0], "damaged"));
    assert_string_equal(result.warnings[1], "");
    assert_int_equal(scene->shop.from_s[0], NOW - 200 * DAY);
    assert_int_equal(result.rows.count, 51);
    assert_int_equal(result.rows_from_cache, 0);
    fetch_result_fini(&result);
    assert_cache_changes_nothing(scene, NOW, 200);
    assert_int_equal(scene->shop.served, ACTION_COUNT);
}

static void a_cache_that_is_away_costs_a_warning(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;

    add_days(scene, 950, 1000);
    scene->store.away = ERR_UNAVAILABLE;
    assert_int_equal(run(scene, &result, NOW, 200, true, NULL), ERR_OK);
    assert_int_equal(result.rows.count, 51);
    assert_non_null(strstr(result.warnings[0], "away"));
    fetch_result_fini(&result);
    scene->store.away = ERR_OK;
    scene->store.failing_name = "interactions.csv";
    assert_int_equal(run(scene, &result, NOW, 200, true, NULL), ERR_OK);
    assert_int_equal(result.rows.count, 51);
    assert_non_null(strstr(result.warnings[0], "no space left"));
    fetch_result_fini(&result);
}

static void a_source_that_fails_leaves_the_cache_as_it_was(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;
    size_t writes;
    struct err err;

    add_days(scene, 900, 950);
    assert_cache_changes_nothing(scene, 950 * DAY, 200);
    add_days(scene, 951, 1000);
    writes = scene->store.writes;
    scene->shop.activities_fail = ERR_NETWORK;
    assert_int_equal(run(scene, &result, NOW, 200, true, &err), ERR_NETWORK);
    assert_string_equal(err.message, "the shop is closed");
    fetch_result_fini(&result);
    assert_int_equal(scene->store.writes, writes);
    scene->shop.activities_fail = ERR_OK;
    assert_cache_changes_nothing(scene, NOW, 200);
    scene->shop.products_fail = ERR_REMOTE;
    assert_int_equal(run(scene, &result, NOW, 200, true, &err), ERR_REMOTE);
    fetch_result_fini(&result);
}

static void nothing_to_train_on_is_a_business_error(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;
    struct err err;

    assert_int_equal(run(scene, &result, NOW, 10, false, &err), ERR_NO_DATA);
    assert_string_equal(err.message, "Interactions are required.");
    fetch_result_fini(&result);
    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 1, NOW);
    scene->shop.products = 0;
    assert_int_equal(run(scene, &result, NOW, 10, true, &err), ERR_NO_DATA);
    assert_string_equal(err.message, "Products are required.");
    fetch_result_fini(&result);
}

static void what_was_served_is_counted(void **state)
{
    struct scene *scene = *state;
    struct fetch_result result;

    fake_shop_add(&scene->shop, "1", ACTION_PURCHASE, "u", "{\"content_ids\":\",1,2,3,\"}", NOW);
    fake_shop_add(&scene->shop, "1", ACTION_PURCHASE, "u", "{\"content_ids\":\",1,2,3,\"}", NOW); /* comes again */
    fake_shop_add(&scene->shop, "\"2\"", ACTION_ADD_TO_CART, "u", "{\"id\":\"4\"}", NOW);
    fake_shop_add(&scene->shop, "3", ACTION_ADD_TO_CART, "u", "{}", NOW); /* dirty, but served */
    fake_shop_add(&scene->shop, "null", ACTION_ADD_TO_CART, "u", "{\"id\":\"4\"}", NOW);
    assert_int_equal(run(scene, &result, NOW, 10, false, NULL), ERR_OK);
    assert_int_equal(result.clean.served, 5);
    assert_int_equal(result.unique_served_ids, 3);
    assert_int_equal(result.clean.rows_by_action[ACTION_PURCHASE], 6);
    assert_int_equal(result.rows_dropped_as_duplicates, 3);
    assert_int_equal(result.rows_after_dedup[ACTION_PURCHASE], 3);
    assert_int_equal(result.rows_after_dedup[ACTION_ADD_TO_CART], 1);
    assert_int_equal(result.rows_lost_by_id_alone, 2);
    assert_int_equal(result.catalogue.count, PRODUCTS);
    assert_int_equal(result.source.pages, 1);
    assert_int_equal(result.source.retries, 1);
    fetch_result_fini(&result);
}

/* Remembers the last fraction; asks to stop at the n-th report. */
struct listener {
    double fraction;
    int reports;
    int stop_at;
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct listener *listener = context;

    assert_string_equal(stage, "fetch");
    assert_string_equal(note, "half");
    assert_true(fraction >= listener->fraction && fraction <= 1);
    listener->fraction = fraction;
    return ++listener->reports != listener->stop_at;
}

static void progress_goes_forward_and_can_stop_the_run(void **state)
{
    struct scene *scene = *state;
    struct fetch_params params = {.now_s = NOW, .window_days = 10};
    struct source source = fake_shop_source(&scene->shop);

    fake_shop_add_plain(&scene->shop, ACTION_PURCHASE, "u", 1, NOW);
    for (int stop_at = 0; stop_at < 3; stop_at++) {
        struct listener listener = {.stop_at = stop_at};
        struct progress progress = {.fn = on_progress, .context = &listener};
        struct fetch_result result;

        assert_int_equal(fetch_run(&result, &params, &source, NULL, &progress, NULL),
                         stop_at == 0 ? ERR_OK : ERR_CANCELLED);
        assert_int_equal(listener.reports, stop_at == 0 ? 2 : stop_at);
        fetch_result_fini(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_run_asks_since_the_watermark_of_each_action, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_action_without_activities_is_asked_from_the_start_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_larger_window_is_fetched_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_cache_gets_no_hole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_in_the_past_takes_nothing_from_the_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_in_the_future_takes_nothing_from_the_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_runs_see_what_runs_without_a_cache_see, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_rows_leave_the_cache_and_only_those, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_future_counts_as_now_for_an_hour_and_is_never_cached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_cache_is_reported_and_fetched_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cache_that_is_away_costs_a_warning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_source_that_fails_leaves_the_cache_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_to_train_on_is_a_business_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_served_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_goes_forward_and_can_stop_the_run, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
