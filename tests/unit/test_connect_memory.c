/*
 * Source, cache and fetch when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well.
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

#include "common/net/http_client.h"
#include "tests/support/failing_memory.h"
#include "tests/unit/fake_shop.h"
#include "tests/unit/memory_store.h"
#include "worker/connect/blob_folder.h"
#include "worker/connect/cms.h"
#include "worker/connect/folder.h"
#include "worker/pipeline/fetch.h"

enum { NOW = 10000000, ACTIVITIES = 60 };

static enum err_code open_source(void *context, struct err *err)
{
    struct cms_config config = {.url = "http://127.0.0.1:1/", .token = "t", .shop = "shop"};
    struct cms *cms;
    enum err_code rc = cms_create(&cms, &config, err);

    (void)context;
    assert_true((rc == ERR_OK) == (cms != NULL));
    cms_destroy(cms);
    return rc;
}

static void opening_a_source_without_memory_fails_cleanly(void **state)
{
    (void)state;
    failing_memory_try(open_source, NULL);
}

static void ignore(void *context, const struct http_response *response, const struct err *err)
{
    (void)context;
    (void)response;
    (void)err;
}

static enum err_code send_request(void *context, struct err *err)
{
    struct http_client_config config = {.bearer = "t"};
    struct http_client *client;
    enum err_code rc = http_client_create(&client, &config, err);

    (void)context;
    if (rc == ERR_OK)
        rc = http_client_get(client, "http://127.0.0.1:1/", ignore, NULL, err);
    http_client_destroy(client);
    return rc;
}

static void a_request_without_memory_fails_cleanly(void **state)
{
    (void)state;
    failing_memory_try(send_request, NULL);
}

static enum err_code open_folder(void *context, struct err *err)
{
    struct blob_folder *folder;
    enum err_code rc = blob_folder_create(&folder, "/tmp", err);

    (void)context;
    assert_true((rc == ERR_OK) == (folder != NULL));
    blob_folder_destroy(folder);
    return rc;
}

static void opening_a_folder_without_memory_fails_cleanly(void **state)
{
    (void)state;
    failing_memory_try(open_folder, NULL);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The whole of an export is read, or it is said that there was no memory. */
static enum err_code read_export(void *context, struct err *err)
{
    const struct fetch_params params = {.now_s = NOW};
    struct fetch_result result = {0};
    struct folder *folder;
    struct source source;
    enum err_code rc = folder_create(&folder, context, err);

    if (rc != ERR_OK)
        return rc;
    source = folder_source(folder);
    rc = fetch_run(&result, &params, &source, NULL, NULL, err);
    if (rc == ERR_OK) {
        assert_int_equal(result.rows.count, 3);
        assert_int_equal(source_bad_total(&result.source), 2);
    }
    fetch_result_fini(&result);
    folder_destroy(folder);
    return rc;
}

static void reading_an_export_without_memory_fails_cleanly(void **state)
{
    char dir[] = "/tmp/recfleet-export-XXXXXX";
    char path[128];
    static const char *const names[] = {"interactions.csv", "products.csv", "events.jsonl", "products.json"};

    (void)state;
    assert_non_null(mkdtemp(dir));
    write_file(dir, names[0],
               "user,product,action,time\n\"a \"\"b\"\"\",1,view,9\nb,2,purchase,1970-01-02\nc,3,cart,9\n"
               "d,4,sing,9\nd\n");
    failing_memory_try(read_export, dir); /* without a catalogue */
    write_file(dir, names[1], "id,title,stock\n1,Cup,2.5\n");
    failing_memory_try(read_export, dir);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    write_file(
        dir, names[2],
        "{\"id\":1,\"action\":\"purchase\",\"user_uid\":\"u\",\"info\":{\"content_ids\":\"1,2,3\"},\"created\":9}\n"
        "{\"action\":\"sing\"}\n{\n");
    write_file(dir, names[3], "[{\"id\":1,\"stock\":2,\"status\":\"Published\"}]");
    failing_memory_try(read_export, dir);
    for (int i = 2; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

/* A shop whose cache was filled when half of its activities were there. */
struct scene {
    struct fake_shop shop;
    struct memory_store store;
    size_t rows;
};

static enum err_code run(void *context, struct err *err)
{
    struct fetch_params params = {.now_s = NOW, .window_days = 0};
    struct scene *scene = context;
    struct source source = fake_shop_source(&scene->shop);
    struct blob_store store = memory_store(&scene->store);
    struct fetch_result result = {0};
    struct cache *cache;
    enum err_code rc = cache_create(&cache, &store, source.identity, err);

    if (rc == ERR_OK)
        rc = fetch_run(&result, &params, &source, cache, NULL, err);
    scene->rows = rc == ERR_OK ? result.rows.count : 0;
    assert_null(strstr(result.warnings[0], "set aside")); /* no memory is no damage */
    fetch_result_fini(&result);
    cache_destroy(cache);
    return rc;
}

/* Whatever the attempt came to, the next run has all rows. */
static enum err_code run_and_check(void *context, struct err *err)
{
    struct scene *scene = context;
    enum err_code rc = run(scene, err);

    failing_memory_set(0);
    assert_true(scene->rows == 0 || scene->rows == scene->shop.count);
    assert_int_equal(run(scene, NULL), ERR_OK);
    assert_int_equal(scene->rows, scene->shop.count);
    memory_store_fini(&scene->store);
    scene->shop.count = ACTIVITIES / 2;
    assert_int_equal(run(scene, NULL), ERR_OK);
    scene->shop.count = ACTIVITIES;
    return rc;
}

static void a_run_without_memory_spoils_no_cache(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    (void)state;
    assert_non_null(scene);
    scene->shop.products = 3;
    for (int i = 0; i < ACTIVITIES; i++)
        fake_shop_add_plain(&scene->shop, (enum action)(i % ACTION_COUNT), i % 3 == 0 ? "a" : "b,c", i % 7,
                            NOW - 5000 + i);
    scene->shop.count = ACTIVITIES / 2;
    assert_int_equal(run(scene, NULL), ERR_OK);
    scene->shop.count = ACTIVITIES;
    failing_memory_try(run_and_check, scene);
    fake_shop_fini(&scene->shop);
    memory_store_fini(&scene->store);
    free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_a_source_without_memory_fails_cleanly),
        cmocka_unit_test(a_request_without_memory_fails_cleanly),
        cmocka_unit_test(opening_a_folder_without_memory_fails_cleanly),
        cmocka_unit_test(reading_an_export_without_memory_fails_cleanly),
        cmocka_unit_test(a_run_without_memory_spoils_no_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
