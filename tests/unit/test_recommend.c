#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/recommend.h"

enum { USERS = 2, PRODUCTS = 6, FACTORS = 2 };

static const struct recommend_params service = {
    .list_size = 18, .similar_size = 10, .similar_floor = 0.3, .threads = 1};

/* Products 10, 20 … 60; user 0 has them all, user 1 the first three. */
struct shop {
    struct matrix matrix;
    struct catalogue catalogue;
    struct als_model model;
    float x[USERS * FACTORS];
    float y[PRODUCTS * FACTORS];
};

static void shop_init(struct shop *shop)
{
    static const double raw[] = {1, 2, 3, 4, 5, 6, 1, 7, 3};
    static const float x[] = {1, 0, 0, 1};
    static const float y[] = {.1F, .9F, .2F, .8F, .3F, 0, .4F, 0, .5F, .5F, 0, 0};

    memset(shop, 0, sizeof *shop);
    shop->matrix = (struct matrix){.users = USERS, .products = PRODUCTS, .pairs = 9};
    assert_int_equal(csr_init(&shop->matrix.values, USERS, PRODUCTS, 9, NULL), ERR_OK);
    shop->matrix.product_ids = calloc(PRODUCTS, sizeof *shop->matrix.product_ids);
    shop->matrix.raw = calloc(9, sizeof *shop->matrix.raw);
    catalogue_init(&shop->catalogue);
    for (int32_t i = 0; i < 9; i++) {
        shop->matrix.values.columns[i] = i % PRODUCTS;
        shop->matrix.raw[i] = raw[i];
    }
    shop->matrix.values.offsets[1] = 6;
    shop->matrix.values.offsets[2] = 9;
    for (size_t i = 0; i < PRODUCTS; i++)
        shop->matrix.product_ids[i] = 10 * (int64_t)(i + 1);
    memcpy(shop->x, x, sizeof x);
    memcpy(shop->y, y, sizeof y);
    shop->model = (struct als_model){.users = USERS, .items = PRODUCTS, .factors = FACTORS, .x = shop->x, .y = shop->y};
}

static void shop_fini(struct shop *shop)
{
    catalogue_fini(&shop->catalogue);
    matrix_fini(&shop->matrix);
}

static void stock(struct shop *shop, int64_t id, int64_t pieces, bool published)
{
    assert_int_equal(catalogue_add(&shop->catalogue, id, pieces, published, "", NULL), ERR_OK);
    assert_int_equal(catalogue_sort(&shop->catalogue, NULL), ERR_OK);
}

static void stock_all(struct shop *shop)
{
    for (int64_t id = 10; id <= 60; id += 10)
        stock(shop, id, 1, true);
}

static void check_list(const struct als_lists *lists, size_t row, const int32_t *expected, int32_t count)
{
    assert_int_equal(lists->counts[row], count);
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(lists->items[row * lists->n + (size_t)i], expected[i]);
}

static void lists_hold_all_that_may_be_recommended_by_score(void **state)
{
    const int32_t first[] = {4, 3, 2, 1, 0, 5};
    const int32_t second[] = {0, 1, 4, 2, 3, 5}; /* of equal scores the lower first */
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    stock_all(&shop);
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &service, NULL), ERR_OK);
    assert_int_equal(out.recommendable, 6);
    check_list(&out.users, 0, first, 6);
    check_list(&out.users, 1, second, 6);
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void only_recommendable_products_are_in_lists(void **state)
{
    const int32_t first[] = {4, 1};
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    stock(&shop, 10, 0, true);  /* sold out */
    stock(&shop, 20, 1, true);  /* good */
    stock(&shop, 30, 1, false); /* a draft */
    stock(&shop, 40, -1, true); /* oversold */
    stock(&shop, 50, 5, true);  /* good */
    stock(&shop, 70, 5, true);  /* not in the matrix; 60 not in the catalogue */
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &service, NULL), ERR_OK);
    assert_int_equal(out.recommendable, 2);
    check_list(&out.users, 0, first, 2);
    assert_int_equal(out.top_overall_count, 2);
    for (size_t product = 0; product < PRODUCTS; product++) {
        for (int32_t i = 0; i < out.similar.counts[product]; i++) {
            int32_t neighbour = out.similar.items[product * out.similar.n + (size_t)i];

            assert_true(neighbour == 1 || neighbour == 4);
            assert_int_not_equal(neighbour, product);
        }
    }
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void top_overall_ranks_by_the_sum_of_raw_values(void **state)
{
    const int32_t expected[] = {1, 2, 5, 4, 3, 0}; /* sums 2, 9, 6, 4, 5, 6 */
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    stock_all(&shop);
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &service, NULL), ERR_OK);
    assert_int_equal(out.top_overall_count, 6);
    assert_memory_equal(out.top_overall, expected, sizeof expected);
    assert_true(out.top_overall_sums[0] == 9 && out.top_overall_sums[5] == 2);
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void lists_are_cut_at_their_sizes(void **state)
{
    struct recommend_params params = service;
    struct recommendations out;
    struct shop shop;

    (void)state;
    params.list_size = 2;
    params.similar_size = 1;
    shop_init(&shop);
    stock_all(&shop);
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &params, NULL), ERR_OK);
    assert_int_equal(out.users.counts[0], 2);
    assert_int_equal(out.top_overall_count, 2);
    assert_int_equal(out.similar.counts[0], 1);
    assert_int_equal(out.similar.items[0], 1);
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void products_that_may_not_be_recommended_have_similar_ones(void **state)
{
    const int32_t expected[] = {4};
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    stock(&shop, 50, 1, true);
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &service, NULL), ERR_OK);
    check_list(&out.similar, 0, expected, 1);
    assert_int_equal(out.similar.counts[4], 0); /* itself only */
    assert_int_equal(out.similar.counts[5], 0); /* a product of zero norm has none */
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void with_nothing_recommendable_all_lists_are_empty(void **state)
{
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &service, NULL), ERR_OK);
    assert_int_equal(out.recommendable, 0);
    assert_int_equal(out.top_overall_count, 0);
    assert_int_equal(out.users.rows, USERS);
    assert_int_equal(out.users.counts[0] + out.users.counts[1], 0);
    assert_int_equal(out.similar.rows, PRODUCTS);
    recommendations_fini(&out);
    shop_fini(&shop);
}

static void lists_of_no_size_are_refused(void **state)
{
    struct recommend_params params = service;
    struct recommendations out;
    struct shop shop;

    (void)state;
    shop_init(&shop);
    params.list_size = 0;
    assert_int_equal(recommend_run(&out, &shop.matrix, &shop.catalogue, &shop.model, &params, NULL), ERR_ARGUMENT);
    shop_fini(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_hold_all_that_may_be_recommended_by_score),
        cmocka_unit_test(only_recommendable_products_are_in_lists),
        cmocka_unit_test(top_overall_ranks_by_the_sum_of_raw_values),
        cmocka_unit_test(lists_are_cut_at_their_sizes),
        cmocka_unit_test(products_that_may_not_be_recommended_have_similar_ones),
        cmocka_unit_test(with_nothing_recommendable_all_lists_are_empty),
        cmocka_unit_test(lists_of_no_size_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
