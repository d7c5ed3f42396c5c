#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/memory_store.h"
#include "worker/pipeline/cache_marker.h"

#define TABLE    "interactions.csv"
#define MARKER   "interactions.meta.json"
#define IDENTITY "https://cms.example?namespace=shop"

enum { WARNING_BYTES = 256, NOW = 1000000 };

/* One run's view of the cache. */
struct view {
    struct cache *cache;
    struct interactions rows;
    struct cache_state state;
    char warning[WARNING_BYTES];
};

static void view_open(struct view *view, struct memory_store *store, const char *identity)
{
    struct blob_store blobs = memory_store(store);

    *view = (struct view){0};
    assert_int_equal(cache_create(&view->cache, &blobs, identity, NULL), ERR_OK);
    assert_int_equal(interactions_init(&view->rows, NULL), ERR_OK);
    assert_int_equal(cache_load(view->cache, &view->rows, &view->state, view->warning, NULL), ERR_OK);
}

static void view_close(struct view *view)
{
    cache_destroy(view->cache);
    interactions_fini(&view->rows);
}

static void view_add(struct view *view, int64_t id, const char *user, int64_t created)
{
    assert_int_equal(interactions_add(&view->rows, id, ACTION_PURCHASE, user, strlen(user), created, 7, NULL), ERR_OK);
}

static struct cache_state covering(int64_t from_s, int64_t watermark_s)
{
    struct cache_state state = {.loaded = true};

    for (int i = 0; i < ACTION_COUNT; i++) {
        state.covers_from_s[i] = from_s + i;
        state.watermark_s[i] = watermark_s + i;
    }
    return state;
}

static enum err_code view_save(struct view *view, int64_t from_s, int64_t watermark_s)
{
    struct cache_state state = covering(from_s, watermark_s);

    return cache_save(view->cache, &view->rows, &state, NOW, NULL);
}

/* A cache of the rows with these ids. */
static void fill(struct memory_store *store, int64_t first_id, int64_t last_id)
{
    struct view view;

    view_open(&view, store, IDENTITY);
    for (int64_t id = first_id; id <= last_id; id++)
        view_add(&view, id, "u", 500);
    assert_int_equal(view_save(&view, 100, 900), ERR_OK);
    view_close(&view);
}

static void assert_ids(const struct view *view, int64_t first_id, int64_t last_id)
{
    assert_int_equal(view->rows.count, last_id - first_id + 1);
    for (int64_t id = first_id; id <= last_id; id++) {
        bool found = false;

        for (size_t row = 0; row < view->rows.count; row++)
            found = found || view->rows.activity_id[row] == id;
        assert_true(found);
    }
}

static void what_was_saved_is_loaded(void **state)
{
    struct memory_store store = {0};
    struct view view;

    (void)state;
    view_open(&view, &store, IDENTITY);
    assert_false(view.state.loaded);
    assert_string_equal(view.warning, "");
    view_add(&view, 1, "NA", 500);
    view_add(&view, 2, "null", 600);
    view_add(&view, 3, "a,\"b\"\n", 700);
    assert_int_equal(view_save(&view, 100, 900), ERR_OK);
    view_close(&view);

    view_open(&view, &store, IDENTITY);
    assert_true(view.state.loaded);
    assert_string_equal(view.warning, "");
    assert_int_equal(view.rows.count, 3);
    assert_string_equal(id_table_text(view.rows.users, view.rows.user[0]), "NA");
    assert_string_equal(id_table_text(view.rows.users, view.rows.user[1]), "null");
    assert_string_equal(id_table_text(view.rows.users, view.rows.user[2]), "a,\"b\"\n");
    for (int i = 0; i < ACTION_COUNT; i++) {
        assert_int_equal(view.state.covers_from_s[i], 100 + i);
        assert_int_equal(view.state.watermark_s[i], 900 + i);
    }
    view_close(&view);
    memory_store_fini(&store);
}

static void rows_later_than_now_are_not_saved(void **state)
{
    struct memory_store store = {0};
    struct view view;

    (void)state;
    view_open(&view, &store, IDENTITY);
    view_add(&view, 1, "u", NOW);
    view_add(&view, 2, "u", NOW + 1);
    assert_int_equal(view_save(&view, 100, 900), ERR_OK);
    view_close(&view);
    view_open(&view, &store, IDENTITY);
    assert_ids(&view, 1, 1);
    view_close(&view);
    memory_store_fini(&store);
}

/* Opens a cache that is not to be used; it must be kept as it is under a name that says why. */
static void assert_set_aside(struct memory_store *store, const char *identity, const char *reason)
{
    struct memory_blob *table = memory_store_find(store, TABLE);
    struct memory_blob *aside;
    size_t size = table->size;
    char *content = malloc(size + 1);
    struct view view;

    assert_non_null(content);
    memcpy(content, table->data, size + 1);
    view_open(&view, store, identity);
    assert_false(view.state.loaded);
    assert_int_equal(view.rows.count, 0);
    assert_null(memory_store_find(store, TABLE));
    aside = memory_store_find_like(store, reason);
    assert_non_null(aside);
    assert_int_equal(aside->size, size);
    assert_memory_equal(aside->data, content, size);
    assert_non_null(strstr(view.warning, aside->name));
    view_add(&view, 77, "u", 500);
    assert_int_equal(view_save(&view, 100, 900), ERR_OK);
    view_close(&view);

    view_open(&view, store, identity);
    assert_ids(&view, 77, 77);
    assert_string_equal(view.warning, "");
    view_close(&view);
    assert_non_null(memory_store_find_like(store, reason));
    free(content);
}

static void a_cache_of_the_service_before_is_set_aside(void **state)
{
    static const char old[] = "id,action,user_uid,created,product_id\n1,purchase,u,5,38420.0\n";
    struct memory_store store = {0};

    (void)state;
    memory_store_put(&store, TABLE, old, sizeof old - 1);
    assert_set_aside(&store, IDENTITY, ".unmarked.csv");
    memory_store_fini(&store);
}

static void a_cache_of_another_shop_is_set_aside(void **state)
{
    struct memory_store store = {0};

    (void)state;
    fill(&store, 1, 3);
    assert_set_aside(&store, "https://cms.example?namespace=other", ".foreign.csv");
    memory_store_fini(&store);
}

static void any_changed_byte_sets_the_cache_aside(void **state)
{
    struct memory_store store = {0};
    size_t size;

    (void)state;
    fill(&store, 1, 3);
    size = memory_store_find(&store, TABLE)->size;
    memory_store_fini(&store);
    for (size_t i = 0; i < size; i++) {
        fill(&store, 1, 3);
        memory_store_find(&store, TABLE)->data[i] ^= 1;
        assert_set_aside(&store, IDENTITY, ".damaged.csv");
        memory_store_fini(&store);
    }
}

static void a_cut_table_is_set_aside(void **state)
{
    struct memory_store store = {0};

    (void)state;
    fill(&store, 1, 3);
    memory_store_find(&store, TABLE)->size -= 1;
    assert_set_aside(&store, IDENTITY, ".damaged.csv");
    memory_store_fini(&store);
    fill(&store, 1, 3);
    memory_store_put(&store, TABLE, "", 0);
    assert_set_aside(&store, IDENTITY, ".damaged.csv");
    memory_store_fini(&store);
}

static void a_broken_marker_sets_the_cache_aside(void **state)
{
    static const char *const markers[] = {"",
                                          "{",
                                          "[]",
                                          "{\"format\":1}",
                                          "{\"format\":2,\"identity\":\"" IDENTITY "\",\"versions\":[]}",
                                          "{\"format\":1,\"identity\":\"" IDENTITY "\",\"versions\":[]}",
                                          "{\"format\":1,\"identity\":\"" IDENTITY "\",\"versions\":[{}]}",
                                          "{\"format\":1,\"identity\":\"" IDENTITY
                                          "\",\"versions\":[{\"sha256\":\"0\"}]}"};

    (void)state;
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
        struct memory_store store = {0};

        fill(&store, 1, 3);
        memory_store_put(&store, MARKER, markers[i], strlen(markers[i]));
        assert_set_aside(&store, IDENTITY, ".damaged.csv");
        memory_store_fini(&store);
    }
}

static void two_caches_set_aside_in_one_second_are_both_kept(void **state)
{
    struct memory_store store = {0};
    struct view view;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        memory_store_put(&store, TABLE, "old", 3);
        view_open(&view, &store, IDENTITY);
        view_close(&view);
        assert_int_equal(memory_store_count(&store), i + 1);
    }
    memory_store_fini(&store);
}

/* Ten runs in a row die between marker and table: what was there stays good. */
static void runs_that_die_before_the_table_is_written_lose_nothing(void **state)
{
    struct memory_store store = {0};
    struct view view;

    (void)state;
    fill(&store, 1, 3);
    for (int64_t run = 0; run < 10; run++) {
        view_open(&view, &store, IDENTITY);
        assert_string_equal(view.warning, "");
        assert_ids(&view, 1, 3);
        view_add(&view, 100 + run, "u", 500);
        store.failing_name = TABLE;
        assert_int_equal(view_save(&view, 100, 900), ERR_IO);
        store.failing_name = NULL;
        view_close(&view);
    }
    fill(&store, 4, 5);
    view_open(&view, &store, IDENTITY);
    assert_ids(&view, 1, 5);
    view_close(&view);
    memory_store_fini(&store);
}

static void a_run_that_dies_before_the_marker_is_written_loses_nothing(void **state)
{
    struct memory_store store = {0};
    struct view view;

    (void)state;
    fill(&store, 1, 3);
    view_open(&view, &store, IDENTITY);
    view_add(&view, 4, "u", 500);
    store.failing_name = MARKER;
    assert_int_equal(view_save(&view, 100, 900), ERR_IO);
    store.failing_name = NULL;
    view_close(&view);
    view_open(&view, &store, IDENTITY);
    assert_ids(&view, 1, 3);
    view_close(&view);
    memory_store_fini(&store);
}

/* Another run that saves rows of its own just before a write of ours. */
struct rival {
    struct memory_store *store;
    const char *name; /* of the write it comes before */
    int64_t next_id;
    int times;
};

static void overtake(void *context, const char *name)
{
    struct rival *rival = context;
    struct view view;

    if (strcmp(name, rival->name) != 0 || rival->times == 0)
        return;
    rival->times--;
    rival->store->before_write = NULL;
    view_open(&view, rival->store, IDENTITY);
    view_add(&view, rival->next_id++, "rival", 500);
    assert_int_equal(view_save(&view, 50, 1200), ERR_OK);
    view_close(&view);
    rival->store->before_write = overtake;
}

static void assert_merges_with_rival(const char *name, int times)
{
    struct memory_store store = {0};
    struct rival rival = {.store = &store, .name = name, .next_id = 5, .times = times};
    struct view view;

    fill(&store, 1, 3);
    view_open(&view, &store, IDENTITY);
    view_add(&view, 4, "u", 500);
    store.before_write = overtake;
    store.context = &rival;
    assert_int_equal(view_save(&view, 100, 900), ERR_OK);
    store.before_write = NULL;
    view_close(&view);

    assert_int_equal(rival.times, 0);
    view_open(&view, &store, IDENTITY);
    assert_true(view.state.loaded);
    assert_string_equal(view.warning, "");
    assert_ids(&view, 1, 4 + times);
    assert_int_equal(view.state.covers_from_s[0], 50);
    assert_int_equal(view.state.watermark_s[0], 1200);
    view_close(&view);
    memory_store_fini(&store);
}

static void a_run_that_lost_the_race_merges(void **state)
{
    (void)state;
    assert_merges_with_rival(TABLE, 1);
    assert_merges_with_rival(MARKER, 1);
    assert_merges_with_rival(TABLE, 3);
    assert_merges_with_rival(MARKER, 3);
}

static void who_always_loses_the_race_gives_up(void **state)
{
    struct memory_store store = {0};
    struct rival rival = {.store = &store, .name = TABLE, .next_id = 5, .times = 1000};
    struct view view;

    (void)state;
    fill(&store, 1, 3);
    view_open(&view, &store, IDENTITY);
    store.before_write = overtake;
    store.context = &rival;
    assert_int_equal(view_save(&view, 100, 900), ERR_EXISTS);
    store.before_write = NULL;
    view_close(&view);
    memory_store_fini(&store);
}

static void storage_that_is_away_is_an_error_and_no_empty_cache(void **state)
{
    struct memory_store store = {0};
    struct blob_store blobs = memory_store(&store);
    struct cache_state cache_state;
    struct interactions rows;
    struct cache *cache;
    char warning[WARNING_BYTES];
    struct err err;

    (void)state;
    fill(&store, 1, 3);
    store.away = ERR_UNAVAILABLE;
    assert_int_equal(cache_create(&cache, &blobs, IDENTITY, NULL), ERR_OK);
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(cache_load(cache, &rows, &cache_state, warning, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "the cache"));
    assert_int_equal(cache_save(cache, &rows, &cache_state, NOW, &err), ERR_UNAVAILABLE);
    interactions_fini(&rows);
    cache_destroy(cache);
    memory_store_fini(&store);
}

static void assert_joined(int64_t from_s, int64_t to_s, int64_t other_from_s, int64_t other_to_s, int64_t want_from_s,
                          int64_t want_to_s)
{
    struct cache_state state = covering(from_s, to_s);
    struct cache_state other = covering(other_from_s, other_to_s);

    cache_state_join(&state, &other);
    assert_int_equal(state.covers_from_s[0], want_from_s);
    assert_int_equal(state.watermark_s[0], want_to_s);
}

static void ranges_that_touch_are_joined_and_else_the_newer_stands(void **state)
{
    struct cache_state nothing = {0};
    struct cache_state own = covering(10, 20);

    (void)state;
    assert_joined(10, 20, 15, 30, 10, 30);
    assert_joined(15, 30, 10, 20, 10, 30);
    assert_joined(10, 30, 15, 20, 10, 30);
    assert_joined(15, 20, 10, 30, 10, 30);
    assert_joined(10, 20, 20, 30, 10, 30);
    assert_joined(10, 20, 21, 30, 21, 30);
    assert_joined(21, 30, 10, 20, 21, 30);
    cache_state_join(&own, &nothing);
    assert_int_equal(own.covers_from_s[0], 10);
    assert_int_equal(own.watermark_s[0], 20);
}

static void the_marker_is_read_as_printed(void **state)
{
    struct cache_marker marker = {0};
    struct cache_marker again;
    struct cache_state first = covering(1, 2);
    char digest[CACHE_MARKER_DIGEST_BYTES];
    char *text;

    (void)state;
    marker.identity = strdup("shop \"1\"");
    assert_non_null(marker.identity);
    for (int i = 0; i < 6; i++) {
        memset(digest, 'a' + i, sizeof digest - 1);
        digest[sizeof digest - 1] = '\0';
        first.watermark_s[0] = i;
        cache_marker_add(&marker, digest, &first, "");
    }
    assert_int_equal(marker.count, CACHE_MARKER_VERSIONS);
    assert_int_equal(cache_marker_print(&marker, &text, NULL), ERR_OK);
    assert_int_equal(cache_marker_parse(&again, text, strlen(text), NULL), ERR_OK);
    assert_string_equal(again.identity, "shop \"1\"");
    assert_int_equal(again.count, CACHE_MARKER_VERSIONS);
    assert_int_equal(cache_marker_find(&again, digest)->watermark_s[0], 5);
    memset(digest, 'a', sizeof digest - 1);
    assert_null(cache_marker_find(&again, digest));
    cache_marker_fini(&again);
    cache_marker_fini(&marker);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(rows_later_than_now_are_not_saved),
        cmocka_unit_test(a_cache_of_the_service_before_is_set_aside),
        cmocka_unit_test(a_cache_of_another_shop_is_set_aside),
        cmocka_unit_test(any_changed_byte_sets_the_cache_aside),
        cmocka_unit_test(a_cut_table_is_set_aside),
        cmocka_unit_test(a_broken_marker_sets_the_cache_aside),
        cmocka_unit_test(two_caches_set_aside_in_one_second_are_both_kept),
        cmocka_unit_test(runs_that_die_before_the_table_is_written_lose_nothing),
        cmocka_unit_test(a_run_that_dies_before_the_marker_is_written_loses_nothing),
        cmocka_unit_test(a_run_that_lost_the_race_merges),
        cmocka_unit_test(who_always_loses_the_race_gives_up),
        cmocka_unit_test(storage_that_is_away_is_an_error_and_no_empty_cache),
        cmocka_unit_test(ranges_that_touch_are_joined_and_else_the_newer_stands),
        cmocka_unit_test(the_marker_is_read_as_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
