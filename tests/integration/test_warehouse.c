/*
 * Jobs `warehouse` into a server of MongoDB's protocol: what is loaded, that a load takes the old one's place whole or
 * not at all, and that of two loads only the newer counts.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/warehouse_look.h"
#include "tests/integration/worker_fixture.h"
#include "worker/connect/warehouse_mongo.h"

enum { SMALL_USERS = 20, SMALL_ROWS = 400 };

struct scene {
    struct worker_fixture *fixture;
    struct warehouse_look look;
    char export[SERVER_TEXT_BYTES + 96]; /* API_URL=file:DIR of a small shop */
};

/* Twenty users, each with a product every ten minutes. */
static void write_export(struct scene *scene, const char *name, int rows)
{
    const char *folder = worker_fixture_folder(scene->fixture, name);
    char path[SERVER_TEXT_BYTES + 96];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/interactions.csv", folder);
    (void)snprintf(scene->export, sizeof scene->export, "API_URL=file:%s", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "id,user,product,action,time\n");
    for (int i = 0; i < rows; i++)
        (void)fprintf(file, "%d,user-%d,%d,%s,%lld\n", i + 1, i % SMALL_USERS, 1 + (i * 7 + i / SMALL_USERS) % 30,
                      i % 3 == 0 ? "cart" : "view",
                      (long long)scene->fixture->now_s - 7200 - (long long)(i / SMALL_USERS) * 600);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, sizeof path, "%s/products.csv", worker_fixture_folder(scene->fixture, name));
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "id,title,status,stock\n");
    for (int id = 1; id <= 30; id++)
        (void)fprintf(file, "%d,Thing %d,Published,%d\n", id, id, id % 3);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    void *fixture = NULL;

    assert_non_null(scene);
    *state = scene;
    if (worker_fixture_start(&fixture) != 0)
        return -1;
    scene->fixture = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;
    int rc = worker_fixture_stop(&fixture);

    free(scene);
    return rc;
}

static int begin(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;

    (void)worker_fixture_clear(&fixture);
    if (!worker_fixture_use_mongo(scene->fixture))
        return 0;
    warehouse_look_open(&scene->look, scene->fixture->mongo.url);
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;

    if (scene->look.client != NULL)
        warehouse_look_close(&scene->look);
    return worker_fixture_end_workers(&fixture);
}

static struct scene *scene_of(void **state)
{
    struct scene *scene = *state;

    if (scene->look.client == NULL)
        skip(); /* mongo_server_program has said why */
    return scene;
}

/* --once warehouse, of the small shop or with other settings; the exit status. */
static int load(struct scene *scene, const char *const *settings, const char *param, char **output)
{
    const char *const small[] = {scene->export, NULL};
    const char *const arguments[] = {"--once", "warehouse", "--param", param, NULL};

    return worker_fixture_call(scene->fixture, settings != NULL ? settings : small, arguments, output);
}

#define ALL "window_days=0"

static void assert_holds(char *output, const char *text)
{
    if (output == NULL || strstr(output, text) == NULL)
        fail_msg("\"%s\" is not in:\n%s", text, output);
    free(output);
}

static void a_load_has_its_rows_weights_products_and_indexes(void **state)
{
    static const char *const indexes[] = {"user",         "product",     "action", "created",
                                          "user_product", "user_action", "date"};
    static const char *const of_weights[] = {"before", "behind", "weight", "before_weight"};
    struct scene *scene = scene_of(state);
    char *output = NULL;

    write_export(scene, "small", SMALL_ROWS);
    assert_int_equal(load(scene, NULL, ALL, &output), 0);
    assert_holds(output, "400 interactions of 20 users with 30 products");
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), SMALL_ROWS);
    assert_int_equal(
        warehouse_look_count(&scene->look, "interactions",
                             "{\"id\":{\"$gte\":1,\"$lte\":400},\"user_uid\":{\"$gte\":\"user-0\",\"$lte\":\"user-9\"},"
                             "\"product_id\":{\"$gte\":1,\"$lte\":30},"
                             "\"action\":{\"$in\":[\"add_to_cart\",\"content_view\"]},"
                             "\"created\":{\"$gt\":1000000000},"
                             "\"created_datetime\":{\"$gt\":{\"$date\":\"2001-01-01T00:00:00Z\"}},"
                             "\"created_date\":{\"$gt\":{\"$date\":\"2001-01-01T00:00:00Z\"}},"
                             "\"created_hour\":{\"$gte\":0,\"$lte\":23},"
                             "\"created_day_of_week\":{\"$gte\":0,\"$lte\":6},"
                             "\"created_month\":{\"$gte\":1,\"$lte\":12}}"),
        SMALL_ROWS);
    assert_true(warehouse_look_count(&scene->look, "product_recommendations",
                                     "{\"product_to_recommend_id\":{\"$gte\":1},\"product_for_recommendation_id\":"
                                     "{\"$gte\":1},\"interaction_weight\":{\"$gt\":0}}") > 30);
    assert_int_equal(warehouse_look_count(&scene->look, "warehouse_products", "{\"published\":true}"), 30);
    assert_int_equal(warehouse_look_count(&scene->look, "warehouse_products", "{\"title\":\"Thing 7\",\"stock\":1}"),
                     1);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++)
        assert_true(warehouse_look_has_index(&scene->look, "interactions", indexes[i]));
    for (size_t i = 0; i < sizeof of_weights / sizeof of_weights[0]; i++)
        assert_true(warehouse_look_has_index(&scene->look, "product_recommendations", of_weights[i]));
    assert_false(warehouse_look_has(&scene->look, "loading."));
}

static void the_next_load_takes_the_place_of_the_last(void **state)
{
    struct scene *scene = scene_of(state);

    write_export(scene, "small", SMALL_ROWS);
    assert_int_equal(load(scene, NULL, ALL, NULL), 0);
    write_export(scene, "small", SMALL_ROWS - 100);
    assert_int_equal(load(scene, NULL, ALL, NULL), 0);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), SMALL_ROWS - 100);
    assert_true(warehouse_look_has_index(&scene->look, "interactions", "user_product"));
    assert_false(warehouse_look_has(&scene->look, "loading."));
}

static void hours_and_days_are_the_shops(void **state)
{
    struct scene *scene = scene_of(state);
    char path[SERVER_TEXT_BYTES + 96];
    const char *const settings[] = {scene->export, "TIMEZONE=Asia/Kolkata", NULL};
    FILE *file;

    write_export(scene, "zone", 1);
    (void)snprintf(path, sizeof path, "%s/interactions.csv", worker_fixture_folder(scene->fixture, "zone"));
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("id,user,product,action,time\n1,ann,7,cart,2025-12-31T18:30:00Z\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(load(scene, settings, ALL, NULL), 0);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions",
                                          "{\"created\":1767205800,\"created_datetime\":{\"$date\":"
                                          "\"2025-12-31T18:30:00Z\"},\"created_date\":{\"$date\":"
                                          "\"2026-01-01T00:00:00Z\"},\"created_hour\":0,\"created_day_of_week\":3,"
                                          "\"created_month\":1}"),
                     1);
}

/* Until the load has written something: documents of it are there. */
static void wait_for_rows(struct scene *scene)
{
    for (int64_t until = worker_fixture_now_ms() + WORKER_WAIT_MS; !warehouse_look_has(&scene->look, "loading.");) {
        assert_true(worker_fixture_now_ms() < until);
        worker_fixture_pause();
    }
}

static void a_load_killed_midway_leaves_the_old_whole_and_the_next_cleans_up(void **state)
{
    struct scene *scene = scene_of(state);
    struct json *document;
    int64_t interactions = 0;
    int64_t weights;
    char id[JOB_ID_BYTES];
    int child;

    write_export(scene, "small", SMALL_ROWS);
    assert_int_equal(load(scene, NULL, ALL, NULL), 0);
    weights = warehouse_look_count(&scene->look, "product_recommendations", "{}");

    worker_fixture_run(scene->fixture, 0, NULL); /* the stand-in CMS: some 24,000 rows */
    worker_fixture_submit(scene->fixture, JOB_WAREHOUSE, "{}", id);
    worker_fixture_wait_for_stage(scene->fixture, id, "interactions");
    wait_for_rows(scene);
    child = worker_fixture_child(scene->fixture, 0);
    assert_true(child > 0);
    server_kill(&scene->fixture->workers[0]); /* and its child by PR_SET_PDEATHSIG */
    assert_true(warehouse_look_has(&scene->look, "loading."));
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), SMALL_ROWS);
    assert_int_equal(warehouse_look_count(&scene->look, "product_recommendations", "{}"), weights);

    worker_fixture_run(scene->fixture, 1, NULL);
    worker_fixture_wait_for_document(scene->fixture, id, "succeeded");
    document = worker_fixture_document(scene->fixture, id);
    assert_true(json_value_get_int64(json_value_get(document, "result"), "interactions", &interactions));
    json_value_destroy(document);
    assert_true(interactions > 20000);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), interactions);
    assert_false(warehouse_look_has(&scene->look, "loading."));
}

static void sqlite_is_refused_before_anything_is_read(void **state)
{
    struct scene *scene = *state;
    const char *const settings[] = {"STORE_URL=sqlite:/nowhere/store.db", "QUEUE_REDIS_URL=redis://127.0.0.1:1", NULL};
    char *output = NULL;

    assert_int_equal(load(scene, settings, ALL, &output), 1);
    assert_holds(output, "needs MongoDB, and STORE_URL names a file of SQLite");
}

static void sqlite_is_refused_for_good_from_the_queue(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    const char *const settings[] = {"CACHE_URL=file:/nowhere/cache", NULL};
    struct json *document;
    char id[JOB_ID_BYTES];

    (void)snprintf(fixture->store_url, sizeof fixture->store_url, "sqlite:%s/store-%d.db", fixture->folder,
                   ++fixture->stores);
    worker_fixture_run(fixture, 0, settings);
    worker_fixture_submit(fixture, JOB_WAREHOUSE, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "dead");
    worker_fixture_wait_for_document(fixture, id, "dead");
    document = worker_fixture_document(fixture, id);
    assert_string_equal(json_value_get_text(json_value_get(document, "error"), "code"), "config");
    assert_non_null(strstr(json_value_get_text(json_value_get(document, "error"), "message"), "needs MongoDB"));
    json_value_destroy(document);
}

/* The old of the small shop is loaded, and a load of the large one runs in worker 0. */
static void begin_large_load(struct scene *scene, char *id)
{
    write_export(scene, "small", SMALL_ROWS);
    assert_int_equal(load(scene, NULL, ALL, NULL), 0);
    worker_fixture_run(scene->fixture, 0, NULL);
    worker_fixture_submit(scene->fixture, JOB_WAREHOUSE, "{}", id);
    worker_fixture_wait_for_stage(scene->fixture, id, "interactions");
    wait_for_rows(scene);
}

static void a_cancel_midway_leaves_the_old(void **state)
{
    struct scene *scene = scene_of(state);
    char key[64];
    char id[JOB_ID_BYTES];

    begin_large_load(scene, id);
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    (void)queue_fixture_ask(scene->fixture->queue, "HSET", key, "cancel", "enough", NULL);
    worker_fixture_wait_for_document(scene->fixture, id, "cancelled");
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), SMALL_ROWS);
}

/* Its child goes on loading, but has nobody to give it leave to swap. */
static void a_worker_that_stands_still_is_overtaken(void **state)
{
    struct scene *scene = scene_of(state);
    struct json *document;
    int64_t interactions = 0;
    char id[JOB_ID_BYTES];

    begin_large_load(scene, id);
    server_freeze(&scene->fixture->workers[0]);
    worker_fixture_run(scene->fixture, 1, NULL);
    worker_fixture_wait_for_document(scene->fixture, id, "succeeded");
    document = worker_fixture_document(scene->fixture, id);
    assert_true(json_value_get_int64(json_value_get(document, "result"), "interactions", &interactions));
    json_value_destroy(document);
    server_thaw(&scene->fixture->workers[0]);
    worker_fixture_wait_for_log(scene->fixture, 0, "job.lost");
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), interactions);
    assert_true(warehouse_look_has_index(&scene->look, "interactions", "user_action"));
}

/* By worker_fixture_document, which starts it anew; the load goes on, or another attempt makes it. */
static void a_store_that_hangs_midway_is_come_through(void **state)
{
    struct scene *scene = scene_of(state);
    char id[JOB_ID_BYTES];

    begin_large_load(scene, id);
    server_freeze(&scene->fixture->mongo);
    worker_fixture_wait_for_document(scene->fixture, id, "succeeded");
    assert_true(warehouse_look_count(&scene->look, "interactions", "{}") > SMALL_ROWS);
    assert_false(warehouse_look_has(&scene->look, "loading."));
}

static void two_shops_have_collections_of_their_own(void **state)
{
    struct scene *scene = scene_of(state);
    char file[SERVER_TEXT_BYTES + 64];
    char setting[SERVER_TEXT_BYTES + 96];
    const char *const settings[] = {setting, NULL};
    char books[SERVER_TEXT_BYTES + 96];
    FILE *shops;

    write_export(scene, "books", 60);
    (void)snprintf(books, sizeof books, "%s", scene->export + strlen("API_URL="));
    write_export(scene, "small", SMALL_ROWS);
    (void)snprintf(file, sizeof file, "%s/shops.json", worker_fixture_folder(scene->fixture, "shops"));
    (void)snprintf(setting, sizeof setting, "NAMESPACES_FILE=%s", file);
    shops = fopen(file, "w");
    assert_non_null(shops);
    (void)fprintf(shops,
                  "{\"" WORKER_SHOP
                  "\":{\"API_URL\":\"%s\",\"HOMEPAGE_KEY_PREFIX\":\"t:\",\"SIMILAR_KEY_PREFIX\":\"t:\","
                  "\"CROSS_SELL_KEY_PREFIX\":\"t:\"},\"books\":{\"API_URL\":\"%s\",\"HOMEPAGE_KEY_PREFIX\":"
                  "\"b:\",\"SIMILAR_KEY_PREFIX\":\"b:\",\"CROSS_SELL_KEY_PREFIX\":\"b:\"}}",
                  scene->export + strlen("API_URL="), books);
    assert_int_equal(fclose(shops), 0);
    assert_int_equal(load(scene, settings, "namespace=" WORKER_SHOP, NULL), 0);
    assert_int_equal(load(scene, settings, "namespace=books", NULL), 0);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{}"), SMALL_ROWS);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions.books", "{}"), 60);
    assert_int_equal(warehouse_look_count(&scene->look, "warehouse_loads", "{}"), 2);
}

static void a_fence_from_the_future_is_the_floor_of_the_next(void **state)
{
    struct scene *scene = scene_of(state);

    write_export(scene, "small", SMALL_ROWS);
    warehouse_look_command(&scene->look, "{\"insert\":\"warehouse_loads\",\"documents\":[{\"_id\":\"interactions\","
                                         "\"fence\":{\"$numberLong\":\"99999999999999\"}}]}");
    assert_int_equal(load(scene, NULL, ALL, NULL), 0);
    assert_int_equal(
        warehouse_look_count(&scene->look, "warehouse_loads", "{\"fence\":{\"$numberLong\":\"100000000000000\"}}"), 1);
}

/* One load by hand: its product is its fence, so that one sees whose rows are there. */
static struct warehouse_mongo *open_load(const struct scene *scene, int64_t fence, warehouse_mongo_permit_fn permit,
                                         void *context)
{
    const struct warehouse_mongo_config config = {
        .url = scene->fixture->mongo.url, .fence = fence, .permit = permit, .context = context};
    struct warehouse_mongo *out = NULL;
    struct err err = {0};

    if (warehouse_mongo_create(&out, &config, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return out;
}

static void put_all(struct warehouse_mongo *of, int64_t fence)
{
    struct warehouse warehouse = warehouse_mongo_interface(of);
    const struct warehouse_interaction row = {
        .id = 1, .user_uid = "ann", .product_id = fence, .action = "purchase", .local = {.month = 1}};
    const struct warehouse_weight weight = {.left = fence, .right = 2, .weight = 1};
    struct err err = {0};

    assert_int_equal(warehouse.put_interactions(warehouse.self, &row, 1, &err), ERR_OK);
    assert_int_equal(warehouse.put_weights(warehouse.self, &weight, 1, &err), ERR_OK);
    for (unsigned table = 0; table < WAREHOUSE_TABLE_COUNT; table++)
        assert_int_equal(warehouse.complete(warehouse.self, (enum warehouse_table)table, &err), ERR_OK);
}

static enum err_code raise_fence(struct warehouse_mongo *of, struct err *err)
{
    struct warehouse warehouse = warehouse_mongo_interface(of);

    return warehouse.raise_fence(warehouse.self, err);
}

static enum err_code swap(struct warehouse_mongo *of, struct err *err)
{
    struct warehouse warehouse = warehouse_mongo_interface(of);

    return warehouse.swap(warehouse.self, err);
}

static void an_older_load_is_refused_whenever_a_newer_one_began(void **state)
{
    struct scene *scene = scene_of(state);
    struct warehouse_mongo *old = open_load(scene, 5, NULL, NULL);
    struct warehouse_mongo *newer = open_load(scene, 6, NULL, NULL);
    struct err err = {0};

    assert_int_equal(raise_fence(old, &err), ERR_OK);
    put_all(old, 5);
    assert_int_equal(raise_fence(newer, &err), ERR_OK);
    assert_false(warehouse_look_has(&scene->look, "loading."));
    put_all(old, 5); /* a zombie writes on, and makes its collections anew */
    assert_int_equal(swap(old, &err), ERR_FENCED);
    assert_non_null(strstr(err.message, "its fence is 6, this one's 5"));
    assert_int_equal(raise_fence(old, &err), ERR_FENCED);
    assert_int_equal(warehouse_mongo_newest_fence(old), 6);
    assert_false(warehouse_look_has(&scene->look, "interactions"));
    put_all(newer, 6);
    assert_int_equal(swap(newer, &err), ERR_OK);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{\"product_id\":6}"), 1);
    warehouse_mongo_destroy(old);
    warehouse_mongo_destroy(newer);
}

static enum err_code refuse(void *context, struct err *err)
{
    (void)context;
    return ERR_SET(err, ERR_CANCELLED, "not now");
}

static void without_its_parents_leave_nothing_is_swapped(void **state)
{
    struct scene *scene = scene_of(state);
    struct warehouse_mongo *load_5 = open_load(scene, 5, refuse, NULL);
    struct err err = {0};

    assert_int_equal(raise_fence(load_5, &err), ERR_OK);
    put_all(load_5, 5);
    assert_int_equal(swap(load_5, &err), ERR_CANCELLED);
    assert_false(warehouse_look_has(&scene->look, "interactions"));
    warehouse_mongo_destroy(load_5);
}

static void a_swap_cut_off_is_finished_by_the_next_load(void **state)
{
    struct scene *scene = scene_of(state);
    struct warehouse_mongo *cut = open_load(scene, 5, NULL, NULL);
    struct warehouse_mongo *next = open_load(scene, 6, NULL, NULL);
    struct err err = {0};

    assert_int_equal(raise_fence(cut, &err), ERR_OK);
    put_all(cut, 5);
    /* as swap does, up to the first rename */
    warehouse_look_command(&scene->look,
                           "{\"update\":\"warehouse_loads\",\"updates\":[{\"q\":{\"_id\":\"interactions\"},"
                           "\"u\":{\"$set\":{\"swapping\":{\"$numberLong\":\"5\"}}}}]}");
    assert_int_equal(raise_fence(next, &err), ERR_OK);
    assert_int_equal(warehouse_look_count(&scene->look, "interactions", "{\"product_id\":5}"), 1);
    assert_int_equal(warehouse_look_count(&scene->look, "product_recommendations", "{\"product_to_recommend_id\":5}"),
                     1);
    assert_int_equal(warehouse_look_count(&scene->look, "warehouse_loads", "{\"swapping\":{\"$exists\":true}}"), 0);
    assert_int_equal(swap(cut, &err), ERR_FENCED);
    warehouse_mongo_destroy(cut);
    warehouse_mongo_destroy(next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_hangs_midway_is_come_through),
        TEST(a_load_has_its_rows_weights_products_and_indexes),
        TEST(the_next_load_takes_the_place_of_the_last),
        TEST(hours_and_days_are_the_shops),
        TEST(a_load_killed_midway_leaves_the_old_whole_and_the_next_cleans_up),
        TEST(sqlite_is_refused_before_anything_is_read),
        TEST(sqlite_is_refused_for_good_from_the_queue),
        TEST(a_cancel_midway_leaves_the_old),
        TEST(a_worker_that_stands_still_is_overtaken),
        TEST(two_shops_have_collections_of_their_own),
        TEST(a_fence_from_the_future_is_the_floor_of_the_next),
        TEST(an_older_load_is_refused_whenever_a_newer_one_began),
        TEST(without_its_parents_leave_nothing_is_swapped),
        TEST(a_swap_cut_off_is_finished_by_the_next_load),
    };

    return cmocka_run_group_tests_name("warehouse", tests, set_up, tear_down);
}
