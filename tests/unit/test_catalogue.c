#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/catalogue.h"

static void add(struct catalogue *catalogue, int64_t id, int64_t stock, bool published, const char *title)
{
    assert_int_equal(catalogue_add(catalogue, id, stock, published, title, NULL), ERR_OK);
}

static void of_a_repeated_product_the_first_wins(void **state)
{
    struct catalogue catalogue;

    (void)state;
    catalogue_init(&catalogue);
    add(&catalogue, 20, 1, true, "first 20");
    add(&catalogue, 10, 1, true, "first 10");
    for (int i = 0; i < 50; i++)
        add(&catalogue, 20, 0, false, "later 20");
    assert_int_equal(catalogue_sort(&catalogue, NULL), ERR_OK);
    assert_int_equal(catalogue.count, 2);
    assert_string_equal(catalogue.products[0].title, "first 10");
    assert_string_equal(catalogue.products[1].title, "first 20");
    assert_int_equal(catalogue.products[1].stock, 1);
    catalogue_fini(&catalogue);
}

static void products_are_found_by_id(void **state)
{
    struct catalogue catalogue;

    (void)state;
    catalogue_init(&catalogue);
    assert_null(catalogue_find(&catalogue, 1));
    for (int64_t id = 300; id > 0; id -= 3)
        add(&catalogue, id, id, true, NULL);
    assert_int_equal(catalogue_sort(&catalogue, NULL), ERR_OK);
    for (int64_t id = 0; id <= 303; id++) {
        const struct product *product = catalogue_find(&catalogue, id);

        if (id % 3 != 0 || id == 0 || id > 300) {
            assert_null(product);
            continue;
        }
        assert_non_null(product);
        assert_int_equal(product->stock, id);
        assert_string_equal(product->title, "");
    }
    catalogue_fini(&catalogue);
}

static void only_published_products_in_stock_are_recommendable(void **state)
{
    const struct product good = {.id = 1, .stock = 1, .published = true};
    const struct product draft = {.id = 1, .stock = 1, .published = false};
    const struct product sold_out = {.id = 1, .stock = 0, .published = true};
    const struct product oversold = {.id = 1, .stock = -1, .published = true};

    (void)state;
    assert_true(product_is_recommendable(&good));
    assert_false(product_is_recommendable(&draft));
    assert_false(product_is_recommendable(&sold_out));
    assert_false(product_is_recommendable(&oversold));
    assert_false(product_is_recommendable(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_repeated_product_the_first_wins),
        cmocka_unit_test(products_are_found_by_id),
        cmocka_unit_test(only_published_products_in_stock_are_recommendable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
