#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "worker/pipeline/matrix.h"

enum { USERS = 4, PRODUCTS = 3 };

static const struct matrix_params all_stay = {.min_user_rows = 1, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = 0.3};

/* A shop's pairs, by user, then product. */
struct shop {
    struct pair pairs[8];
    const char *uids[USERS];
    int64_t products[PRODUCTS];
    uint32_t user_rows[USERS];
    uint32_t product_rows[PRODUCTS];
};

static const struct shop small_shop = {
    .pairs = {{0, 0, .5}, {0, 2, .25}, {1, 1, 1}, {2, 0, 2}, {2, 1, .125}, {3, 2, .75}},
    .uids = {"a", "b", "c", "d"},
    .products = {10, 20, 30},
    .user_rows = {3, 3, 2, 1},
    .product_rows = {2, 4, 3},
};

/* Borrows from `shop`: not for pairs_fini. */
static struct pairs pairs_of(struct shop *shop)
{
    return (struct pairs){.count = 6,
                          .pairs = shop->pairs,
                          .users = USERS,
                          .user_uids = shop->uids,
                          .products = PRODUCTS,
                          .product_ids = shop->products,
                          .user_rows = shop->user_rows,
                          .product_rows = shop->product_rows};
}

static void values_are_rows_of_users(void **state)
{
    struct shop shop = small_shop;
    struct pairs pairs = pairs_of(&shop);
    struct matrix matrix;

    (void)state;
    assert_int_equal(matrix_build(&matrix, &pairs, &all_stay, NULL), ERR_OK);
    assert_int_equal(matrix.users, 4);
    assert_int_equal(matrix.products, 3);
    assert_int_equal(matrix.pairs, 6);
    assert_int_equal(csr_nonzeros(&matrix.values), 6);
    for (size_t i = 0, user = 0; i < 6; i++) {
        while (i >= (size_t)matrix.values.offsets[user + 1])
            user++;
        assert_int_equal(user, shop.pairs[i].user);
        assert_int_equal(matrix.values.columns[i], shop.pairs[i].product);
        assert_true(matrix.raw[i] == shop.pairs[i].value);
    }
    assert_string_equal(matrix.user_uids[3], "d");
    assert_int_equal(matrix.product_ids[2], 30);
    matrix_fini(&matrix);
}

/* Twenty products, so that no idf is cut at 0. */
static void bm25_is_the_formula(void **state)
{
    struct pair entries[20];
    const char *uids[] = {"a", "b"};
    int64_t ids[20];
    uint32_t user_rows[] = {5, 15};
    uint32_t product_rows[20];
    struct pairs pairs = {.count = 20,
                          .pairs = entries,
                          .users = 2,
                          .user_uids = uids,
                          .products = 20,
                          .product_ids = ids,
                          .user_rows = user_rows,
                          .product_rows = product_rows};
    struct matrix matrix;

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        entries[i] = (struct pair){.user = i < 5 ? 0 : 1, .product = i, .value = 1 + i};
        ids[i] = i;
        product_rows[i] = 1;
    }
    assert_int_equal(matrix_build(&matrix, &pairs, &all_stay, NULL), ERR_OK);
    for (size_t i = 0; i < 20; i++) {
        double value = 1 + (double)i;
        double average = 10.5;                                  /* the mean of 1..20: each product has one user */
        double idf = i < 5 ? log((20 - 5 + .5) / (5 + .5)) : 0; /* 15 of 20: ln(5.5 / 15.5) < 0 becomes 0 */
        double expected = value * 2.2 / (1.2 * (.7 + .3 * value / average) + value) * idf;

        if (fabs(matrix.bm25[i] - expected) > 1e-12)
            fail_msg("bm25 of %zu is %.15g, not %.15g", i, matrix.bm25[i], expected);
        assert_true(matrix.values.values[i] == (float)matrix.bm25[i]);
    }
    matrix_fini(&matrix);
}

static void thresholds_count_rows_before_anything_is_dropped(void **state)
{
    struct shop shop = small_shop;
    struct pairs pairs = pairs_of(&shop);
    struct matrix_params params = all_stay;
    struct matrix matrix;

    (void)state;
    params.min_user_rows = 2;    /* d goes */
    params.min_product_rows = 3; /* product 10 goes; 30 stays, though d's row of it is gone */
    assert_int_equal(matrix_build(&matrix, &pairs, &params, NULL), ERR_OK);
    assert_int_equal(matrix.users_over_threshold, 3);
    assert_int_equal(matrix.products_over_threshold, 2);
    assert_int_equal(matrix.pairs, 3);
    assert_int_equal(matrix.users, 3);
    assert_int_equal(matrix.products, 2);
    assert_int_equal(matrix.product_ids[0], 20);
    assert_int_equal(matrix.product_ids[1], 30);
    assert_true(matrix.raw[0] == .25);
    assert_int_equal(matrix.values.columns[0], 1);
    assert_true(matrix.raw[2] == .125);
    assert_int_equal(matrix.values.columns[2], 0);
    matrix_fini(&matrix);
}

static void users_without_a_pair_left_are_not_in_the_matrix(void **state)
{
    struct shop shop = small_shop;
    struct pairs pairs = pairs_of(&shop);
    struct matrix_params params = all_stay;
    struct matrix matrix;

    (void)state;
    params.min_product_rows = 4; /* only product 20: b and c have it */
    assert_int_equal(matrix_build(&matrix, &pairs, &params, NULL), ERR_OK);
    assert_int_equal(matrix.users_over_threshold, 4);
    assert_int_equal(matrix.users, 2);
    assert_string_equal(matrix.user_uids[0], "b");
    assert_string_equal(matrix.user_uids[1], "c");
    matrix_fini(&matrix);
}

static void nothing_over_the_thresholds_says_which_took_what(void **state)
{
    struct shop shop = small_shop;
    struct pairs pairs = pairs_of(&shop);
    struct matrix_params params = all_stay;
    struct matrix matrix;
    struct err err;

    (void)state;
    params.min_user_rows = 7;
    params.min_product_rows = 4;
    assert_int_equal(matrix_build(&matrix, &pairs, &params, &err), ERR_NO_DATA);
    assert_string_equal(err.message, "Nothing over the thresholds: of 4 users 0 have at least 7 interactions, of 3 "
                                     "products 1 have at least 4, and of 6 pairs none has both.");
    assert_null(matrix.raw);
    matrix_fini(&matrix);
}

static void values_of_zero_make_no_numbers_that_are_none(void **state)
{
    struct shop shop = small_shop;
    struct pairs pairs = pairs_of(&shop);
    struct matrix_params params = all_stay;
    struct matrix matrix;

    (void)state;
    params.bm25_k1 = 0;
    for (size_t i = 0; i < 6; i++)
        shop.pairs[i].value = 0;
    assert_int_equal(matrix_build(&matrix, &pairs, &params, NULL), ERR_OK);
    for (size_t i = 0; i < 6; i++)
        assert_true(matrix.bm25[i] == 0);
    matrix_fini(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_rows_of_users),
        cmocka_unit_test(bm25_is_the_formula),
        cmocka_unit_test(thresholds_count_rows_before_anything_is_dropped),
        cmocka_unit_test(users_without_a_pair_left_are_not_in_the_matrix),
        cmocka_unit_test(nothing_over_the_thresholds_says_which_took_what),
        cmocka_unit_test(values_of_zero_make_no_numbers_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
