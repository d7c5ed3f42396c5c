#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "worker/pipeline/cross_sell_lists.h"

enum { NOON = 1700000000, HOUR_S = 3600, DAY_S = 86400, PRODUCTS = 6, LIST = 3 };

/* Weights by left and right product, of products 1 to PRODUCTS - 1; what is not there is 0. */
struct seen {
    struct cross_sell_counts counts;
    double weights[PRODUCTS][PRODUCTS];
    struct cross_sell_lists lists;
    const struct catalogue *catalogue;
    size_t stop_after; /* rows; 0: never */
};

static const struct cross_sell_params all = {
    .min_user_rows = 1, .min_product_rows = 1, .weights = {1, .7, .5, .3, .1}, .decay_days = 25, .session_hours = 12};
static const struct cross_sell_list_params list_params = {.list_size = LIST, .minimum_weight = .1};

static void add(struct interactions *rows, const char *user, int64_t product_id, enum action action, int64_t seconds)
{
    assert_int_equal(
        interactions_add(rows, (int64_t)rows->count, action, user, strlen(user), NOON + seconds, product_id, NULL),
        ERR_OK);
}

static enum err_code see(void *context, const struct cross_sell_row *row, struct err *err)
{
    struct seen *seen = context;

    assert_in_range(row->product_id, 1, PRODUCTS - 1);
    for (size_t i = 0; i < row->count; i++) {
        assert_true(i == 0 || row->right[i] > row->right[i - 1]);
        assert_true(row->weights[row->right[i]] != 0);
        seen->weights[row->product_id][row->product_ids[row->right[i]]] = row->weights[row->right[i]];
    }
    if (seen->stop_after > 0 && --seen->stop_after == 0)
        return ERR_SET(err, ERR_IO, "enough");
    return seen->catalogue != NULL ? cross_sell_lists_add(&seen->lists, row, &list_params, seen->catalogue, err)
                                   : ERR_OK;
}

static enum err_code run(struct seen *seen, const struct interactions *rows, const struct cross_sell_params *params,
                         struct err *err)
{
    const struct cross_sell_visitor visitor = {.fn = see, .context = seen};

    return cross_sell_run(&seen->counts, rows, params, NULL, &visitor, err);
}

static double after(int64_t seconds)
{
    double days = (double)seconds / DAY_S;

    return exp(-(days / 25) * (days / 25));
}

static void check(const struct seen *seen, int left, int right, double expected)
{
    if (fabs(seen->weights[left][right] - expected) > 1e-12)
        fail_msg("%d with %d weighs %.15g, not %.15g", left, right, seen->weights[left][right], expected);
}

static int start_rows(void **state)
{
    struct interactions *rows = calloc(1, sizeof *rows);

    *state = rows;
    return rows != NULL && interactions_init(rows, NULL) == ERR_OK ? 0 : -1;
}

static int end_rows(void **state)
{
    interactions_fini(*state);
    free(*state);
    return 0;
}

static void what_follows_within_the_session_counts_by_its_own_action(void **state)
{
    struct interactions *rows = *state;
    struct seen seen = {0};

    add(rows, "u", 1, ACTION_CONTENT_VIEW, 0);
    add(rows, "u", 2, ACTION_PURCHASE, HOUR_S);
    add(rows, "u", 3, ACTION_ADD_TO_CART, 12 * HOUR_S - 1);
    assert_int_equal(run(&seen, rows, &all, NULL), ERR_OK);
    check(&seen, 1, 2, after(HOUR_S));
    check(&seen, 1, 3, .5 * after(12 * HOUR_S - 1));
    check(&seen, 2, 3, .5 * after(11 * HOUR_S - 1));
    check(&seen, 2, 1, 0);
    check(&seen, 3, 1, 0);
    assert_int_equal(seen.counts.product_pairs, 3);
    assert_int_equal(seen.counts.left_products, 2);
    assert_int_equal(seen.counts.right_products, 2);
    assert_int_equal(seen.counts.merge_rows, 9);
}

static void the_end_of_the_session_is_outside_of_it(void **state)
{
    struct interactions *rows = *state;
    struct seen seen = {0};
    struct err err = {0};

    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_PURCHASE, 12 * HOUR_S);
    assert_int_equal(run(&seen, rows, &all, &err), ERR_NO_DATA);
    assert_non_null(strstr(err.message, "one session"));
}

static void at_the_same_time_both_come_with_each_other(void **state)
{
    struct interactions *rows = *state;
    struct seen seen = {0};

    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_CONTENT_VIEW, 0);
    add(rows, "u", 2, ACTION_PURCHASE, 0); /* not with itself */
    assert_int_equal(run(&seen, rows, &all, NULL), ERR_OK);
    check(&seen, 1, 2, 1.1);
    check(&seen, 2, 1, 2);
    check(&seen, 2, 2, 0);
}

static void a_product_that_comes_again_later_comes_with_itself(void **state)
{
    struct interactions *rows = *state;
    struct seen seen = {0};

    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 1, ACTION_PURCHASE, 60);
    add(rows, "u", 1, ACTION_PURCHASE, 120);
    assert_int_equal(run(&seen, rows, &all, NULL), ERR_OK);
    check(&seen, 1, 1, 2 * after(60) + after(120));
}

static void rows_in_any_order_make_the_same_weights(void **state)
{
    static const struct {
        const char *user;
        int product;
        int seconds;
    } activities[] = {{"a", 1, 50}, {"b", 2, 0}, {"a", 3, 10}, {"b", 1, 20}, {"a", 2, 30}, {"b", 3, 30}, {"a", 1, 10}};
    enum { COUNT = sizeof activities / sizeof activities[0] };
    struct interactions *rows = *state;
    struct interactions turned;
    struct seen forward = {0};
    struct seen backward = {0};

    assert_int_equal(interactions_init(&turned, NULL), ERR_OK);
    for (size_t i = 0; i < COUNT; i++) {
        size_t j = COUNT - 1 - i;

        add(rows, activities[i].user, activities[i].product, ACTION_PURCHASE, activities[i].seconds);
        add(&turned, activities[j].user, activities[j].product, ACTION_PURCHASE, activities[j].seconds);
    }
    assert_int_equal(run(&forward, rows, &all, NULL), ERR_OK);
    assert_int_equal(run(&backward, &turned, &all, NULL), ERR_OK);
    for (int left = 1; left < PRODUCTS; left++)
        for (int right = 1; right < PRODUCTS; right++)
            check(&backward, left, right, forward.weights[left][right]);
    interactions_fini(&turned);
}

static void users_do_not_mix_and_thresholds_count_before_they_cut(void **state)
{
    struct interactions *rows = *state;
    struct cross_sell_params params = all;
    struct seen seen = {0};

    params.min_user_rows = 3;
    params.min_product_rows = 2;
    add(rows, "few", 1, ACTION_PURCHASE, 0); /* counts for product 1 all the same */
    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_PURCHASE, 1);
    add(rows, "u", 2, ACTION_PURCHASE, 2);
    add(rows, "u", 3, ACTION_PURCHASE, 3); /* alone of its product */
    assert_int_equal(run(&seen, rows, &params, NULL), ERR_OK);
    check(&seen, 1, 2, after(1) + after(2));
    check(&seen, 2, 2, after(1));
    check(&seen, 1, 3, 0);
    assert_int_equal(seen.counts.rows, 3);
    assert_int_equal(seen.counts.users_over_threshold, 1);
    assert_int_equal(seen.counts.products_over_threshold, 2);
}

static void nothing_over_the_thresholds_is_said_with_figures(void **state)
{
    struct interactions *rows = *state;
    struct cross_sell_params params = all;
    struct seen seen = {0};
    struct err err = {0};

    params.min_user_rows = 9;
    add(rows, "u", 1, ACTION_PURCHASE, 0);
    assert_int_equal(run(&seen, rows, &params, &err), ERR_NO_DATA);
    assert_non_null(strstr(err.message, "of 1 users 0 have at least 9"));
}

static void an_action_that_counts_nothing_makes_no_pair(void **state)
{
    struct interactions *rows = *state;
    struct cross_sell_params params = all;
    struct seen seen = {0};

    params.weights[ACTION_CONTENT_VIEW] = 0;
    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_CONTENT_VIEW, 1);
    add(rows, "u", 3, ACTION_PURCHASE, 2);
    assert_int_equal(run(&seen, rows, &params, NULL), ERR_OK);
    assert_int_equal(seen.counts.product_pairs, 2);
    check(&seen, 1, 3, after(2));
}

static void a_session_of_weeks_is_computed_without_its_table(void **state)
{
    struct interactions *rows = *state;
    struct cross_sell_params params = all;
    struct seen seen = {0};

    params.session_hours = 24 * 30;
    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_PURCHASE, 20 * DAY_S);
    assert_int_equal(run(&seen, rows, &params, NULL), ERR_OK);
    check(&seen, 1, 2, after(20 * DAY_S));
}

static void a_visitor_that_fails_ends_it(void **state)
{
    struct interactions *rows = *state;
    struct seen seen = {.stop_after = 1};
    struct err err = {0};

    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 2, ACTION_PURCHASE, 0);
    assert_int_equal(run(&seen, rows, &all, &err), ERR_IO);
    assert_string_equal(err.message, "enough");
    check(&seen, 2, 1, 0);
}

static void fill_catalogue(struct catalogue *catalogue)
{
    catalogue_init(catalogue);
    for (int64_t id = 1; id < PRODUCTS; id++) /* 3 is sold out */
        assert_int_equal(catalogue_add(catalogue, id, id == 3 ? 0 : 1, true, "", NULL), ERR_OK);
    assert_int_equal(catalogue_sort(catalogue, NULL), ERR_OK);
}

static void check_list(const struct cross_sell_lists *lists, size_t list, int64_t product, const int64_t *items)
{
    size_t length = 0;

    assert_int_equal(lists->lists[list].product_id, product);
    while (items[length] != 0) {
        assert_true(length < lists->lists[list].length);
        assert_int_equal(lists->items[list * LIST + length].product_id, items[length]);
        length++;
    }
    assert_int_equal(lists->lists[list].length, length);
}

static void lists_hold_the_heaviest_that_may_be_shown(void **state)
{
    struct interactions *rows = *state;
    struct catalogue catalogue;
    struct seen seen = {.catalogue = &catalogue};
    struct cross_sell_list_counts counts;

    fill_catalogue(&catalogue);
    assert_int_equal(cross_sell_lists_init(&seen.lists, LIST, NULL), ERR_OK);
    for (int64_t id = 1; id < PRODUCTS; id++)
        add(rows, "u", id, id == 4 ? ACTION_INITIATE_CHECKOUT : ACTION_PURCHASE, 0);
    add(rows, "u", 5, ACTION_CONTENT_VIEW, 0);
    add(rows, "v", 1, ACTION_PURCHASE, 0); /* only 3, which is not sold, and a view, which is too light */
    add(rows, "v", 3, ACTION_PURCHASE, 0);
    assert_int_equal(run(&seen, rows, &all, NULL), ERR_OK);
    check_list(&seen.lists, 0, 1, (const int64_t[]){5, 2, 4, 0});
    check_list(&seen.lists, 1, 2, (const int64_t[]){5, 1, 4, 0});
    check_list(&seen.lists, 4, 5, (const int64_t[]){1, 2, 4, 0});
    counts = cross_sell_lists_count(&seen.lists);
    assert_int_equal(counts.lists, 5);
    assert_int_equal(counts.full, 5);
    assert_int_equal(counts.empty, 0);
    assert_int_equal(counts.items, 15);
    cross_sell_lists_fini(&seen.lists);
    catalogue_fini(&catalogue);
}

static void a_list_may_be_empty_and_ties_go_by_id(void **state)
{
    struct interactions *rows = *state;
    struct catalogue catalogue;
    struct seen seen = {.catalogue = &catalogue};

    fill_catalogue(&catalogue);
    assert_int_equal(cross_sell_lists_init(&seen.lists, LIST, NULL), ERR_OK);
    add(rows, "u", 1, ACTION_PURCHASE, 0);
    add(rows, "u", 3, ACTION_PURCHASE, 0);
    for (int64_t id = 5; id >= 4; id--)
        add(rows, "w", id, ACTION_PURCHASE, 0);
    add(rows, "w", 2, ACTION_PURCHASE, 0);
    assert_int_equal(run(&seen, rows, &all, NULL), ERR_OK);
    check_list(&seen.lists, 0, 1, (const int64_t[]){0});
    check_list(&seen.lists, 1, 2, (const int64_t[]){4, 5, 0});
    check_list(&seen.lists, 2, 3, (const int64_t[]){1, 0});
    check_list(&seen.lists, 3, 4, (const int64_t[]){2, 5, 0});
    assert_int_equal(cross_sell_lists_count(&seen.lists).empty, 1);
    cross_sell_lists_fini(&seen.lists);
    catalogue_fini(&catalogue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rows, end_rows)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_follows_within_the_session_counts_by_its_own_action),
        TEST(the_end_of_the_session_is_outside_of_it),
        TEST(at_the_same_time_both_come_with_each_other),
        TEST(a_product_that_comes_again_later_comes_with_itself),
        TEST(rows_in_any_order_make_the_same_weights),
        TEST(users_do_not_mix_and_thresholds_count_before_they_cut),
        TEST(nothing_over_the_thresholds_is_said_with_figures),
        TEST(an_action_that_counts_nothing_makes_no_pair),
        TEST(a_session_of_weeks_is_computed_without_its_table),
        TEST(a_visitor_that_fails_ends_it),
        TEST(lists_hold_the_heaviest_that_may_be_shown),
        TEST(a_list_may_be_empty_and_ties_go_by_id),
    };

    return cmocka_run_group_tests_name("cross_sell", tests, NULL, NULL);
}
