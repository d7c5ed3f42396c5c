#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "worker/pipeline/weigh.h"

enum { NOW = 1000 * 86400, DAY_S = 86400 };

static const struct weigh_params service = {.weights = {1, .7, .5, .3, .1},
                                            .decay_days = 25,
                                            .repeat_factor = .8,
                                            .repeat_decay = REPEAT_DECAY_SUM,
                                            .now_s = NOW};

static void add(struct interactions *rows, const char *user, int64_t product_id, enum action action, double age_days)
{
    assert_int_equal(interactions_add(rows, (int64_t)rows->count, action, user, strlen(user),
                                      NOW - (int64_t)(age_days * DAY_S), product_id, NULL),
                     ERR_OK);
}

static void check_value(const struct pairs *pairs, size_t pair, double expected)
{
    assert_true(pair < pairs->count);
    if (fabs(pairs->pairs[pair].value - expected) > 1e-12)
        fail_msg("pair %zu is worth %.15g, not %.15g", pair, pairs->pairs[pair].value, expected);
}

static void each_action_has_its_weight(void **state)
{
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (unsigned action = 0; action < ACTION_COUNT; action++)
        add(&rows, "u", 10 + action, (enum action)action, 0);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    assert_int_equal(pairs.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pairs.product_ids[pairs.pairs[i].product], 10 + i);
        check_value(&pairs, i, service.weights[i]);
    }
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void age_decays_by_fractions_of_days(void **state)
{
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, "u", 1, ACTION_PURCHASE, 25);
    add(&rows, "u", 2, ACTION_PURCHASE, 0.5);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    check_value(&pairs, 0, exp(-1));
    check_value(&pairs, 1, exp(-0.02));
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void repeats_decay_the_sum(void **state)
{
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, "u", 1, ACTION_PURCHASE, 0);
    add(&rows, "u", 1, ACTION_ADD_TO_CART, 25);
    add(&rows, "u", 1, ACTION_CONTENT_VIEW, 50);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    assert_int_equal(pairs.count, 1);
    assert_int_equal(pairs.most_rows, 3);
    check_value(&pairs, 0, (1 + .5 * exp(-1) + .1 * exp(-2)) * .64);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void each_repeat_decays_by_itself_oldest_first(void **state)
{
    struct weigh_params params = service;
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    params.repeat_decay = REPEAT_DECAY_EACH;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, "u", 1, ACTION_PURCHASE, 0);      /* the newest, third */
    add(&rows, "u", 1, ACTION_CONTENT_VIEW, 50); /* the oldest, first */
    add(&rows, "u", 1, ACTION_ADD_TO_CART, 25);
    assert_int_equal(weigh_run(&pairs, &rows, &params, NULL), ERR_OK);
    check_value(&pairs, 0, .1 * exp(-2) + .5 * exp(-1) * .8 + 1 * .64);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void of_equal_times_the_lower_activity_then_the_first_row_counts_first(void **state)
{
    struct weigh_params params = service;
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    params.repeat_decay = REPEAT_DECAY_EACH;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(interactions_add(&rows, 9, ACTION_PURCHASE, "u", 1, NOW, 1, NULL), ERR_OK);
    assert_int_equal(interactions_add(&rows, 4, ACTION_CONTENT_VIEW, "u", 1, NOW, 1, NULL), ERR_OK);
    assert_int_equal(interactions_add(&rows, 4, ACTION_ADD_TO_CART, "u", 1, NOW, 1, NULL), ERR_OK);
    assert_int_equal(weigh_run(&pairs, &rows, &params, NULL), ERR_OK);
    check_value(&pairs, 0, .1 + .5 * .8 + 1 * .64);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void another_visit_never_lowers_a_value_of_each(void **state)
{
    struct weigh_params params = service;
    double last = 0;

    (void)state;
    params.repeat_decay = REPEAT_DECAY_EACH;
    for (int visits = 1; visits < 20; visits++) {
        struct interactions rows;
        struct pairs pairs;

        assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
        for (int i = 0; i < visits; i++)
            add(&rows, "u", 1, ACTION_CONTENT_VIEW, 20 - i);
        assert_int_equal(weigh_run(&pairs, &rows, &params, NULL), ERR_OK);
        assert_true(pairs.pairs[0].value > last);
        last = pairs.pairs[0].value;
        pairs_fini(&pairs);
        interactions_fini(&rows);
    }
}

static void pairs_come_by_uid_bytewise_then_product(void **state)
{
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, "b", 9, ACTION_PURCHASE, 0);
    add(&rows, "\xc3\xa4", 300, ACTION_PURCHASE, 0);
    add(&rows, "B", -5, ACTION_PURCHASE, 0);
    add(&rows, "b", 300, ACTION_PURCHASE, 1);
    add(&rows, "b", 10, ACTION_PURCHASE, 0);
    add(&rows, "ba", 9, ACTION_PURCHASE, 0);
    add(&rows, "b", 300, ACTION_PURCHASE, 0);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    assert_int_equal(pairs.users, 4);
    assert_string_equal(pairs.user_uids[0], "B");
    assert_string_equal(pairs.user_uids[1], "b");
    assert_string_equal(pairs.user_uids[2], "ba");
    assert_string_equal(pairs.user_uids[3], "\xc3\xa4");
    assert_int_equal(pairs.products, 4);
    assert_int_equal(pairs.product_ids[0], -5);
    assert_int_equal(pairs.product_ids[3], 300);
    assert_int_equal(pairs.count, 6);
    assert_int_equal(pairs.pairs[1].user, 1);
    assert_int_equal(pairs.product_ids[pairs.pairs[1].product], 9);
    assert_int_equal(pairs.product_ids[pairs.pairs[2].product], 10);
    assert_int_equal(pairs.product_ids[pairs.pairs[3].product], 300);
    assert_int_equal(pairs.user_rows[1], 4);
    assert_int_equal(pairs.product_rows[3], 3);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void users_without_rows_are_no_users(void **state)
{
    const uint8_t keep[] = {0, 1};
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    add(&rows, "a", 1, ACTION_PURCHASE, 0);
    add(&rows, "b", 2, ACTION_PURCHASE, 0);
    interactions_filter(&rows, keep);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    assert_int_equal(pairs.users, 1);
    assert_string_equal(pairs.user_uids[0], "b");
    assert_int_equal(pairs.products, 1);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

static void the_order_of_rows_does_not_change_a_byte(void **state)
{
    struct interactions forward;
    struct interactions backward;
    struct pairs a;
    struct pairs b;

    (void)state;
    assert_int_equal(interactions_init(&forward, NULL), ERR_OK);
    assert_int_equal(interactions_init(&backward, NULL), ERR_OK);
    for (int64_t i = 0; i < 200; i++) {
        int64_t k = 199 - i;

        assert_int_equal(
            interactions_add(&forward, i, ACTION_PURCHASE, i % 3 ? "u" : "v", 1, NOW - i * 7777, i % 7, NULL), ERR_OK);
        assert_int_equal(
            interactions_add(&backward, k, ACTION_PURCHASE, k % 3 ? "u" : "v", 1, NOW - k * 7777, k % 7, NULL), ERR_OK);
    }
    assert_int_equal(weigh_run(&a, &forward, &service, NULL), ERR_OK);
    assert_int_equal(weigh_run(&b, &backward, &service, NULL), ERR_OK);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++)
        assert_memory_equal(&a.pairs[i].value, &b.pairs[i].value, sizeof(double));
    pairs_fini(&a);
    pairs_fini(&b);
    interactions_fini(&forward);
    interactions_fini(&backward);
}

/* Of few rows and of many, which are ordered in another way; two at a time, so that the activity decides. */
static void many_rows_of_a_pair_are_ordered_as_few_are(void **state)
{
    static const int counts[] = {2, 7, 32, 33, 100, 300};
    struct weigh_params params = service;

    (void)state;
    params.repeat_decay = REPEAT_DECAY_EACH;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        int count = counts[k];
        struct interactions rows;
        struct pairs pairs;
        double expected = 0;

        assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
        for (int i = 0; i < count; i++) {
            int age_days = count - i / 2;
            int n = (int)((unsigned)i * 101u % (unsigned)count); /* each once: 101 is prime to them */

            assert_int_equal(interactions_add(&rows, n, n % 2 == 0 ? ACTION_PURCHASE : ACTION_CONTENT_VIEW, "u", 1,
                                              NOW + (n / 2 - count) * (int64_t)DAY_S, 1, NULL),
                             ERR_OK);
            expected +=
                service.weights[i % 2 == 0 ? ACTION_PURCHASE : ACTION_CONTENT_VIEW] * exp(-age_days / 25.) * pow(.8, i);
        }
        assert_int_equal(weigh_run(&pairs, &rows, &params, NULL), ERR_OK);
        assert_int_equal(pairs.count, 1);
        assert_int_equal(pairs.most_rows, count);
        if (fabs(pairs.pairs[0].value / expected - 1) > 1e-12)
            fail_msg("%d rows are worth %.15g, not %.15g", count, pairs.pairs[0].value, expected);
        pairs_fini(&pairs);
        interactions_fini(&rows);
    }
}

static void no_rows_are_no_pairs(void **state)
{
    struct interactions rows;
    struct pairs pairs;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(weigh_run(&pairs, &rows, &service, NULL), ERR_OK);
    assert_int_equal(pairs.count, 0);
    assert_int_equal(pairs.users, 0);
    pairs_fini(&pairs);
    interactions_fini(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_has_its_weight),
        cmocka_unit_test(age_decays_by_fractions_of_days),
        cmocka_unit_test(repeats_decay_the_sum),
        cmocka_unit_test(each_repeat_decays_by_itself_oldest_first),
        cmocka_unit_test(of_equal_times_the_lower_activity_then_the_first_row_counts_first),
        cmocka_unit_test(another_visit_never_lowers_a_value_of_each),
        cmocka_unit_test(pairs_come_by_uid_bytewise_then_product),
        cmocka_unit_test(users_without_rows_are_no_users),
        cmocka_unit_test(the_order_of_rows_does_not_change_a_byte),
        cmocka_unit_test(many_rows_of_a_pair_are_ordered_as_few_are),
        cmocka_unit_test(no_rows_are_no_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
