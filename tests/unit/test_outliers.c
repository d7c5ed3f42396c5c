#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/outliers.h"

enum { DAY_S = 86400, MIDNIGHT = 20000 * DAY_S };

static void add(struct interactions *rows, const char *user, int64_t activity_id, int64_t created, int64_t product_id)
{
    assert_int_equal(
        interactions_add(rows, activity_id, ACTION_CONTENT_VIEW, user, strlen(user), created, product_id, NULL),
        ERR_OK);
}

/* `count` activities of one product each, `step_s` apart */
static void add_many(struct interactions *rows, const char *user, int64_t start, int count, int64_t step_s)
{
    static const int64_t ids_of_a_start = 1000;

    for (int i = 0; i < count; i++)
        add(rows, user, start * ids_of_a_start + i, start + i * step_s, 1 + i);
}

static void add_basket(struct interactions *rows, const char *user, int64_t activity_id, int64_t created, int products)
{
    for (int i = 0; i < products; i++)
        add(rows, user, activity_id, created, 1 + i);
}

static void run(struct outlier_result *result, struct interactions *rows, const struct outlier_params *params)
{
    assert_int_equal(outliers_run(result, rows, params, NULL), ERR_OK);
}

/* Whether the rule alone removes the only user of `rows`, which are freed. */
static bool removes(struct interactions *rows, const struct outlier_params *params, enum outlier_rule rule)
{
    struct outlier_result result;
    size_t before = rows->count;
    bool removed;

    run(&result, rows, params);
    removed = result.removed_count == 1;
    assert_int_equal(rows->count, removed ? 0 : before);
    assert_int_equal(result.rows_removed, removed ? before : 0);
    if (removed)
        assert_int_equal(result.removed[0].rule, rule);
    outlier_result_fini(&result);
    interactions_fini(rows);
    return removed;
}

static struct interactions rows_of(int64_t start, int count, int64_t step_s)
{
    struct interactions rows;

    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add_many(&rows, "u", start, count, step_s);
    return rows;
}

static struct interactions basket_of(int products)
{
    struct interactions rows;

    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add_basket(&rows, "u", 1, MIDNIGHT, products);
    return rows;
}

static void more_rows_a_day_than_the_limit_remove_the_user(void **state)
{
    const struct outlier_params params = {.max_per_day = 150};
    const struct outlier_params off = {.max_per_day = 0};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT, 150, 1);
    assert_false(removes(&rows, &params, OUTLIER_PER_DAY));
    rows = rows_of(MIDNIGHT, 151, 1);
    assert_true(removes(&rows, &params, OUTLIER_PER_DAY));
    rows = rows_of(MIDNIGHT, 151, 1);
    assert_false(removes(&rows, &off, OUTLIER_PER_DAY));
}

static void a_day_ends_at_midnight_utc(void **state)
{
    const struct outlier_params params = {.max_per_day = 150};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT - 100, 200, 1); /* 100 before, 100 after */
    assert_false(removes(&rows, &params, OUTLIER_PER_DAY));
    rows = rows_of(MIDNIGHT - 49, 200, 1); /* 49 before, 151 after */
    assert_true(removes(&rows, &params, OUTLIER_PER_DAY));
    rows = rows_of(-100, 200, 1); /* before 1970 as well */
    assert_false(removes(&rows, &params, OUTLIER_PER_DAY));
}

static void a_minute_has_its_own_limit(void **state)
{
    const struct outlier_params params = {.max_per_minute = 20};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT, 200, 3); /* 20 a minute */
    assert_false(removes(&rows, &params, OUTLIER_PER_MINUTE));
    rows = rows_of(MIDNIGHT, 21, 2);
    assert_true(removes(&rows, &params, OUTLIER_PER_MINUTE));
}

static void a_session_counts_distinct_products(void **state)
{
    const struct outlier_params params = {.max_products_per_session = 10};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT, 10, 60);
    assert_false(removes(&rows, &params, OUTLIER_PER_SESSION));
    rows = rows_of(MIDNIGHT, 11, 60);
    assert_true(removes(&rows, &params, OUTLIER_PER_SESSION));
    rows = rows_of(MIDNIGHT, 10, 60);
    add_many(&rows, "u", MIDNIGHT + 600, 10, 60); /* the same products again */
    assert_false(removes(&rows, &params, OUTLIER_PER_SESSION));
}

static void a_session_ends_after_half_an_hour_of_rest(void **state)
{
    const struct outlier_params params = {.max_products_per_session = 1};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT, 2, 1800);
    assert_true(removes(&rows, &params, OUTLIER_PER_SESSION));
    rows = rows_of(MIDNIGHT, 2, 1801);
    assert_false(removes(&rows, &params, OUTLIER_PER_SESSION));
}

static void a_timer_is_no_shopper(void **state)
{
    const struct outlier_params params = {.regular_gaps = true};
    struct interactions rows;

    (void)state;
    rows = rows_of(MIDNIGHT, 30, 3600);
    assert_true(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
    rows = rows_of(MIDNIGHT, 29, 3600);
    assert_false(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
    rows = rows_of(MIDNIGHT, 30, 0); /* one moment has no rhythm */
    assert_false(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
}

static void irregular_gaps_are_a_shoppers(void **state)
{
    const struct outlier_params params = {.regular_gaps = true};
    struct interactions rows;

    (void)state;
    /* gaps 1000 and 1100 by turns: deviation 50 of a mean of 1050 is just under 5 % */
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 31; i++)
        add(&rows, "u", i, MIDNIGHT + i * 1050 - i % 2 * 50, 1);
    assert_true(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
    /* 1000 and 1110: 55 of 1055 is just over */
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 31; i++)
        add(&rows, "u", i, MIDNIGHT + i * 1055 - i % 2 * 55, 1);
    assert_false(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
}

static void regular_gaps_are_between_activities(void **state)
{
    const struct outlier_params params = {.regular_gaps = true};
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 30; i++)
        add_basket(&rows, "u", i, MIDNIGHT + i * 600, 3);
    assert_true(removes(&rows, &params, OUTLIER_REGULAR_GAPS));
}

static void listed_users_are_removed(void **state)
{
    struct outlier_params params = {0};
    struct id_table *excluded;
    struct interactions rows;
    uint32_t index;

    (void)state;
    assert_int_equal(id_table_create(&excluded, NULL), ERR_OK);
    assert_int_equal(id_table_intern(excluded, "nobody", 6, &index, NULL), ERR_OK);
    params.excluded = excluded;
    rows = rows_of(MIDNIGHT, 3, 60);
    assert_false(removes(&rows, &params, OUTLIER_EXCLUDED));
    assert_int_equal(id_table_intern(excluded, "u", 1, &index, NULL), ERR_OK);
    rows = rows_of(MIDNIGHT, 3, 60);
    assert_true(removes(&rows, &params, OUTLIER_EXCLUDED));
    id_table_destroy(excluded);
}

static void counting_activities_spares_large_baskets(void **state)
{
    const struct outlier_params by_rows = {.max_per_day = 150, .max_per_minute = 150, .max_products_per_session = 150};
    struct outlier_params by_activities = by_rows;
    struct interactions rows;

    (void)state;
    by_activities.count_activities = true;
    rows = basket_of(151);
    assert_true(removes(&rows, &by_rows, OUTLIER_PER_DAY));
    rows = basket_of(151);
    assert_false(removes(&rows, &by_activities, OUTLIER_PER_DAY));
    rows = rows_of(MIDNIGHT, 151, 1);
    assert_true(removes(&rows, &by_activities, OUTLIER_PER_DAY));
}

static void users_that_only_rows_condemn_are_counted(void **state)
{
    const struct outlier_params params = {.max_per_day = 150};
    struct outlier_result result;
    struct interactions rows;

    (void)state;
    rows = basket_of(151);
    add_many(&rows, "bot", MIDNIGHT, 151, 1);
    run(&result, &rows, &params);
    assert_int_equal(result.removed_count, 2);
    assert_int_equal(result.by_rows_only, 1);
    outlier_result_fini(&result);
    interactions_fini(&rows);
}

static void the_removed_come_by_uid_with_their_last_rows(void **state)
{
    const struct outlier_params params = {.max_per_day = 3};
    struct outlier_result result;
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add_many(&rows, "z", MIDNIGHT + 500, 4, -100); /* newest first, as the shop serves them */
    add_many(&rows, "kept", MIDNIGHT, 3, 1);
    add_many(&rows, "a", MIDNIGHT, 5, 1);
    run(&result, &rows, &params);
    assert_int_equal(result.users_before, 3);
    assert_int_equal(result.removed_count, 2);
    assert_int_equal(result.rows_removed, 9);
    assert_string_equal(id_table_text(rows.users, result.removed[0].user), "a");
    assert_string_equal(id_table_text(rows.users, result.removed[1].user), "z");
    assert_int_equal(result.removed[0].rows, 5);
    assert_int_equal(result.removed[1].last_count, 3);
    assert_int_equal(result.removed[1].last[0].created, MIDNIGHT + 500);
    assert_int_equal(result.removed[1].last[0].product_id, 1);
    assert_int_equal(result.removed[1].last[2].created, MIDNIGHT + 300);
    assert_int_equal(result.removed[1].last[0].action, ACTION_CONTENT_VIEW);
    assert_int_equal(rows.count, 3);
    assert_string_equal(id_table_text(rows.users, rows.user[0]), "kept");
    outlier_result_fini(&result);
    interactions_fini(&rows);
}

static void days_are_counted_once(void **state)
{
    const struct outlier_params params = {0};
    struct outlier_result result;
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add_many(&rows, "u", MIDNIGHT, 4, DAY_S / 2);     /* days 0, 0, 1, 1 */
    add_many(&rows, "v", MIDNIGHT + 1, 4, DAY_S / 2); /* again */
    add(&rows, "v", 1, -1, 1);                        /* the day before 1970 */
    add(&rows, "v", 2, 0, 1);                         /* its first day */
    run(&result, &rows, &params);
    assert_int_equal(result.days_before, 4);
    assert_int_equal(result.users_before, 2);
    outlier_result_fini(&result);
    interactions_fini(&rows);
}

static void no_rows_are_no_outliers(void **state)
{
    const struct outlier_params params = {.max_per_day = 150, .regular_gaps = true};
    struct outlier_result result;
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    run(&result, &rows, &params);
    assert_int_equal(result.removed_count, 0);
    assert_int_equal(result.days_before, 0);
    outlier_result_fini(&result);
    interactions_fini(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_rows_a_day_than_the_limit_remove_the_user),
        cmocka_unit_test(a_day_ends_at_midnight_utc),
        cmocka_unit_test(a_minute_has_its_own_limit),
        cmocka_unit_test(a_session_counts_distinct_products),
        cmocka_unit_test(a_session_ends_after_half_an_hour_of_rest),
        cmocka_unit_test(a_timer_is_no_shopper),
        cmocka_unit_test(irregular_gaps_are_a_shoppers),
        cmocka_unit_test(regular_gaps_are_between_activities),
        cmocka_unit_test(listed_users_are_removed),
        cmocka_unit_test(counting_activities_spares_large_baskets),
        cmocka_unit_test(users_that_only_rows_condemn_are_counted),
        cmocka_unit_test(the_removed_come_by_uid_with_their_last_rows),
        cmocka_unit_test(days_are_counted_once),
        cmocka_unit_test(no_rows_are_no_outliers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
