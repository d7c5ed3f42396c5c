#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/failing_memory.h"
#include "worker/pipeline/product_index.h"
#include "worker/pipeline/row_groups.h"

static void add(struct interactions *rows, int64_t activity_id, const char *user, int64_t created, int64_t product_id)
{
    assert_int_equal(
        interactions_add(rows, activity_id, ACTION_PURCHASE, user, strlen(user), created, product_id, NULL), ERR_OK);
}

static int open_rows(void **state)
{
    *state = calloc(1, sizeof(struct interactions));
    assert_non_null(*state);
    return interactions_init(*state, NULL) == ERR_OK ? 0 : -1;
}

static int close_rows(void **state)
{
    interactions_fini(*state);
    free(*state);
    return 0;
}

static void assert_group(const struct row_groups *groups, size_t group, const uint32_t *rows, size_t count)
{
    assert_int_equal(groups->starts[group + 1] - groups->starts[group], count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(groups->rows[groups->starts[group] + i], rows[i]);
}

static void each_user_has_a_group_in_the_order_of_the_table(void **state)
{
    struct interactions *rows = *state;
    struct row_groups groups;

    add(rows, 1, "a", 10, 1);
    add(rows, 2, "b", 20, 1);
    add(rows, 3, "a", 5, 1);
    add(rows, 4, "c", 30, 1);
    add(rows, 5, "a", 7, 1);
    interactions_filter(rows, (const uint8_t[]){1, 1, 1, 0, 1}); /* c stays interned */
    assert_int_equal(row_groups_by_user(&groups, rows, NULL, id_table_count(rows->users), NULL), ERR_OK);
    assert_int_equal(groups.count, 3);
    assert_int_equal(groups.largest, 3);
    assert_group(&groups, 0, (const uint32_t[]){0, 2, 3}, 3);
    assert_group(&groups, 1, (const uint32_t[]){1}, 1);
    assert_group(&groups, 2, NULL, 0);
    row_groups_fini(&groups);
}

static void places_say_where_a_users_group_is(void **state)
{
    static const uint32_t places[] = {1, 0};
    struct interactions *rows = *state;
    struct row_groups groups;

    add(rows, 1, "a", 10, 1);
    add(rows, 2, "b", 20, 1);
    add(rows, 3, "a", 5, 1);
    assert_int_equal(row_groups_by_user(&groups, rows, places, 2, NULL), ERR_OK);
    assert_group(&groups, 0, (const uint32_t[]){1}, 1);
    assert_group(&groups, 1, (const uint32_t[]){0, 2}, 2);
    row_groups_fini(&groups);
}

/* Each row is told once, none behind the last. */
static void what_is_ahead_covers_all_rows_but_the_first(void **state)
{
    struct interactions *rows = *state;
    struct row_groups groups;
    size_t told;
    char user[16];

    for (int i = 0; i < 500; i++) {
        (void)snprintf(user, sizeof user, "u%d", i * 7 % 40);
        add(rows, i, user, i, 1);
    }
    assert_int_equal(row_groups_by_user(&groups, rows, NULL, 40, NULL), ERR_OK);
    told = row_groups_ahead(&groups, 0);
    for (size_t group = 0; group < groups.count; group++) {
        assert_true(row_groups_ahead(&groups, group) == told && told >= groups.starts[group]);
        told = row_groups_ahead(&groups, group + 1);
    }
    assert_int_equal(told, rows->count);
    row_groups_fini(&groups);
}

static void no_rows_are_empty_groups(void **state)
{
    struct row_groups groups;
    struct product_index products;

    assert_int_equal(row_groups_by_user(&groups, *state, NULL, 0, NULL), ERR_OK);
    assert_int_equal(groups.largest, 0);
    assert_int_equal(row_groups_ahead(&groups, 0), 0);
    row_groups_fini(&groups);
    assert_int_equal(product_index_init(&products, *state, NULL), ERR_OK);
    assert_int_equal(products.count, 0);
    product_index_fini(&products);
}

static void assert_in_order(const struct interactions *rows, const uint32_t *first, uint32_t a, uint32_t b)
{
    if (first != NULL && first[a] != first[b])
        assert_true(first[a] < first[b]);
    else if (rows->created[a] != rows->created[b])
        assert_true(rows->created[a] < rows->created[b]);
    else if (rows->activity_id[a] != rows->activity_id[b])
        assert_true(rows->activity_id[a] < rows->activity_id[b]);
    else
        assert_true(a < b);
}

/* As many as are ordered by insertion, and as are merged with whole runs and with a rest. */
static void a_group_is_ordered_by_first_then_time_then_activity_then_as_it_was(void **state)
{
    static const int counts[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 64, 65, 400, 1000};
    enum { GROUPS = sizeof counts / sizeof counts[0] };
    struct interactions *rows = *state;
    struct product_index products;
    char user[16];

    for (int group = 0; group < GROUPS; group++) {
        (void)snprintf(user, sizeof user, "u%d", group);
        for (int i = 0; i < counts[group]; i++)
            add(rows, i * 11 % 3, user, i * 7 % 19 - 9, i * 5 % 13 - 6);
    }
    assert_int_equal(product_index_init(&products, rows, NULL), ERR_OK);
    for (int by_product = 0; by_product < 2; by_product++) {
        const uint32_t *first = by_product ? products.of_row : NULL;
        struct row_groups groups;
        uint64_t sum = 0;

        assert_int_equal(row_groups_by_user(&groups, rows, NULL, GROUPS, NULL), ERR_OK);
        for (size_t group = 0; group < GROUPS; group++) {
            row_groups_order(&groups, group, rows, first);
            for (size_t i = groups.starts[group]; i < groups.starts[group + 1]; i++) {
                assert_int_equal(rows->user[groups.rows[i]], group);
                sum += groups.rows[i];
                if (i > groups.starts[group])
                    assert_in_order(rows, first, groups.rows[i - 1], groups.rows[i]);
            }
        }
        assert_int_equal(sum, rows->count * (rows->count - 1) / 2); /* each is there: none twice, as they ascend */
        row_groups_fini(&groups);
    }
    product_index_fini(&products);
}

static void products_are_numbered_by_id(void **state)
{
    struct interactions *rows = *state;
    struct product_index products;

    for (int i = 0; i < 30000; i++) {
        int64_t id = i * 7919 % 5003;

        add(rows, i, "u", i, id == 0 ? INT64_MAX : id == 1 ? INT64_MIN : id * (id % 2 ? -1 : 1000000007));
    }
    assert_int_equal(product_index_init(&products, rows, NULL), ERR_OK);
    assert_int_equal(products.count, 5003);
    for (size_t i = 1; i < products.count; i++)
        assert_true(products.ids[i - 1] < products.ids[i]);
    for (size_t row = 0; row < rows->count; row++)
        assert_int_equal(products.ids[products.of_row[row]], rows->product_id[row]);
    product_index_fini(&products);
}

static enum err_code index_and_group(void *context, struct err *err)
{
    const struct interactions *rows = context;
    struct product_index products;
    struct row_groups groups;
    enum err_code rc = product_index_init(&products, rows, err);

    if (rc != ERR_OK)
        return rc;
    rc = row_groups_by_user(&groups, rows, NULL, id_table_count(rows->users), err);
    product_index_fini(&products);
    if (rc == ERR_OK)
        row_groups_fini(&groups);
    return rc;
}

static void each_lack_of_memory_is_told(void **state)
{
    for (int i = 0; i < 5000; i++)
        add(*state, i, i % 2 == 0 ? "u" : "v", i, i * 7 % 2000);
    failing_memory_try(index_and_group, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rows, close_rows)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_user_has_a_group_in_the_order_of_the_table),
        TEST(places_say_where_a_users_group_is),
        TEST(what_is_ahead_covers_all_rows_but_the_first),
        TEST(no_rows_are_empty_groups),
        TEST(a_group_is_ordered_by_first_then_time_then_activity_then_as_it_was),
        TEST(products_are_numbered_by_id),
        TEST(each_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests_name("row_groups", tests, NULL, NULL);
}
