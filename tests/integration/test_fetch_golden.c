/* The fetch stage over the golden shops, served by the stand-in CMS: its counts are those of the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>

#include "tests/support/cms_server.h"
#include "worker/connect/blob_folder.h"
#include "worker/connect/cms.h"
#include "worker/pipeline/cache.h"
#include "worker/pipeline/counts.h"

enum { NOW = 1767225600, PATH_BYTES = 512 };

static const char *golden_or_skip(void)
{
    const char *shared = getenv("RECFLEET_SHARED");

    if (shared == NULL) {
        print_message("RECFLEET_SHARED is not set: the golden data is not here\n");
        skip();
    }
    return shared;
}

static struct json *read_counts(const char *shared, const char *set, const char *variant)
{
    char path[PATH_BYTES];
    static char text[1 << 20];
    struct json *counts;
    FILE *file;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/golden/%s/%s/counts.json", shared, set, variant);
    file = fopen(path, "r");
    assert_non_null(file);
    size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    assert_int_equal(json_value_parse(&counts, text, size, NULL), ERR_OK);
    return counts;
}

struct comparison {
    const struct json *ours;
    size_t compared;
};

static bool compare(void *context, const char *key, const struct json *value)
{
    struct comparison *comparison = context;
    char *wanted;
    char *ours;

    if (strcmp(key, "activity_lines") == 0) /* counts what was never asked for */
        return true;
    wanted = json_value_print(value, true, 0);
    ours = json_value_print(json_value_get(comparison->ours, key), true, 0);
    if (strcmp(wanted, ours) != 0)
        fail_msg("%s: %s, golden %s", key, ours, wanted);
    comparison->compared++;
    free(wanted);
    free(ours);
    return true;
}

static void assert_counts(const struct fetch_result *result, const char *shared, const char *set, const char *variant)
{
    struct json *golden = read_counts(shared, set, variant);
    struct comparison comparison = {0};
    struct json *ours;

    assert_int_equal(counts_create(&ours, NULL), ERR_OK);
    assert_int_equal(counts_add_fetch(ours, result, NULL), ERR_OK);
    comparison.ours = json_value_get(ours, "fetch");
    json_value_each(json_value_get(golden, "fetch"), compare, &comparison);
    assert_int_equal(comparison.compared, json_value_count(json_value_get(golden, "fetch")) - 1);
    json_value_destroy(golden);
    json_value_destroy(ours);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* A golden shop, its CMS, and a cache in a folder. */
struct scene {
    const char *shared;
    const char *set;
    struct test_server server;
    struct cms *cms;
    struct blob_folder *folder;
    char cache_path[PATH_BYTES];
};

static void open_scene(struct scene *scene, const char *set)
{
    struct cms_config config = {.url = scene->server.url, .token = "t", .shop = "shop", .page_gap_ms = -1};
    char data[PATH_BYTES];

    *scene = (struct scene){.shared = golden_or_skip(), .set = set};
    (void)setenv("no_proxy", "127.0.0.1", 1);
    (void)snprintf(data, sizeof data, "%s/golden/%s", scene->shared, set);
    assert_true(cms_server_start(&scene->server, data, NULL));
    assert_int_equal(cms_create(&scene->cms, &config, NULL), ERR_OK);
    (void)snprintf(scene->cache_path, sizeof scene->cache_path, "/tmp/recfleet-cache-XXXXXX");
    assert_non_null(mkdtemp(scene->cache_path));
    assert_int_equal(blob_folder_create(&scene->folder, scene->cache_path, NULL), ERR_OK);
}

static void close_scene(struct scene *scene)
{
    cms_destroy(scene->cms);
    blob_folder_destroy(scene->folder);
    server_fini(&scene->server);
    (void)nftw(scene->cache_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void run(struct scene *scene, struct fetch_result *result, int window_days)
{
    struct fetch_params params = {.now_s = NOW, .window_days = window_days};
    struct source source = cms_source(scene->cms);
    struct blob_store store = blob_folder_store(scene->folder);
    struct cache *cache;
    struct err err = {0};

    assert_int_equal(cache_create(&cache, &store, source.identity, NULL), ERR_OK);
    if (fetch_run(result, &params, &source, cache, NULL, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(result->warnings[0], "");
    cache_destroy(cache);
}

/* How often each row is in one and not in the other, told by a sum that does not depend on their order. */
static uint64_t digest_rows(const struct interactions *rows)
{
    uint64_t sum = 0;

    for (size_t row = 0; row < rows->count; row++) {
        uint64_t hash = 0xcbf29ce484222325u;
        uint64_t numbers[] = {(uint64_t)rows->activity_id[row], (uint64_t)rows->created[row],
                              (uint64_t)rows->product_id[row], rows->action[row]};

        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
            hash = (hash ^ numbers[i]) * 0x9e3779b97f4a7c15u;
        for (const char *at = id_table_text(rows->users, rows->user[row]); *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
        sum += hash ^ (hash >> 29);
    }
    return sum;
}

static void assert_golden(const char *set, const char *variant, int window_days)
{
    struct fetch_result cold;
    struct fetch_result warm;
    struct scene scene;

    open_scene(&scene, set);
    run(&scene, &cold, window_days);
    assert_counts(&cold, scene.shared, set, variant);
    run(&scene, &warm, window_days);
    assert_true(warm.clean.served < cold.clean.served / 20); /* only since the watermarks */
    assert_int_equal(warm.rows_from_cache, cold.rows.count);
    assert_int_equal(warm.rows.count, cold.rows.count);
    assert_true(digest_rows(&warm.rows) == digest_rows(&cold.rows));
    assert_int_equal(warm.rows_lost_by_id_alone, cold.rows_lost_by_id_alone);
    assert_memory_equal(warm.rows_after_dedup, cold.rows_after_dedup, sizeof cold.rows_after_dedup);
    fetch_result_fini(&cold);
    fetch_result_fini(&warm);
    close_scene(&scene);
}

static void online_retail_is_fetched_as_the_reference_does(void **state)
{
    (void)state;
    assert_golden("online_retail", "intended", 0);
}

static void a_window_of_100_days_is_fetched_as_the_reference_does(void **state)
{
    (void)state;
    assert_golden("online_retail", "intended_100d", 100);
}

static void retailrocket_is_fetched_as_the_reference_does(void **state)
{
    (void)state;
    assert_golden("retailrocket", "intended", 0);
}

static void a_larger_window_after_a_smaller_one_gives_the_same_rows(void **state)
{
    struct fetch_result result;
    struct scene scene;

    (void)state;
    open_scene(&scene, "online_retail");
    run(&scene, &result, 100);
    fetch_result_fini(&result);
    run(&scene, &result, 0);
    assert_int_equal(result.rows.count, 392362);
    fetch_result_fini(&result);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(online_retail_is_fetched_as_the_reference_does),
        cmocka_unit_test(a_window_of_100_days_is_fetched_as_the_reference_does),
        cmocka_unit_test(retailrocket_is_fetched_as_the_reference_does),
        cmocka_unit_test(a_larger_window_after_a_smaller_one_gives_the_same_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
