/*
 * Source, cache and fetch when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well. Linked
 * with --wrap for the allocating functions; what leaks is found by the sanitizers' builds.
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
#include "tests/unit/fake_shop.h"
#include "tests/unit/memory_store.h"
#include "worker/connect/blob_folder.h"
#include "worker/connect/cms.h"
#include "worker/connect/folder.h"
#include "worker/pipeline/fetch.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker makes these names */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
/* NOLINTEND(bugprone-reserved-identifier) */

/* 0: none fails; n: the n-th from now */
static size_t fails_in;
static bool has_failed;

static bool fails(void)
{
    if (fails_in == 0 || --fails_in > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
    return fails() ? NULL : __real_strndup(text, length);
}

enum { NOW = 10000000, ACTIVITIES = 60, MOST = 5000 };

typedef enum err_code (*attempt_fn)(void *context, struct err *err);

/* Until it succeeds with nothing failing; `check` (NULL: none) after each attempt. */
static void try_until_it_succeeds(attempt_fn attempt, void (*check)(void *context), void *context)
{
    enum err_code rc = ERR_NO_MEMORY;

    has_failed = true;
    for (size_t n = 1; has_failed && n < MOST; n++) {
        struct err err = {0};

        has_failed = false;
        fails_in = n;
        rc = attempt(context, &err);
        fails_in = 0;
        assert_true(rc == ERR_OK || rc == ERR_NO_MEMORY);
        assert_true(has_failed || rc == ERR_OK);
        if (check != NULL)
            check(context);
    }
    assert_false(has_failed);
    assert_int_equal(rc, ERR_OK);
}

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
    try_until_it_succeeds(open_source, NULL, NULL);
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
    try_until_it_succeeds(send_request, NULL, NULL);
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
    try_until_it_succeeds(open_folder, NULL, NULL);
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
    try_until_it_succeeds(read_export, NULL, dir); /* without a catalogue */
    write_file(dir, names[1], "id,title,stock\n1,Cup,2.5\n");
    try_until_it_succeeds(read_export, NULL, dir);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
    write_file(
        dir, names[2],
        "{\"id\":1,\"action\":\"purchase\",\"user_uid\":\"u\",\"info\":{\"content_ids\":\"1,2,3\"},\"created\":9}\n"
        "{\"action\":\"sing\"}\n{\n");
    write_file(dir, names[3], "[{\"id\":1,\"stock\":2,\"status\":\"Published\"}]");
    try_until_it_succeeds(read_export, NULL, dir);
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
static void check_cache(void *context)
{
    struct scene *scene = context;

    assert_true(scene->rows == 0 || scene->rows == scene->shop.count);
    assert_int_equal(run(scene, NULL), ERR_OK);
    assert_int_equal(scene->rows, scene->shop.count);
    memory_store_fini(&scene->store);
    scene->shop.count = ACTIVITIES / 2;
    assert_int_equal(run(scene, NULL), ERR_OK);
    scene->shop.count = ACTIVITIES;
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
    try_until_it_succeeds(run, check_cache, scene);
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
