/*
 * What is held out, on rows few enough to be told by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/als/evaluate.h"
#include "worker/pipeline/holdout.h"
#include "worker/pipeline/holdout_split.h"

enum { DAY_S = 86400, USERS = 30, PRODUCTS = 20 };

static const struct weigh_params weighing = {
    .weights = {1, .7, .5, .3, .1}, .decay_days = 25, .repeat_factor = .8, .now_s = 100 * DAY_S};
static const struct matrix_params thresholds = {
    .min_user_rows = 1, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = .3};

struct scene {
    struct interactions rows;
    struct pairs pairs;
    struct matrix matrix;
    struct holdout holdout;
    int64_t next_id;
};

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    assert_int_equal(interactions_init(&scene->rows, NULL), ERR_OK);
    *state = scene;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;

    holdout_fini(&scene->holdout);
    matrix_fini(&scene->matrix);
    pairs_fini(&scene->pairs);
    interactions_fini(&scene->rows);
    free(scene);
    return 0;
}

static void add(struct scene *scene, const char *user, int64_t product, double day)
{
    assert_int_equal(interactions_add(&scene->rows, scene->next_id++, ACTION_PURCHASE, user, strlen(user),
                                      (int64_t)(day * DAY_S), product, NULL),
                     ERR_OK);
}

static void make_matrix(struct scene *scene)
{
    assert_int_equal(weigh_run(&scene->pairs, &scene->rows, &weighing, NULL), ERR_OK);
    assert_int_equal(matrix_build(&scene->matrix, &scene->pairs, &thresholds, NULL), ERR_OK);
}

/* The products that are held out of a user, by the order of users. */
static size_t held_out(const struct holdout *holdout, size_t user)
{
    return (size_t)(holdout->test.offsets[user + 1] - holdout->test.offsets[user]);
}

/* By time */

/* Twelve days: three are held out. */
static void add_twelve_days(struct scene *scene)
{
    add(scene, "ann", 1, 0);
    add(scene, "ann", 2, 1);
    add(scene, "bob", 2, 2);
    add(scene, "bob", 3, 3);
    add(scene, "cid", 1, 4);
    add(scene, "ann", 3, 9.5); /* after the cut, at day 9: new */
    add(scene, "ann", 3, 9.6); /* once */
    add(scene, "ann", 1, 10);  /* known before */
    add(scene, "bob", 9, 10);  /* a product that training has not */
    add(scene, "dan", 1, 11);  /* a user that training has not */
    add(scene, "cid", 3, 12);
    add(scene, "cid", 2, 12);
}

static void pairs_that_are_new_in_the_last_days_are_held_out(void **state)
{
    struct scene *scene = *state;
    const struct holdout_params params = {.test_days = 14, .weigh = weighing, .matrix = thresholds};
    struct holdout *holdout = &scene->holdout;

    add_twelve_days(scene);
    assert_int_equal(holdout_make(holdout, &scene->rows, &params, NULL), ERR_OK);
    assert_int_equal(holdout->days, 3);
    assert_int_equal(holdout->cut_s, 9 * DAY_S);
    assert_int_equal(holdout->train.users, 3);
    assert_int_equal(holdout->train.products, 3);
    assert_int_equal(holdout->users, 2);
    assert_int_equal(holdout->user[0], 0); /* ann */
    assert_int_equal(holdout->user[1], 2); /* cid */
    assert_int_equal(held_out(holdout, 0), 1);
    assert_int_equal(holdout->test.columns[0], 2); /* product 3 */
    assert_int_equal(held_out(holdout, 1), 2);
    assert_int_equal(holdout->test.columns[1], 1);
    assert_int_equal(holdout->test.columns[2], 2);
}

static void training_is_weighed_as_of_the_cut(void **state)
{
    struct scene *scene = *state;
    const struct holdout_params params = {.test_days = 2, .weigh = weighing, .matrix = thresholds};
    struct holdout *holdout = &scene->holdout;

    add_twelve_days(scene);
    assert_int_equal(holdout_make(holdout, &scene->rows, &params, NULL), ERR_OK);
    assert_int_equal(holdout->cut_s, 10 * DAY_S);
    assert_true(fabs(holdout->train.raw[0] - exp(-10 / 25.)) < 1e-12); /* ann, product 1: ten days before the cut */
    assert_int_equal(holdout->train.pairs, 6);                         /* ann has product 3 by then */
}

static void a_few_days_are_too_few(void **state)
{
    struct scene *scene = *state;
    const struct holdout_params params = {.test_days = 14, .weigh = weighing, .matrix = thresholds};
    struct err err;

    add(scene, "ann", 1, 0);
    add(scene, "ann", 2, 6.9);
    assert_int_equal(holdout_make(&scene->holdout, &scene->rows, &params, &err), ERR_NO_DATA);
    assert_string_equal(err.message, "6 days of interactions are too few to hold some out");
}

/* At random */

static void add_random(struct scene *scene)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    uint32_t random = 5;

    for (int i = 0; i < 400; i++) {
        char name[8];

        random = random * 1664525u + 1013904223u;
        name[0] = names[(random >> 8) % 10][0];
        name[1] = (char)('0' + (random >> 20) % 3);
        name[2] = '\0';
        add(scene, name, 1 + (random >> 12) % PRODUCTS, (random >> 10) % 90);
    }
    make_matrix(scene);
}

static void a_random_split_is_that_of_the_solver(void **state)
{
    struct scene *scene = *state;
    const struct holdout_split_params params = {
        .bm25_before = true, .train_fraction = .8, .seed = 123, .matrix = thresholds};
    struct csr train;
    struct csr test;
    size_t trained;

    add_random(scene);
    assert_int_equal(holdout_random(&scene->holdout, &scene->matrix, &params, NULL), ERR_OK);
    assert_int_equal(evaluate_split(&train, &test, &scene->matrix.values, .8, 123, NULL), ERR_OK);
    trained = csr_nonzeros(&train);
    assert_int_equal(csr_nonzeros(&scene->holdout.train.values), trained);
    assert_int_equal(scene->holdout.train.pairs, trained);
    assert_memory_equal(scene->holdout.train.values.columns, train.columns, trained * sizeof *train.columns);
    assert_memory_equal(scene->holdout.train.values.values, train.values, trained * sizeof *train.values);
    assert_memory_equal(scene->holdout.train.values.offsets, train.offsets, (train.rows + 1) * sizeof *train.offsets);
    assert_memory_equal(scene->holdout.test.columns, test.columns, csr_nonzeros(&test) * sizeof *test.columns);
    assert_memory_equal(scene->holdout.test.offsets, test.offsets, (test.rows + 1) * sizeof *test.offsets);
    assert_int_equal(scene->holdout.users, scene->matrix.users);
    csr_fini(&train);
    csr_fini(&test);
}

/* BM25 of the training entries alone, by the formula. */
static void check_bm25(const struct matrix *train)
{
    double lengths[PRODUCTS] = {0};
    double total = 0;

    for (size_t k = 0; k < train->pairs; k++) {
        lengths[train->values.columns[k]] += train->raw[k];
        total += train->raw[k];
    }
    for (size_t user = 0; user < train->users; user++) {
        double d = (double)(train->values.offsets[user + 1] - train->values.offsets[user]);
        double idf = log(((double)train->products - d + .5) / (d + .5));

        for (int64_t k = train->values.offsets[user]; k < train->values.offsets[user + 1]; k++) {
            double length = lengths[train->values.columns[k]] / (total / (double)train->products);
            double expected = train->raw[k] * 2.2 / (1.2 * (.7 + .3 * length) + train->raw[k]) * (idf > 0 ? idf : 0);

            assert_true(fabs(train->bm25[k] - expected) < 1e-12);
            assert_true(train->values.values[k] == (float)train->bm25[k]);
        }
    }
}

static void bm25_after_the_split_knows_training_alone(void **state)
{
    struct scene *scene = *state;
    struct holdout_split_params params = {.train_fraction = .8, .seed = 123, .matrix = thresholds};
    struct holdout before;
    size_t trained;

    add_random(scene);
    assert_int_equal(holdout_random(&scene->holdout, &scene->matrix, &params, NULL), ERR_OK);
    params.bm25_before = true;
    assert_int_equal(holdout_random(&before, &scene->matrix, &params, NULL), ERR_OK);
    trained = scene->holdout.train.pairs;
    check_bm25(&scene->holdout.train);
    assert_memory_equal(scene->holdout.train.raw, before.train.raw, trained * sizeof(double));
    assert_memory_equal(scene->holdout.train.values.columns, before.train.values.columns, trained * sizeof(int32_t));
    assert_memory_not_equal(scene->holdout.train.values.values, before.train.values.values, trained * sizeof(float));
    holdout_fini(&before);
}

static void a_split_that_leaves_nothing_is_refused(void **state)
{
    struct scene *scene = *state;
    struct holdout_split_params params = {.train_fraction = 1, .seed = 123, .matrix = thresholds};
    struct err err;

    add_random(scene);
    assert_int_equal(holdout_random(&scene->holdout, &scene->matrix, &params, &err), ERR_NO_DATA);
    assert_non_null(strstr(err.message, "0 would be held out: there is nothing to foretell"));
    params.train_fraction = 0;
    assert_int_equal(holdout_random(&scene->holdout, &scene->matrix, &params, &err), ERR_NO_DATA);
    assert_non_null(strstr(err.message, "there is nothing to train on"));
}

/* The last one */

static void each_users_last_product_is_held_out(void **state)
{
    struct scene *scene = *state;
    const struct holdout_split_params params = {.matrix = thresholds};
    const struct csr *test = &scene->holdout.test;

    add(scene, "ann", 5, 1);
    add(scene, "ann", 2, 3);
    add(scene, "ann", 7, 2);
    add(scene, "bob", 7, 4); /* later than 2, but met before too */
    add(scene, "bob", 2, 3);
    add(scene, "bob", 7, 1);
    add(scene, "cid", 2, 9); /* its only one stays in training */
    add(scene, "dan", 7, 6); /* both at once: the lower id */
    add(scene, "dan", 5, 6);
    add(scene, "dan", 2, 5);
    make_matrix(scene);
    assert_int_equal(holdout_last_out(&scene->holdout, &scene->matrix, &scene->rows, &params, NULL), ERR_OK);
    assert_int_equal(csr_nonzeros(test), 3);
    assert_true(csr_has(test, 0, 0)); /* products 2, 5, 7 are columns 0, 1, 2 */
    assert_true(csr_has(test, 1, 2));
    assert_int_equal(held_out(&scene->holdout, 2), 0);
    assert_true(csr_has(test, 3, 1));
    assert_int_equal(scene->holdout.train.pairs, scene->matrix.pairs - 3);
    for (size_t user = 0; user < 4; user++) {
        for (int32_t product = 0; product < 3; product++)
            assert_false(csr_has(test, user, product) && csr_has(&scene->holdout.train.values, user, product));
    }
    check_bm25(&scene->holdout.train);
}

static void rows_that_the_thresholds_took_are_nobodys_last(void **state)
{
    struct scene *scene = *state;
    const struct matrix_params strict = {.min_user_rows = 3, .min_product_rows = 2, .bm25_k1 = 1.2, .bm25_b = .3};
    const struct holdout_split_params params = {.matrix = strict};

    for (int product = 1; product <= 3; product++) {
        add(scene, "ann", product, product);
        add(scene, "bob", product, 10 - product);
    }
    add(scene, "ann", 99, 50); /* one row of this product */
    add(scene, "eve", 1, 60);  /* one row of this user */
    assert_int_equal(weigh_run(&scene->pairs, &scene->rows, &weighing, NULL), ERR_OK);
    assert_int_equal(matrix_build(&scene->matrix, &scene->pairs, &strict, NULL), ERR_OK);
    assert_int_equal(holdout_last_out(&scene->holdout, &scene->matrix, &scene->rows, &params, NULL), ERR_OK);
    assert_int_equal(csr_nonzeros(&scene->holdout.test), 2);
    assert_true(csr_has(&scene->holdout.test, 0, 2)); /* ann: product 3 */
    assert_true(csr_has(&scene->holdout.test, 1, 0)); /* bob: product 1 */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_that_are_new_in_the_last_days_are_held_out),
        TEST(training_is_weighed_as_of_the_cut),
        TEST(a_few_days_are_too_few),
        TEST(a_random_split_is_that_of_the_solver),
        TEST(bm25_after_the_split_knows_training_alone),
        TEST(a_split_that_leaves_nothing_is_refused),
        TEST(each_users_last_product_is_held_out),
        TEST(rows_that_the_thresholds_took_are_nobodys_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
