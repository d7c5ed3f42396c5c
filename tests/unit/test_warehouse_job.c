/*
 * The job between a shop in memory and a warehouse that keeps what it is given; and when memory runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/failing_memory.h"
#include "tests/unit/fake_shop.h"
#include "worker/pipeline/warehouse_job.h"

enum { NOW = 1767225600, USERS = 50, VISITS = 25, MOST_ROWS = 4096, MOST_WEIGHTS = 200000 };

/* What came, in its order. */
struct kept {
    struct warehouse_interaction interactions[MOST_ROWS];
    size_t interaction_count;
    struct warehouse_weight weights[MOST_WEIGHTS];
    size_t weight_count;
    size_t products;
    size_t largest;     /* of all batches */
    char calls[16];     /* i, w, p: a table complete; s: swapped */
    size_t fails_after; /* rows; 0: never */
    enum err_code swap_fails;
};

static enum err_code keep_interactions(void *self, const struct warehouse_interaction *rows, size_t count,
                                       struct err *err)
{
    struct kept *kept = self;

    assert_true(kept->interaction_count + count <= MOST_ROWS);
    memcpy(&kept->interactions[kept->interaction_count], rows, count * sizeof *rows);
    kept->interaction_count += count;
    kept->largest = count > kept->largest ? count : kept->largest;
    if (kept->fails_after > 0 && kept->interaction_count >= kept->fails_after)
        return ERR_SET(err, ERR_UNAVAILABLE, "the warehouse burns");
    return ERR_OK;
}

static enum err_code keep_weights(void *self, const struct warehouse_weight *weights, size_t count, struct err *err)
{
    struct kept *kept = self;

    (void)err;
    assert_true(kept->weight_count + count <= MOST_WEIGHTS);
    memcpy(&kept->weights[kept->weight_count], weights, count * sizeof *weights);
    kept->weight_count += count;
    kept->largest = count > kept->largest ? count : kept->largest;
    return ERR_OK;
}

static enum err_code keep_products(void *self, const struct warehouse_product *products, size_t count, struct err *err)
{
    struct kept *kept = self;

    (void)err;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(products[i].id, kept->products + i + 1);
    assert_string_equal(products[0].title, "P");
    assert_true(products[0].published && products[0].stock == 5);
    kept->products += count;
    kept->largest = count > kept->largest ? count : kept->largest;
    return ERR_OK;
}

static enum err_code complete(void *self, enum warehouse_table table, struct err *err)
{
    struct kept *kept = self;

    (void)err;
    assert_true(strlen(kept->calls) < sizeof kept->calls - 1);
    kept->calls[strlen(kept->calls)] = "iwp"[table];
    return ERR_OK;
}

static enum err_code swap(void *self, struct err *err)
{
    struct kept *kept = self;

    if (kept->swap_fails != ERR_OK)
        return ERR_SET(err, kept->swap_fails, "somebody else's turn");
    kept->calls[strlen(kept->calls)] = 's';
    return ERR_OK;
}

struct fixture {
    struct fake_shop shop;
    struct kept kept;
    struct warehouse_params params;
    struct job_inputs inputs;
    struct json *report;
    const char *cancel_in; /* stage, when it is half done; NULL: never */
    double last;           /* fraction of that stage */
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct fixture *fixture = context;

    (void)note;
    if (fixture->cancel_in == NULL || strcmp(stage, fixture->cancel_in) != 0)
        return true;
    assert_true(fraction >= fixture->last && fraction <= 1);
    fixture->last = fraction;
    return fraction < .4;
}

/* Each user looks at VISITS products, all within one session. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char user[16];

    assert_non_null(fixture);
    fixture->shop.products = 2500;
    for (int visit = 0; visit < VISITS; visit++) {
        for (int i = 0; i < USERS; i++) {
            (void)snprintf(user, sizeof user, "user-%d", i);
            fake_shop_add_plain(&fixture->shop, i % 2 == 0 ? ACTION_PURCHASE : ACTION_ADD_TO_CART, user,
                                1 + (i + visit * visit) % 60, NOW - 86400 + visit * 60 + i);
        }
    }
    fixture->params = (struct warehouse_params){.rows = {.fetch = {.now_s = NOW}, .outliers = {.max_per_day = 1000}},
                                                .weights = {.min_user_rows = 3,
                                                            .min_product_rows = 5,
                                                            .weights = {1, .7, .5, .3, .1},
                                                            .decay_days = 25,
                                                            .session_hours = 12}};
    fixture->inputs = (struct job_inputs){.source = fake_shop_source(&fixture->shop),
                                          .warehouse = {.put_interactions = keep_interactions,
                                                        .put_weights = keep_weights,
                                                        .put_products = keep_products,
                                                        .complete = complete,
                                                        .swap = swap,
                                                        .self = &fixture->kept},
                                          .progress = {.fn = on_progress, .context = fixture}};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    json_value_destroy(fixture->report);
    fake_shop_fini(&fixture->shop);
    free(fixture);
    return 0;
}

static enum err_code run(struct fixture *fixture, struct err *err)
{
    *err = (struct err){0};
    return warehouse_job_run(&fixture->report, &fixture->params, &fixture->inputs, err);
}

static int64_t loaded(const struct fixture *fixture, const char *key)
{
    int64_t number = -1;

    (void)json_value_get_int64(json_value_get(fixture->report, "warehouse"), key, &number);
    return number;
}

static void rows_weights_and_products_come_in_batches_and_are_swapped_last(void **state)
{
    struct fixture *fixture = *state;
    struct kept *kept = &fixture->kept;
    struct err err;

    assert_int_equal(run(fixture, &err), ERR_OK);
    assert_string_equal(kept->calls, "iwps");
    assert_int_equal(kept->largest, WAREHOUSE_BATCH);
    assert_int_equal(kept->interaction_count, USERS * VISITS);
    assert_int_equal(kept->products, 2500);
    assert_true(kept->weight_count > WAREHOUSE_BATCH);
    assert_int_equal(loaded(fixture, "users"), USERS);
    assert_int_equal(loaded(fixture, "products"), 60);
    assert_int_equal(loaded(fixture, "interactions"), USERS * VISITS);
    assert_int_equal(loaded(fixture, "weights"), (int64_t)kept->weight_count);
    assert_int_equal(json_value_count(json_value_get(fixture->report, "stages")), 6);
    assert_non_null(strstr(json_value_get_text(fixture->report, "text"), "1250 interactions of 50 users with 60"));
}

static int32_t an_hour(int64_t unix_s)
{
    (void)unix_s;
    return 3600;
}

static void an_interaction_has_its_time_at_the_shop(void **state)
{
    struct fixture *fixture = *state;
    const struct warehouse_interaction *row = fixture->kept.interactions;
    struct err err;

    fake_shop_fini(&fixture->shop);
    fake_shop_add_plain(&fixture->shop, ACTION_ADD_TO_CART, "ann", 7, NOW - 1801); /* 2025-12-31T23:29:59Z */
    fixture->params.offset_s = an_hour;
    assert_int_equal(run(fixture, &err), ERR_OK);
    assert_int_equal(fixture->kept.interaction_count, 1);
    assert_string_equal(row->action, "add_to_cart");
    assert_int_equal(row->product_id, 7);
    assert_int_equal(row->created, NOW - 1801);
    assert_int_equal(row->local.date_s, NOW);
    assert_int_equal(row->local.hour, 0);
    assert_int_equal(row->local.weekday, 3);
    assert_int_equal(row->local.month, 1);
}

static void what_follows_is_on_the_right_of_a_weight(void **state)
{
    struct fixture *fixture = *state;
    const struct warehouse_weight *weights = fixture->kept.weights;
    struct err err;

    fake_shop_fini(&fixture->shop);
    fake_shop_add_plain(&fixture->shop, ACTION_ADD_TO_CART, "ann", 7, NOW - 7200);
    fake_shop_add_plain(&fixture->shop, ACTION_PURCHASE, "ann", 3, NOW - 3600);
    fixture->params.weights.min_user_rows = fixture->params.weights.min_product_rows = 1;
    assert_int_equal(run(fixture, &err), ERR_OK);
    assert_int_equal(fixture->kept.weight_count, 1);
    assert_int_equal(weights[0].left, 7);
    assert_int_equal(weights[0].right, 3);
    assert_true(weights[0].weight > .99 && weights[0].weight <= 1); /* the purchase's */
}

static void interactions_without_weights_are_loaded_with_a_warning(void **state)
{
    struct fixture *fixture = *state;
    struct err err;

    fixture->params.weights.min_user_rows = 1000;
    assert_int_equal(run(fixture, &err), ERR_OK);
    assert_string_equal(fixture->kept.calls, "iwps");
    assert_int_equal(fixture->kept.weight_count, 0);
    assert_int_equal(loaded(fixture, "weights"), 0);
    assert_non_null(strstr(json_value_get_text(fixture->report, "text"), "there are no weights between products"));
}

static void a_warehouse_that_fails_is_not_swapped(void **state)
{
    struct fixture *fixture = *state;
    struct err err;

    fixture->kept.fails_after = 1000;
    assert_int_equal(run(fixture, &err), ERR_UNAVAILABLE);
    assert_string_equal(fixture->kept.calls, "");
    assert_string_equal(err.message, "the warehouse burns");
    assert_null(json_value_get(fixture->report, "warehouse"));
    assert_string_equal(json_value_get_text(json_value_get(fixture->report, "error"), "stage"), "interactions");
}

static void a_cancel_is_heard_in_each_long_stage(void **state)
{
    struct fixture *fixture = *state;
    static const char *const stages[] = {"interactions", "weights", "products"};
    static const char *const calls[] = {"", "i", "iw"};
    struct err err;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        memset(&fixture->kept, 0, sizeof fixture->kept);
        fixture->cancel_in = stages[i];
        fixture->last = 0;
        assert_int_equal(run(fixture, &err), ERR_CANCELLED);
        assert_string_equal(fixture->kept.calls, calls[i]);
        assert_true(fixture->last < .9); /* not only at its end */
        json_value_destroy(fixture->report);
        fixture->report = NULL;
    }
}

static void a_swap_that_is_refused_has_loaded_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct err err;

    fixture->kept.swap_fails = ERR_FENCED;
    assert_int_equal(run(fixture, &err), ERR_FENCED);
    assert_string_equal(fixture->kept.calls, "iwp");
    assert_null(json_value_get(fixture->report, "warehouse"));
}

static void empty(struct kept *kept)
{
    kept->interaction_count = 0;
    kept->weight_count = 0;
    kept->products = 0;
    kept->largest = 0;
    memset(kept->calls, 0, sizeof kept->calls);
}

static void each_lack_of_memory_swaps_nothing(void **state)
{
    struct fixture *fixture = *state;
    size_t visits = fixture->shop.count;
    size_t failures = 0;
    size_t n = 0;
    struct err err;
    enum err_code rc;

    fixture->shop.count = 3 * USERS; /* enough of each kind of row, many times over */
    fixture->shop.products = 100;
    fixture->params.weights.min_product_rows = 1;
    do {
        assert_true(++n < 20000);
        empty(&fixture->kept);
        failing_memory_set(n);
        rc = run(fixture, &err);
        failing_memory_set(0);
        assert_true(rc == ERR_OK || (rc == ERR_NO_MEMORY && failing_memory_has_failed()));
        assert_string_equal(strchr(fixture->kept.calls, 's') != NULL ? "swapped" : "not",
                            rc == ERR_OK ? "swapped" : "not");
        failures += failing_memory_has_failed();
        json_value_destroy(fixture->report);
        fixture->report = NULL;
    } while (failing_memory_has_failed());
    fixture->shop.count = visits;
    print_message("%zu allocations failed one by one\n", failures);
    assert_true(failures > 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_weights_and_products_come_in_batches_and_are_swapped_last),
        TEST(an_interaction_has_its_time_at_the_shop),
        TEST(what_follows_is_on_the_right_of_a_weight),
        TEST(interactions_without_weights_are_loaded_with_a_warning),
        TEST(a_warehouse_that_fails_is_not_swapped),
        TEST(a_cancel_is_heard_in_each_long_stage),
        TEST(a_swap_that_is_refused_has_loaded_nothing),
        TEST(each_lack_of_memory_swaps_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
