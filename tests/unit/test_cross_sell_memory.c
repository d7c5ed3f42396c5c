/*
 * A cross-sell when memory runs out: the n-th allocation fails, for n = 1, 2, … until the run succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "tests/support/failing_memory.h"
#include "worker/pipeline/cross_sell_dump.h"
#include "worker/pipeline/cross_sell_publish.h"

enum { USERS = 40, NOON = 1700000000 };

/* Made beforehand. */
struct shop {
    struct interactions rows;
    struct catalogue catalogue;
    char dir[64];
};

static int open_shop(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    char user[16];

    assert_non_null(shop);
    assert_int_equal(interactions_init(&shop->rows, NULL), ERR_OK);
    catalogue_init(&shop->catalogue);
    for (int i = 0; i < USERS * 5; i++) {
        (void)snprintf(user, sizeof user, "u%d", i % USERS);
        assert_int_equal(
            interactions_add(&shop->rows, i, ACTION_PURCHASE, user, strlen(user), NOON + 60 * i, i % 23, NULL), ERR_OK);
    }
    for (int id = 0; id < 23; id++)
        assert_int_equal(catalogue_add(&shop->catalogue, id, 1, true, "T", NULL), ERR_OK);
    assert_int_equal(catalogue_sort(&shop->catalogue, NULL), ERR_OK);
    (void)snprintf(shop->dir, sizeof shop->dir, "/tmp/recfleet-memory-XXXXXX");
    assert_non_null(mkdtemp(shop->dir));
    *state = shop;
    return 0;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    char command[128];

    (void)snprintf(command, sizeof command, "rm -r '%s'", shop->dir);
    assert_int_equal(system(command), 0);
    interactions_fini(&shop->rows);
    catalogue_fini(&shop->catalogue);
    free(shop);
    return 0;
}

static enum err_code put(void *self, enum publish_kind kind, const struct sink_pair *pairs, size_t count,
                         struct err *err)
{
    (void)kind;
    (void)pairs;
    (void)err;
    *(size_t *)self += count;
    return ERR_OK;
}

static enum err_code complete(void *self, enum publish_kind kind, size_t *removed, struct err *err)
{
    (void)self;
    (void)kind;
    (void)err;
    *removed = 0;
    return ERR_OK;
}

struct visit {
    struct cross_sell_lists lists;
    struct cross_sell_dump dump;
    const struct catalogue *catalogue;
};

static enum err_code on_row(void *context, const struct cross_sell_row *row, struct err *err)
{
    static const struct cross_sell_list_params params = {.list_size = 18, .minimum_weight = .1};
    struct visit *visit = context;

    cross_sell_dump_add(&visit->dump, row);
    return cross_sell_lists_add(&visit->lists, row, &params, visit->catalogue, err);
}

static enum err_code make_lists(struct visit *visit, const struct shop *shop, struct err *err)
{
    static const struct cross_sell_params params = {.min_user_rows = 1,
                                                    .min_product_rows = 1,
                                                    .weights = {1, .7, .5, .3, .1},
                                                    .decay_days = 25,
                                                    .session_hours = 12};
    const struct cross_sell_visitor visitor = {.fn = on_row, .context = visit};
    struct cross_sell_counts counts;
    enum err_code rc = cross_sell_dump_open(&visit->dump, shop->dir, err);

    if (rc == ERR_OK)
        rc = cross_sell_run(&counts, &shop->rows, &params, NULL, &visitor, err);
    rc = cross_sell_dump_close(&visit->dump, rc, err);
    return rc == ERR_OK ? cross_sell_dump_lists(shop->dir, &visit->lists, err) : rc;
}

static enum err_code run(const struct shop *shop, size_t *keys, struct err *err)
{
    static const struct publish_params params = {.enabled = true};
    const struct sink sink = {.put = put, .complete = complete, .self = keys};
    struct visit visit = {.catalogue = &shop->catalogue};
    struct cross_sell_published published = {0};
    enum err_code rc = cross_sell_lists_init(&visit.lists, 18, err);

    *keys = 0;
    if (rc == ERR_OK)
        rc = make_lists(&visit, shop, err);
    if (rc == ERR_OK)
        rc = cross_sell_publish_run(&published, &visit.lists, &params, NULL, &sink, NULL, err);
    cross_sell_lists_fini(&visit.lists);
    return rc;
}

static void each_lack_of_memory_is_an_error_that_says_so(void **state)
{
    size_t failures = 0;
    size_t keys = 0;
    enum err_code rc = ERR_NO_MEMORY;

    for (size_t n = 1; rc != ERR_OK; n++) {
        struct err err = {0};

        assert_true(n < 1000);
        failing_memory_set(n);
        rc = run(*state, &keys, &err);
        failing_memory_set(0);
        assert_int_equal(rc, failing_memory_has_failed() ? ERR_NO_MEMORY : ERR_OK);
        if (rc != ERR_OK && strstr(err.message, "memory") == NULL)
            fail_msg("allocation %zu: %s", n, err.message);
        assert_int_equal(keys, rc == ERR_OK ? 23 : 0);
        failures += failing_memory_has_failed();
    }
    print_message("%zu allocations failed one by one\n", failures);
    assert_true(failures > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_lack_of_memory_is_an_error_that_says_so, open_shop, close_shop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
