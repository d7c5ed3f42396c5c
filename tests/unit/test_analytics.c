/* The sixteen analyses of rows small enough to be counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "worker/pipeline/analytics.h"

/* Friday 2026-01-30 00:00:00 UTC. */
enum { FRIDAY = 1769731200, HOUR = 3600, DAY = 86400 };

struct scene {
    struct interactions rows;
    struct catalogue catalogue;
    struct analytics_params params;
    struct json *json;
    int64_t next_id;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    *state = scene;
    if (scene == NULL || interactions_init(&scene->rows, NULL) != ERR_OK)
        return -1;
    catalogue_init(&scene->catalogue);
    scene->params = (struct analytics_params){.now_s = FRIDAY + 10 * DAY,
                                              .weights = {1, .7, .5, .3, .1},
                                              .decay_days = 25,
                                              .session_s = 12 * HOUR,
                                              .min_user_rows = 1,
                                              .min_product_rows = 1};
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    interactions_fini(&scene->rows);
    catalogue_fini(&scene->catalogue);
    json_value_destroy(scene->json);
    free(scene);
    return 0;
}

static void add(struct scene *scene, const char *user, enum action action, int64_t product, int64_t created)
{
    assert_int_equal(
        interactions_add(&scene->rows, ++scene->next_id, action, user, strlen(user), created, product, NULL), ERR_OK);
}

static void run(struct scene *scene)
{
    struct err err = {0};

    json_value_destroy(scene->json);
    if (analytics_run(&scene->json, &scene->rows, &scene->catalogue, &scene->params, NULL, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

/* The member as one line of JSON. */
static void check(const struct scene *scene, const char *name, const char *expected)
{
    char *text = json_value_print(json_value_get(scene->json, name), false, 0);

    if (text == NULL || strcmp(text, expected) != 0)
        fail_msg("%s: %s\n expected %s", name, text, expected);
    free(text);
}

/* Three users and three products over two days and two months:
 *   ann   Fri 10:00 view 1, 10:30 cart 1, 11:00 view 2, 12:00 cart 2, 12:30 purchase 1
 *   bob   Fri 23:00 view 1; Sun 1 February 01:00 view 3, 02:00 cart 3
 *   cem   Sun 1 February 01:30 purchase 3 */
static void add_small_shop(struct scene *scene)
{
    const int64_t sunday = FRIDAY + 2 * DAY;

    add(scene, "cem", ACTION_PURCHASE, 3, sunday + HOUR + HOUR / 2);
    add(scene, "ann", ACTION_CONTENT_VIEW, 1, FRIDAY + 10 * HOUR);
    add(scene, "ann", ACTION_ADD_TO_CART, 1, FRIDAY + 10 * HOUR + HOUR / 2);
    add(scene, "ann", ACTION_CONTENT_VIEW, 2, FRIDAY + 11 * HOUR);
    add(scene, "ann", ACTION_ADD_TO_CART, 2, FRIDAY + 12 * HOUR);
    add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY + 12 * HOUR + HOUR / 2);
    add(scene, "bob", ACTION_CONTENT_VIEW, 1, FRIDAY + 23 * HOUR);
    add(scene, "bob", ACTION_CONTENT_VIEW, 3, sunday + HOUR);
    add(scene, "bob", ACTION_ADD_TO_CART, 3, sunday + 2 * HOUR);
    assert_int_equal(catalogue_add(&scene->catalogue, 1, 1, true, "Cup", NULL), ERR_OK);
    assert_int_equal(catalogue_add(&scene->catalogue, 2, 1, true, "Pot", NULL), ERR_OK);
    assert_int_equal(catalogue_sort(&scene->catalogue, NULL), ERR_OK);
}

static void rows_are_counted_by_action_user_and_product(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    run(scene);
    check(scene, "rows", "9");
    check(scene, "users", "3");
    check(scene, "products", "3");
    check(scene, "from", "1769767200");
    check(scene, "to", "1769911200");
    check(scene, "timezone", "\"UTC\"");
    check(scene, "interactions_by_action",
          "{\"purchase\":2,\"initiate_checkout\":0,\"add_to_cart\":3,\"add_to_wishlist\":0,\"content_view\":4}");
    check(scene, "top_users",
          "[{\"user_uid\":\"ann\",\"rows\":5},{\"user_uid\":\"bob\",\"rows\":3},{\"user_uid\":\"cem\",\"rows\":1}]");
    check(
        scene, "top_products",
        "[{\"product_id\":1,\"title\":\"Cup\",\"rows\":4,\"views\":2,\"carts\":1,\"purchases\":1,\"conversion\":0.5},"
        "{\"product_id\":3,\"title\":null,\"rows\":3,\"views\":1,\"carts\":1,\"purchases\":1,\"conversion\":1.0},"
        "{\"product_id\":2,\"title\":\"Pot\",\"rows\":2,\"views\":1,\"carts\":1,\"purchases\":0,\"conversion\":1.0}]");
}

static void hours_weekdays_and_months_are_those_of_the_zone(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    run(scene);
    check(scene, "by_hour", "[0,2,1,0,0,0,0,0,0,0,2,1,2,0,0,0,0,0,0,0,0,0,0,1]");
    check(scene, "by_weekday",
          "{\"monday\":0,\"tuesday\":0,\"wednesday\":0,\"thursday\":0,\"friday\":6,\"saturday\":0,\"sunday\":3}");
    check(scene, "by_month", "[{\"month\":\"2026-01\",\"rows\":6},{\"month\":\"2026-02\",\"rows\":3}]");
}

static int32_t two_hours_west(int64_t unix_s)
{
    (void)unix_s;
    return -2 * HOUR;
}

/* From the Saturday on an hour to the east, as where summer begins; before, a quarter and half an hour. */
static int32_t changing(int64_t unix_s)
{
    return unix_s < FRIDAY + DAY ? HOUR / 2 + HOUR / 4 : HOUR;
}

static void another_zone_moves_rows_to_other_hours_days_and_months(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    scene->params.offset_s = two_hours_west;
    scene->params.timezone = "Atlantic/South_Georgia";
    run(scene);
    check(scene, "timezone", "\"Atlantic/South_Georgia\"");
    check(scene, "by_hour", "[1,0,0,0,0,0,0,0,2,1,2,0,0,0,0,0,0,0,0,0,0,1,0,2]");
    check(scene, "by_weekday",
          "{\"monday\":0,\"tuesday\":0,\"wednesday\":0,\"thursday\":0,\"friday\":6,\"saturday\":2,\"sunday\":1}");
    check(scene, "by_month", "[{\"month\":\"2026-01\",\"rows\":8},{\"month\":\"2026-02\",\"rows\":1}]");
    check(scene, "rows_per_user_day", "{\"user_days\":5,\"mean\":1.8,\"median\":1.0,\"p95\":4.2,\"most\":5.0}");

    scene->params.offset_s = changing;
    run(scene);
    check(scene, "by_hour", "[0,0,2,1,0,0,0,0,0,0,1,2,1,1,0,0,0,0,0,0,0,0,0,1]");
}

/* 4096 quarters of an hour: what is kept of one time lies where that of the other would. */
static void each_time_has_its_own_offset(void **state)
{
    struct scene *scene = *state;

    add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY);
    add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY + 4096 * 900); /* 16 hours and 42 days later */
    add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY);
    scene->params.offset_s = changing;
    run(scene);
    check(scene, "by_hour", "[2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0]");
    check(scene, "by_weekday",
          "{\"monday\":0,\"tuesday\":0,\"wednesday\":0,\"thursday\":0,\"friday\":3,\"saturday\":0,\"sunday\":0}");
}

static void months_without_rows_between_others_are_there(void **state)
{
    struct scene *scene = *state;

    add(scene, "ann", ACTION_PURCHASE, 1, 951782400); /* 2000-02-29 */
    add(scene, "ann", ACTION_PURCHASE, 1, 957139199); /* 2000-04-30 23:59:59 */
    add(scene, "ann", ACTION_PURCHASE, 1, 951868800); /* 2000-03-01 */
    add(scene, "ann", ACTION_PURCHASE, 1, 962409600); /* 2000-07-01 */
    run(scene);
    check(scene, "by_month",
          "[{\"month\":\"2000-02\",\"rows\":1},{\"month\":\"2000-03\",\"rows\":1},{\"month\":\"2000-04\",\"rows\":1},"
          "{\"month\":\"2000-05\",\"rows\":0},{\"month\":\"2000-06\",\"rows\":0},{\"month\":\"2000-07\",\"rows\":1}]");
    scene->params.offset_s = two_hours_west;
    scene->rows.created[0] = 5; /* 31 December 1969 there: counts as the first day */
    scene->rows.count = 1;
    run(scene);
    check(scene, "by_month", "[{\"month\":\"1970-01\",\"rows\":1}]");
}

static void the_funnel_counts_users(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    add(scene, "dan", ACTION_ADD_TO_CART, 1, FRIDAY);
    run(scene);
    check(scene, "funnel", "{\"viewed\":2,\"carted\":3,\"viewed_and_carted\":2,\"purchased\":2}");
}

static void rows_are_counted_by_user_and_day(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene); /* ann 5; bob 1, 2; cem 1 */
    run(scene);
    check(scene, "rows_per_user_day", "{\"user_days\":4,\"mean\":2.25,\"median\":1.5,\"p95\":4.55,\"most\":5.0}");
}

static void users_fall_into_classes_of_activity_and_of_days(void **state)
{
    static const int sizes[] = {1, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100, 499, 500, 501};
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char user[16];

        (void)snprintf(user, sizeof user, "u%zu", i);
        for (int row = 0; row < sizes[i]; row++)
            add(scene, user, ACTION_CONTENT_VIEW, 1, FRIDAY + (int64_t)(row % 50) * DAY);
    }
    scene->params.min_user_rows = 1000; /* no weights: they are not what is counted here */
    run(scene);
    check(scene, "users_by_activity",
          "[{\"from\":1,\"to\":4,\"users\":2},{\"from\":5,\"to\":9,\"users\":2},{\"from\":10,\"to\":19,\"users\":2},"
          "{\"from\":20,\"to\":49,\"users\":2},{\"from\":50,\"to\":99,\"users\":2},{\"from\":100,\"to\":499,"
          "\"users\":2},{\"from\":500,\"to\":null,\"users\":2}]");
    check(scene, "retention",
          "[{\"from\":1,\"to\":1,\"users\":1},{\"from\":2,\"to\":4,\"users\":1},{\"from\":5,\"to\":9,\"users\":2},"
          "{\"from\":10,\"to\":19,\"users\":2},{\"from\":20,\"to\":49,\"users\":2},{\"from\":50,\"to\":null,"
          "\"users\":6}]");
}

static void the_best_conversion_needs_ten_views(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 12; i++) {
        if (i < 9)
            add(scene, "a", ACTION_CONTENT_VIEW, 1, FRIDAY); /* 9 views, 9 carts: too few to be told */
        if (i < 9)
            add(scene, "a", ACTION_ADD_TO_CART, 1, FRIDAY);
        if (i < 10)
            add(scene, "a", ACTION_CONTENT_VIEW, 2, FRIDAY); /* 10 views, 5 carts */
        if (i < 5)
            add(scene, "a", ACTION_ADD_TO_CART, 2, FRIDAY);
        add(scene, "a", ACTION_CONTENT_VIEW, 3, FRIDAY); /* 12 views, 6 carts: as good, of more views */
        if (i < 6)
            add(scene, "a", ACTION_ADD_TO_CART, 3, FRIDAY);
    }
    run(scene);
    check(scene, "best_conversion",
          "[{\"product_id\":3,\"title\":null,\"rows\":18,\"views\":12,\"carts\":6,\"purchases\":0,\"conversion\":0.5},"
          "{\"product_id\":2,\"title\":null,\"rows\":15,\"views\":10,\"carts\":5,\"purchases\":0,\"conversion\":0.5}]");
}

static void different_products_in_the_cart_are_counted(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    add(scene, "bob", ACTION_ADD_TO_CART, 3, FRIDAY); /* once more: one product all the same */
    run(scene);
    check(scene, "carts",
          "{\"users\":2,\"with_several_products\":1,\"products_mean\":1.5,\"top\":[{\"user_uid\":\"ann\","
          "\"products\":2},{\"user_uid\":\"bob\",\"products\":1}]}");
}

static void the_way_to_the_cart_begins_with_the_first_view(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene); /* 0.5, 1 and 1 hours */
    add(scene, "dan", ACTION_ADD_TO_CART, 1, FRIDAY);
    add(scene, "dan", ACTION_CONTENT_VIEW, 1, FRIDAY + HOUR);
    add(scene, "dan", ACTION_CONTENT_VIEW, 1, FRIDAY + 2 * HOUR);
    add(scene, "dan", ACTION_ADD_TO_CART, 1, FRIDAY + 6 * HOUR); /* 5 hours from the first view, past a cart before */
    add(scene, "dan", ACTION_CONTENT_VIEW, 2, FRIDAY);           /* never carted */
    run(scene);
    check(scene, "view_to_cart_hours",
          "{\"pairs\":4,\"mean\":1.875,\"p25\":0.875,\"median\":1.0,\"p75\":2.0,\"p95\":4.4}");
}

/* Weights, by hand (of gaps of hours the decay, exp(-(gap / 25 d)^2), is 1 to four digits):
 *   ann   1 -> 2: the view of 2 (.1) and its cart (.5) follow both rows of 1 before: 2 * .6 = 1.2
 *         2 -> 1: the purchase (1) follows both rows of 2: a hair under 2
 *   bob   1 -> 3 lies more than twelve hours apart: nothing; 3 -> 3 is no pair */
static void products_of_a_session_are_linked_by_weights(void **state)
{
    struct scene *scene = *state;

    add_small_shop(scene);
    run(scene);
    check(scene, "weights",
          "{\"bins\":[{\"from\":0.0,\"to\":0.1,\"pairs\":0},{\"from\":0.1,\"to\":0.5,\"pairs\":0},{\"from\":0.5,"
          "\"to\":1.0,\"pairs\":0},{\"from\":1.0,\"to\":2.0,\"pairs\":2},{\"from\":2.0,\"to\":5.0,\"pairs\":0},"
          "{\"from\":5.0,\"to\":100.0,\"pairs\":0},{\"from\":100.0,\"to\":null,\"pairs\":0}],\"pairs\":2}");
    check(scene, "most_recommendations",
          "[{\"product_id\":1,\"title\":\"Cup\",\"products\":1},{\"product_id\":2,\"title\":\"Pot\",\"products\":1}]");
    check(scene, "most_recommended",
          "[{\"product_id\":1,\"title\":\"Cup\",\"products\":1},{\"product_id\":2,\"title\":\"Pot\",\"products\":1}]");
}

/* One basket of three at one time links each with each; the action of the other counts. A later row of twelve hours to
 * the second is another session. */
static void what_happens_at_once_is_linked_both_ways(void **state)
{
    struct scene *scene = *state;

    add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY);
    add(scene, "ann", ACTION_ADD_TO_CART, 2, FRIDAY);
    add(scene, "ann", ACTION_CONTENT_VIEW, 3, FRIDAY);
    add(scene, "ann", ACTION_PURCHASE, 4, FRIDAY + 12 * HOUR);
    add(scene, "bob", ACTION_PURCHASE, 4, FRIDAY); /* of another user */
    run(scene);
    check(scene, "weights",
          "{\"bins\":[{\"from\":0.0,\"to\":0.1,\"pairs\":0},{\"from\":0.1,\"to\":0.5,\"pairs\":2},{\"from\":0.5,"
          "\"to\":1.0,\"pairs\":2},{\"from\":1.0,\"to\":2.0,\"pairs\":2},{\"from\":2.0,\"to\":5.0,\"pairs\":0},"
          "{\"from\":5.0,\"to\":100.0,\"pairs\":0},{\"from\":100.0,\"to\":null,\"pairs\":0}],\"pairs\":6}");
    check(scene, "most_recommendations",
          "[{\"product_id\":1,\"title\":null,\"products\":2},{\"product_id\":2,\"title\":null,\"products\":2},"
          "{\"product_id\":3,\"title\":null,\"products\":2}]");
    scene->rows.created[3]--;
    run(scene); /* now the purchase of 4 follows all three */
    check(scene, "most_recommended",
          "[{\"product_id\":4,\"title\":null,\"products\":3},{\"product_id\":1,\"title\":null,\"products\":2},"
          "{\"product_id\":2,\"title\":null,\"products\":2},{\"product_id\":3,\"title\":null,\"products\":2}]");
    check(scene, "most_recommendations",
          "[{\"product_id\":1,\"title\":null,\"products\":3},{\"product_id\":2,\"title\":null,\"products\":3},"
          "{\"product_id\":3,\"title\":null,\"products\":3}]");
}

static void few_rows_make_no_weights(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 3; i++) {
        add(scene, "ann", ACTION_PURCHASE, 1, FRIDAY);
        add(scene, "bob", ACTION_PURCHASE, i < 2 ? 1 : 2, FRIDAY);
    }
    add(scene, "cem", ACTION_PURCHASE, 1, FRIDAY);
    add(scene, "cem", ACTION_PURCHASE, 2, FRIDAY);
    scene->params.min_user_rows = 3;
    scene->params.min_product_rows = 2;
    run(scene); /* cem's rows count for the products, not for weights; ann has but one product */
    check(scene, "most_recommended",
          "[{\"product_id\":1,\"title\":null,\"products\":1},{\"product_id\":2,\"title\":null,\"products\":1}]");
    scene->params.min_product_rows = 3;
    run(scene);
    check(scene, "most_recommended", "[]");
}

static void lists_end_at_their_length(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 40; i++) {
        char user[16];

        (void)snprintf(user, sizeof user, "user-%02d", i);
        add(scene, user, ACTION_ADD_TO_CART, 100 + i, FRIDAY + i);
        add(scene, "all", ACTION_CONTENT_VIEW, 100 + i, FRIDAY + i);
    }
    run(scene);
    assert_int_equal(json_value_count(json_value_get(scene->json, "top_users")), 20);
    assert_int_equal(json_value_count(json_value_get(scene->json, "top_products")), 30);
    assert_int_equal(json_value_count(json_value_get(scene->json, "most_recommended")), 20);
    assert_int_equal(json_value_count(json_value_get(json_value_get(scene->json, "carts"), "top")), 20);
    assert_string_equal(json_value_get_text(json_value_at(json_value_get(scene->json, "top_users"), 1), "user_uid"),
                        "user-00");
}

static void without_rows_all_is_empty(void **state)
{
    struct scene *scene = *state;

    run(scene);
    check(scene, "rows", "0");
    check(scene, "top_users", "[]");
    check(scene, "by_month", "[]");
    check(scene, "rows_per_user_day", "{\"user_days\":0,\"mean\":0.0,\"median\":null,\"p95\":null,\"most\":null}");
    check(scene, "view_to_cart_hours",
          "{\"pairs\":0,\"mean\":0.0,\"p25\":null,\"median\":null,\"p75\":null,\"p95\":null}");
}

static bool refuse(void *context, const char *stage, double fraction, const char *note)
{
    (void)context;
    (void)fraction;
    (void)note;
    return strcmp(stage, "analytics") != 0;
}

static void they_are_cancelled_on_their_way(void **state)
{
    struct scene *scene = *state;
    const struct progress progress = {.fn = refuse};

    add_small_shop(scene);
    assert_int_equal(analytics_run(&scene->json, &scene->rows, &scene->catalogue, &scene->params, &progress, NULL),
                     ERR_CANCELLED);
    assert_null(scene->json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_counted_by_action_user_and_product),
        TEST(hours_weekdays_and_months_are_those_of_the_zone),
        TEST(another_zone_moves_rows_to_other_hours_days_and_months),
        TEST(each_time_has_its_own_offset),
        TEST(months_without_rows_between_others_are_there),
        TEST(the_funnel_counts_users),
        TEST(rows_are_counted_by_user_and_day),
        TEST(users_fall_into_classes_of_activity_and_of_days),
        TEST(the_best_conversion_needs_ten_views),
        TEST(different_products_in_the_cart_are_counted),
        TEST(the_way_to_the_cart_begins_with_the_first_view),
        TEST(products_of_a_session_are_linked_by_weights),
        TEST(what_happens_at_once_is_linked_both_ways),
        TEST(few_rows_make_no_weights),
        TEST(lists_end_at_their_length),
        TEST(without_rows_all_is_empty),
        TEST(they_are_cancelled_on_their_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
