#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/interactions.h"
#include "worker/pipeline/radix.h"

static void add(struct interactions *rows, int64_t activity_id, const char *user, int64_t created, int64_t product_id)
{
    assert_int_equal(
        interactions_add(rows, activity_id, ACTION_ADD_TO_CART, user, strlen(user), created, product_id, NULL), ERR_OK);
}

static void every_action_has_a_name_that_is_read_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACTION_COUNT; i++) {
        enum action action = ACTION_COUNT;

        assert_true(action_parse(action_name((enum action)i), &action));
        assert_int_equal(action, i);
    }
}

static void unknown_actions_are_refused(void **state)
{
    enum action action = ACTION_COUNT;

    (void)state;
    assert_false(action_parse("search", &action));
    assert_false(action_parse("Purchase", &action));
    assert_false(action_parse("", &action));
    assert_false(action_parse(NULL, &action));
    assert_int_equal(action, ACTION_COUNT);
}

static void rows_keep_what_was_added(void **state)
{
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 1000; i++)
        add(&rows, i, i % 2 == 0 ? "even" : "odd", 100 + i, -i);
    assert_int_equal(rows.count, 1000);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(rows.activity_id[i], i);
        assert_string_equal(id_table_text(rows.users, rows.user[i]), i % 2 == 0 ? "even" : "odd");
        assert_int_equal(rows.created[i], 100 + i);
        assert_int_equal(rows.product_id[i], -i);
        assert_int_equal(rows.action[i], ACTION_ADD_TO_CART);
    }
    interactions_fini(&rows);
}

static void filter_keeps_the_order(void **state)
{
    const uint8_t keep[] = {1, 0, 1, 0, 1};
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 5; i++)
        add(&rows, i, "u", i, 10 * i);
    interactions_filter(&rows, keep);
    assert_int_equal(rows.count, 3);
    assert_int_equal(rows.product_id[0], 0);
    assert_int_equal(rows.product_id[1], 20);
    assert_int_equal(rows.product_id[2], 40);
    assert_int_equal(rows.created[2], 4);
    interactions_fini(&rows);
}

static void dedup_keeps_the_first_of_activity_and_product(void **state)
{
    struct interactions rows;
    size_t removed = 99;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, 1, "first", 10, 7);
    add(&rows, 1, "second", 20, 7);
    add(&rows, 1, "third", 30, 8);
    add(&rows, 2, "fourth", 40, 7);
    add(&rows, 1, "fifth", 50, 7);
    assert_int_equal(interactions_dedup(&rows, &removed, NULL), ERR_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(rows.count, 3);
    assert_string_equal(id_table_text(rows.users, rows.user[0]), "first");
    assert_string_equal(id_table_text(rows.users, rows.user[1]), "third");
    assert_string_equal(id_table_text(rows.users, rows.user[2]), "fourth");
    interactions_fini(&rows);
}

static void dedup_of_many_rows_removes_every_second(void **state)
{
    struct interactions rows;
    size_t removed;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 5000; i++)
        add(&rows, i / 10, "u", i, i % 10 / 2);
    assert_int_equal(interactions_dedup(&rows, &removed, NULL), ERR_OK);
    assert_int_equal(removed, 2500);
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(rows.created[i], 2 * i);
    interactions_fini(&rows);
}

static void dedup_finds_the_first_however_far_it_is(void **state)
{
    enum { ROWS = 700 };
    struct interactions rows;
    size_t removed;

    (void)state;
    for (int64_t gap = 1; gap < ROWS; gap += gap < 70 ? 1 : 70) {
        assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
        for (int64_t i = 0; i < ROWS; i++)
            add(&rows, i % gap, "u", i, -i % gap);
        assert_int_equal(interactions_dedup(&rows, &removed, NULL), ERR_OK);
        assert_int_equal(removed, ROWS - gap);
        for (size_t i = 0; i < rows.count; i++)
            assert_int_equal(rows.created[i], i);
        interactions_fini(&rows);
    }
}

static void dedup_of_nothing_is_nothing(void **state)
{
    struct interactions rows;
    size_t removed = 99;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(interactions_dedup(&rows, &removed, NULL), ERR_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(rows.count, 0);
    interactions_fini(&rows);
}

static void dropping_the_rows_keeps_the_users(void **state)
{
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, 1, "u", 1, 1);
    interactions_drop_rows(&rows);
    assert_int_equal(rows.count, 0);
    assert_string_equal(id_table_text(rows.users, 0), "u");
    add(&rows, 2, "u", 2, 2); /* usable again */
    assert_int_equal(rows.count, 1);
    interactions_fini(&rows);
}

static void radix_sort_is_stable_and_knows_negative_keys(void **state)
{
    const int64_t keys[] = {5, -1, INT64_MAX, 5, INT64_MIN, 0, -1};
    const uint32_t expected[] = {4, 1, 6, 5, 0, 3, 2};
    uint32_t *rows;

    (void)state;
    assert_int_equal(radix_rows(&rows, 7, NULL), ERR_OK);
    assert_int_equal(radix_sort(rows, keys, 7, NULL), ERR_OK);
    assert_memory_equal(rows, expected, sizeof expected);
    free(rows);
}

static void radix_sort_of_nothing_is_nothing(void **state)
{
    uint32_t *rows;

    (void)state;
    assert_int_equal(radix_rows(&rows, 0, NULL), ERR_OK);
    assert_int_equal(radix_sort(rows, NULL, 0, NULL), ERR_OK);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_has_a_name_that_is_read_back),
        cmocka_unit_test(unknown_actions_are_refused),
        cmocka_unit_test(rows_keep_what_was_added),
        cmocka_unit_test(filter_keeps_the_order),
        cmocka_unit_test(dedup_keeps_the_first_of_activity_and_product),
        cmocka_unit_test(dedup_of_many_rows_removes_every_second),
        cmocka_unit_test(dedup_finds_the_first_however_far_it_is),
        cmocka_unit_test(dedup_of_nothing_is_nothing),
        cmocka_unit_test(dropping_the_rows_keeps_the_users),
        cmocka_unit_test(radix_sort_is_stable_and_knows_negative_keys),
        cmocka_unit_test(radix_sort_of_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
