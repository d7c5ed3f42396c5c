#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "memory_store.h"
#include "worker/pipeline/warm_start.h"

enum { FACTORS = 3, PRODUCTS = 4, USERS = 3 };

static const char IDENTITY[] = "http://cms?namespace=shop";

/* A model of whole numbers, and the matrix it is of. */
struct scene {
    struct memory_store shelf;
    struct blob_store store;
    struct als_params params;
    float x[USERS * FACTORS];
    float y[PRODUCTS * FACTORS];
    struct als_model model;
    int64_t product_ids[PRODUCTS];
    char *user_uids[USERS];
    struct matrix matrix;
};

static char anna[] = "anna";
static char bob[] = "bob";
static char zoe[] = "zo\xc3\xab";

static int set_up(void **state)
{
    struct scene *scene = mem_zeroed(1, sizeof *scene);

    assert_non_null(scene);
    scene->store = memory_store(&scene->shelf);
    scene->params =
        (struct als_params){.solver = ALS_SOLVER_CG, .factors = FACTORS, .regularization = 30, .alpha = 800};
    for (int i = 0; i < USERS * FACTORS; i++)
        scene->x[i] = (float)(100 + i);
    for (int i = 0; i < PRODUCTS * FACTORS; i++)
        scene->y[i] = (float)(200 + i);
    scene->model =
        (struct als_model){.users = USERS, .items = PRODUCTS, .factors = FACTORS, .x = scene->x, .y = scene->y};
    for (int i = 0; i < PRODUCTS; i++)
        scene->product_ids[i] = 10 * i - 10; /* -10 0 10 20 */
    scene->user_uids[0] = anna;
    scene->user_uids[1] = bob;
    scene->user_uids[2] = zoe;
    scene->matrix = (struct matrix){
        .users = USERS, .products = PRODUCTS, .user_uids = scene->user_uids, .product_ids = scene->product_ids};
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    memory_store_fini(&scene->shelf);
    free(scene);
    return 0;
}

static void save(struct scene *scene)
{
    assert_int_equal(warm_start_save(&scene->store, IDENTITY, &scene->matrix, &scene->params, &scene->model, NULL),
                     ERR_OK);
}

static void load(struct scene *scene, const char *identity, struct warm_start *start)
{
    assert_int_equal(warm_start_load(start, &scene->store, identity, &scene->matrix, &scene->params, NULL), ERR_OK);
}

static void check_cold(struct scene *scene, const char *identity, const char *why)
{
    struct warm_start start;

    load(scene, identity, &start);
    assert_null(start.y);
    assert_null(start.x);
    if (strstr(start.note, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", start.note, why);
    warm_start_fini(&start);
}

static void the_factors_come_back_as_they_were(void **state)
{
    struct scene *scene = *state;
    struct warm_start start;

    save(scene);
    load(scene, IDENTITY, &start);
    assert_memory_equal(start.y, scene->y, sizeof scene->y);
    assert_memory_equal(start.x, scene->x, sizeof scene->x);
    assert_int_equal(start.known_products, PRODUCTS);
    assert_string_equal(start.note, "warm start: 4 of 4 products known");
    warm_start_fini(&start);
}

static void the_exact_solver_needs_no_users(void **state)
{
    struct scene *scene = *state;
    struct warm_start start;

    scene->params.solver = ALS_SOLVER_EXACT;
    save(scene);
    load(scene, IDENTITY, &start);
    assert_memory_equal(start.y, scene->y, sizeof scene->y);
    assert_null(start.x);
    warm_start_fini(&start);
}

static void rows_are_found_by_id_and_new_ones_are_unknown(void **state)
{
    struct scene *scene = *state;
    int64_t products[] = {-20, 0, 5, 20, 30};
    char new_user[] = "bea";
    char *users[] = {new_user, bob, zoe};
    struct warm_start start;

    save(scene);
    scene->matrix.products = 5;
    scene->matrix.product_ids = products;
    scene->matrix.user_uids = users;
    load(scene, IDENTITY, &start);
    assert_int_equal(start.known_products, 2);
    assert_true(isnan(start.y[0]) && isnan(start.y[2 * FACTORS]) && isnan(start.y[4 * FACTORS]));
    assert_memory_equal(start.y + 1 * FACTORS, scene->y + 1 * FACTORS, FACTORS * sizeof(float));
    assert_memory_equal(start.y + 3 * FACTORS, scene->y + 3 * FACTORS, FACTORS * sizeof(float));
    assert_true(isnan(start.x[0]));
    assert_memory_equal(start.x + 1 * FACTORS, scene->x + 1 * FACTORS, 2 * FACTORS * sizeof(float));
    warm_start_fini(&start);
}

static void what_does_not_fit_is_a_cold_start_that_says_why(void **state)
{
    struct scene *scene = *state;

    check_cold(scene, IDENTITY, "no earlier factors");
    save(scene);
    check_cold(scene, "http://cms?namespace=other", "another shop");
    scene->params.regularization_scaling = ALS_SCALING_FREQUENCY;
    check_cold(scene, IDENTITY, "other parameters");
    scene->params.regularization_scaling = ALS_SCALING_NONE;
    scene->params.alpha = 40;
    check_cold(scene, IDENTITY, "other parameters");
    scene->params.alpha = 800;
    scene->params.factors = FACTORS - 1;
    check_cold(scene, IDENTITY, "other parameters");
    scene->params.factors = FACTORS;
    scene->params.solver = ALS_SOLVER_EXACT;
    check_cold(scene, IDENTITY, "other parameters");
    scene->shelf.away = ERR_UNAVAILABLE;
    check_cold(scene, IDENTITY, "cold start: ");
}

static void a_damaged_file_is_a_cold_start(void **state)
{
    struct scene *scene = *state;
    struct memory_blob *file;
    size_t whole;

    save(scene);
    file = memory_store_find(&scene->shelf, "factors.bin");
    assert_non_null(file);
    whole = file->size;
    for (size_t i = 0; i < whole; i++) {
        file->data[i] ^= 1;
        check_cold(scene, IDENTITY, "damaged");
        file->data[i] ^= 1;
    }
    for (file->size = 0; file->size < whole; file->size++)
        check_cold(scene, IDENTITY, "cold start: factors.bin");
    file->size = whole;
}

static void a_shelf_that_takes_nothing_is_told(void **state)
{
    struct scene *scene = *state;

    scene->shelf.away = ERR_UNAVAILABLE;
    assert_int_equal(warm_start_save(&scene->store, IDENTITY, &scene->matrix, &scene->params, &scene->model, NULL),
                     ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_factors_come_back_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_exact_solver_needs_no_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_found_by_id_and_new_ones_are_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_a_cold_start_that_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_a_cold_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shelf_that_takes_nothing_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
