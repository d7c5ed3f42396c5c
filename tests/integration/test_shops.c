/* Several shops, one worker, one Redis: each is trained from its own CMS with its own settings, and none meets another.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"

#define OTHER "books"

enum { FIRST_BOOK = 5001, BOOKS = 40, READERS = 300, FACTS = 6 };

struct scene {
    struct worker_fixture *fixture;
    struct test_server cms; /* of OTHER; fixture->cms is that of WORKER_SHOP */
    char file[SERVER_TEXT_BYTES + 64];
    char setting[SERVER_TEXT_BYTES + 96]; /* NAMESPACES_FILE=file */
    const char *settings[8];
};

static const enum job_type homepage = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS;

/* The other shop's users bear the names of the first one's: only the prefix keeps their keys apart. */
static void write_books(struct worker_fixture *fixture)
{
    char path[SERVER_TEXT_BYTES + 96];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/events.jsonl", worker_fixture_folder(fixture, "books"));
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < READERS * FACTS; i++)
        (void)fprintf(file,
                      "{\"id\":%d,\"action\":\"purchase\",\"user_uid\":\"user-%d\",\"info\":{\"content_ids\":\",%d,\"},"
                      "\"created\":%lld}\n",
                      9000000 - i, i % READERS, FIRST_BOOK + (i % READERS * 3 + i / READERS * i % 7) % BOOKS,
                      (long long)fixture->now_s - 3600 - i);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, sizeof path, "%s/products.json", worker_fixture_folder(fixture, "books"));
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < BOOKS; i++)
        (void)fprintf(file, "%s{\"id\":%d,\"stock\":1,\"status\":\"Published\",\"title\":\"Book\"}%s",
                      i == 0 ? "[" : "", FIRST_BOOK + i, i == BOOKS - 1 ? "]\n" : ",\n");
    assert_int_equal(fclose(file), 0);
}

static void write_text(const struct scene *scene, const char *text)
{
    FILE *file = fopen(scene->file, "w");

    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Both shops, the other one with these members more ("" or ",…"). */
static void write_shops(const struct scene *scene, const char *more)
{
    char text[2048];

    (void)snprintf(text, sizeof text,
                   "{\"" WORKER_SHOP
                   "\":{\"API_URL\":\"%s\",\"HOMEPAGE_KEY_PREFIX\":\"t:\",\"SIMILAR_KEY_PREFIX\":\"t:\","
                   "\"CROSS_SELL_KEY_PREFIX\":\"t:\"},"
                   "\"" OTHER "\":{\"API_URL\":\"%s\",\"BEARER_TOKEN\":\"page-turner\",\"HOMEPAGE_KEY_PREFIX\":\"b:\","
                   "\"SIMILAR_KEY_PREFIX\":\"b:\",\"CROSS_SELL_KEY_PREFIX\":\"b:\",\"ALS_FACTORS\":8%s}}",
                   scene->fixture->cms.url, scene->cms.url, more);
    write_text(scene, text);
}

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    void *fixture = NULL;

    *state = scene;
    if (scene == NULL || worker_fixture_start(&fixture) != 0)
        return -1;
    scene->fixture = fixture;
    write_books(scene->fixture);
    (void)snprintf(scene->file, sizeof scene->file, "%s/shops.json", scene->fixture->folder);
    (void)snprintf(scene->setting, sizeof scene->setting, "NAMESPACES_FILE=%s", scene->file);
    scene->settings[0] = scene->setting;
    scene->settings[1] = "API_NAMESPACE=";
    scene->settings[2] = "API_URL=";
    return cms_server_start(&scene->cms, worker_fixture_folder(scene->fixture, "books"), "--namespace", OTHER,
                            "--token", "page-turner", NULL)
               ? 0
               : -1;
}

static int stop(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;

    server_fini(&scene->cms);
    (void)worker_fixture_stop(&fixture);
    free(scene);
    return 0;
}

static int clear(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;

    assert_true(cms_server_control(&scene->cms, "{\"fault\":null}"));
    write_shops(scene, "");
    return worker_fixture_clear(&fixture);
}

static int end_workers(void **state)
{
    void *fixture = ((struct scene *)*state)->fixture;

    return worker_fixture_end_workers(&fixture);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* What a database holds under a prefix: lists, of which each names only products in [first, last]. */
static int64_t assert_lists_of(struct worker_fixture *fixture, int db, const char *prefix, long first, long last)
{
    char script[] = "local n=0 for _,k in ipairs(redis.call('KEYS',ARGV[1]..'*')) do "
                    "if not k:find('recfleet:') then n=n+1 for id in redis.call('GET',k):gmatch('%d+') do "
                    "if tonumber(id)<tonumber(ARGV[2]) or tonumber(id)>tonumber(ARGV[3]) then return k end end end end "
                    "return n";
    char from[24];
    char to[24];
    char *end;
    const char *answer;
    int64_t count;

    (void)snprintf(from, sizeof from, "%ld", first);
    (void)snprintf(to, sizeof to, "%ld", last);
    answer = worker_fixture_target(fixture, db, "EVAL", script, "0", prefix, from, to, NULL);
    count = strtoll(answer, &end, 10);
    if (*end != '\0')
        fail_msg("the list %s of database %d names another shop's product", answer, db);
    return count;
}

static int64_t keys_of(struct worker_fixture *fixture, int db)
{
    return strtoll(worker_fixture_target(fixture, db, "DBSIZE", NULL), NULL, 10);
}

/* Nothing in the databases is of neither shop, and no list of one holds what is the other's. */
static void assert_shops_are_apart(struct worker_fixture *fixture)
{
    for (int db = 1; db <= 2; db++) {
        int64_t toys = assert_lists_of(fixture, db, "t:", 1, WORKER_SHOP_PRODUCTS);
        int64_t books = assert_lists_of(fixture, db, "b:", FIRST_BOOK, FIRST_BOOK + BOOKS - 1);

        assert_true(toys > 0);
        assert_true(books > 0);
        assert_int_equal(keys_of(fixture, db), toys + books + 2); /* the fences */
    }
    assert_string_equal(worker_fixture_target(fixture, 1, "EXISTS", "t:recfleet:fence:homepage", NULL), "1");
    assert_string_equal(worker_fixture_target(fixture, 1, "EXISTS", "b:recfleet:fence:homepage", NULL), "1");
    assert_string_equal(worker_fixture_target(fixture, 1, "EXISTS", "user-7", NULL), "0");
}

static void assert_report_of(struct worker_fixture *fixture, const char *id, const char *shop)
{
    struct json *report = NULL;
    struct json *last = NULL;
    struct err err = {0};

    assert_int_equal(job_store_get_report(fixture->store, id, &report, &err), ERR_OK);
    assert_string_equal(json_value_get_text(report, "namespace"), shop);
    assert_int_equal(job_store_last_published(fixture->store, homepage, shop, &last, &err), ERR_OK);
    assert_string_equal(json_value_get_text(last, "_id"), id); /* what the shop's next guard compares with */
    json_value_destroy(report);
    json_value_destroy(last);
}

/* Names in a folder of the cache that begin so. */
static int files_of_cache(const struct worker_fixture *fixture, const char *shop, const char *begin)
{
    char path[SERVER_TEXT_BYTES + 64];
    struct dirent *entry;
    DIR *folder;
    int count = 0;

    (void)snprintf(path, sizeof path, "%s/cache-%d/shop-%s", fixture->folder, fixture->stores, shop);
    folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, begin, strlen(begin)) == 0;
    (void)closedir(folder);
    return count;
}

static void run_both(struct worker_fixture *fixture)
{
    char toys[JOB_ID_BYTES];
    char books[JOB_ID_BYTES];

    worker_fixture_submit_for(fixture, WORKER_SHOP, homepage, "{}", toys);
    worker_fixture_submit_for(fixture, OTHER, homepage, "{\"namespace\":\"" OTHER "\"}", books);
    worker_fixture_wait_for_state(fixture, toys, "succeeded");
    worker_fixture_wait_for_state(fixture, books, "succeeded");
    assert_report_of(fixture, toys, WORKER_SHOP);
    assert_report_of(fixture, books, OTHER);
}

static void two_shops_on_one_worker_share_nothing(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;

    worker_fixture_run(fixture, 0, scene->settings);
    run_both(fixture);
    assert_shops_are_apart(fixture);
    run_both(fixture); /* from the caches, of which neither is foreign to its shop */
    assert_shops_are_apart(fixture);
    assert_int_equal(files_of_cache(fixture, WORKER_SHOP, "interactions."), 2);
    assert_int_equal(files_of_cache(fixture, OTHER, "interactions."), 2);
    worker_fixture_assert_queue_is_empty(fixture);
}

static void lists_that_never_expire_are_pruned_by_shop(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    int64_t toys;
    char id[JOB_ID_BYTES];

    scene->settings[3] = "RECOMMENDATION_TTL_S=0";
    worker_fixture_run(fixture, 0, scene->settings);
    scene->settings[3] = NULL;
    run_both(fixture);
    toys = assert_lists_of(fixture, 1, "t:", 1, WORKER_SHOP_PRODUCTS);
    worker_fixture_submit_for(fixture, OTHER, homepage, "{\"min_user_interactions\":1000,\"force\":true}", id);
    worker_fixture_wait_for_state(fixture, id, "dead"); /* no user is left */
    worker_fixture_submit_for(fixture, OTHER, homepage, "{\"min_user_interactions\":5,\"force\":true}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    assert_int_equal(assert_lists_of(fixture, 1, "t:", 1, WORKER_SHOP_PRODUCTS), toys);
}

static void a_shop_whose_cms_is_down_does_not_disturb_another(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    char books[JOB_ID_BYTES];
    char toys[JOB_ID_BYTES];

    assert_true(cms_server_control(&scene->cms, "{\"fault\":{\"kind\":\"404\"}}"));
    worker_fixture_run(fixture, 0, scene->settings);
    worker_fixture_submit_for(fixture, OTHER, homepage, "{}", books);
    worker_fixture_submit_for(fixture, WORKER_SHOP, homepage, "{}", toys);
    worker_fixture_wait_for_state(fixture, books, "dead");
    worker_fixture_wait_for_state(fixture, toys, "succeeded");
    assert_true(assert_lists_of(fixture, 1, "t:", 1, WORKER_SHOP_PRODUCTS) > 0);
    assert_int_equal(assert_lists_of(fixture, 1, "b:", 0, 0), 0);
}

static void assert_waits_with_an_error(struct worker_fixture *fixture, const char *id, const char *part)
{
    struct json *document;

    worker_fixture_wait_for_document(fixture, id, "retrying");
    document = worker_fixture_document(fixture, id);
    assert_holds(json_value_get_text(json_value_get(document, "error"), "message"), part);
    assert_string_equal(json_value_get_text(json_value_get(document, "error"), "code"), "unavailable");
    json_value_destroy(document);
}

static void a_file_that_goes_bad_costs_no_job(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    static const struct {
        const char *text; /* NULL: a bad member */
        const char *part;
    } cases[] = {
        {"{", "shops.json: "},
        {NULL, "shops.json: " OTHER ": ALS_SEED: \"x\""},
        {"{\"" WORKER_SHOP "\":{\"API_URL\":\"http://127.0.0.1:1\"}}", "knows no shop " OTHER},
    };

    worker_fixture_run(fixture, 0, scene->settings);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[JOB_ID_BYTES];

        if (cases[i].text != NULL)
            write_text(scene, cases[i].text);
        else
            write_shops(scene, ",\"ALS_SEED\":\"x\"");
        worker_fixture_submit_for(fixture, OTHER, homepage, "{}", id);
        assert_waits_with_an_error(fixture, id, cases[i].part);
        write_shops(scene, "");
        worker_fixture_wait_for_state(fixture, id, "succeeded");
    }
}

static void a_new_file_counts_for_the_next_job(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    char id[JOB_ID_BYTES];

    write_text(scene, "{\"" WORKER_SHOP "\":{\"API_URL\":\"http://127.0.0.1:1\"}}");
    worker_fixture_run(fixture, 0, scene->settings);
    write_shops(scene, "");
    worker_fixture_submit_for(fixture, OTHER, homepage, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    assert_true(assert_lists_of(fixture, 1, "b:", FIRST_BOOK, FIRST_BOOK + BOOKS - 1) > 0);
}

static void once_runs_the_shop_that_is_named(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    static const char *const named[] = {"--once", "homepage_and_similar_products", "--param", "namespace=" OTHER, NULL};
    static const char *const unknown[] = {"--once", "homepage_and_similar_products", "--param", "namespace=x", NULL};
    static const char *const unnamed[] = {"--once", "homepage_and_similar_products", NULL};
    struct json *last = NULL;
    struct err err = {0};
    char *output = NULL;

    assert_int_equal(worker_fixture_call(fixture, scene->settings, named, NULL), 0);
    assert_true(assert_lists_of(fixture, 1, "b:", FIRST_BOOK, FIRST_BOOK + BOOKS - 1) > 0);
    assert_int_equal(keys_of(fixture, 1), assert_lists_of(fixture, 1, "b:", 0, 99999) + 1);
    worker_fixture_open_store(fixture);
    assert_int_equal(job_store_last_published(fixture->store, homepage, OTHER, &last, &err), ERR_OK);
    json_value_destroy(last);
    assert_int_equal(worker_fixture_call(fixture, scene->settings, unknown, &output), 1);
    assert_holds(output, "knows no shop x");
    free(output);
    assert_int_equal(worker_fixture_call(fixture, scene->settings, unnamed, &output), 1);
    assert_holds(output, "names no shop");
    free(output);
}

/* The default shop is of the environment and needs no place in the file. */
static void the_default_shop_stands_beside_those_of_the_file(void **state)
{
    struct scene *scene = *state;
    struct worker_fixture *fixture = scene->fixture;
    const char *const settings[] = {scene->setting, NULL};
    char text[512];
    char toys[JOB_ID_BYTES];
    char books[JOB_ID_BYTES];

    (void)snprintf(text, sizeof text,
                   "{\"" OTHER "\":{\"API_URL\":\"%s\",\"BEARER_TOKEN\":\"page-turner\","
                   "\"HOMEPAGE_REDIS_URL\":\"%s/4\",\"SIMILAR_REDIS_URL\":\"%s/5\",\"CROSS_SELL_REDIS_URL\":\"%s/6\"}}",
                   scene->cms.url, fixture->queue->server.url, fixture->queue->server.url, fixture->queue->server.url);
    write_text(scene, text);
    worker_fixture_run(fixture, 0, settings);
    worker_fixture_submit_for(fixture, WORKER_SHOP, homepage, "{}", toys);
    worker_fixture_submit_for(fixture, OTHER, homepage, "{}", books);
    worker_fixture_wait_for_state(fixture, toys, "succeeded");
    worker_fixture_wait_for_state(fixture, books, "succeeded");
    assert_true(assert_lists_of(fixture, 1, "", 1, WORKER_SHOP_PRODUCTS) > 0);
    assert_true(assert_lists_of(fixture, 4, "", FIRST_BOOK, FIRST_BOOK + BOOKS - 1) > 0);
    (void)worker_fixture_target(fixture, 4, "FLUSHDB", NULL);
    (void)worker_fixture_target(fixture, 5, "FLUSHDB", NULL);
}

static void shops_that_share_keys_are_refused_at_the_start(void **state)
{
    struct scene *scene = *state;
    static const char *const none[] = {NULL};
    static const char *const texts[] = {
        "{\"a\":{},\"b\":{\"HOMEPAGE_KEY_PREFIX\":\"b:\",\"SIMILAR_KEY_PREFIX\":\"b:\",\"CROSS_SELL_KEY_PREFIX\":\"b:"
        "\"}}",
        "{\"a\":{\"HOMEPAGE_KEY_PREFIX\":\"b:x\",\"CROSS_SELL_KEY_PREFIX\":\"a:\"},"
        "\"b\":{\"HOMEPAGE_KEY_PREFIX\":\"b:\",\"SIMILAR_KEY_PREFIX\":\"b:\",\"CROSS_SELL_KEY_PREFIX\":\"b:\"}}",
    };
    const char *const settings[] = {scene->setting, "API_NAMESPACE=", NULL};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *output = NULL;

        write_text(scene, texts[i]);
        assert_int_equal(worker_fixture_call(scene->fixture, settings, none, &output), 78);
        assert_holds(output, "the homepage lists of shop ");
        assert_holds(output, " of shop a");
        assert_holds(output, " of shop b");
        assert_holds(output, "share the database 127.0.0.1:");
        free(output);
    }
}

static void all_that_is_wrong_is_told_with_shop_and_setting(void **state)
{
    struct scene *scene = *state;
    static const char *const none[] = {NULL};
    const char *const settings[] = {scene->setting, "API_NAMESPACE=", "API_URL=", "LEASE_S=x", NULL};
    char *output = NULL;

    write_text(scene, "{\"a\":{\"API_URL\":\"http://x\",\"ALS_FACTORS\":0,\"HOMEPAGE_KEY_PREFIX\":\"a:\","
                      "\"SIMILAR_KEY_PREFIX\":\"a:\",\"CROSS_SELL_KEY_PREFIX\":\"a:\"},"
                      "\"b\":{\"HOMEPAGE_KEY_PREFIX\":\"b:\",\"INTERACTION_WEIGHTS\":\"sing=1\"}}");
    assert_int_equal(worker_fixture_call(scene->fixture, settings, none, &output), 78);
    assert_holds(output, "recfleet-worker: LEASE_S: \"x\"");
    assert_holds(output, "shops.json: a: ALS_FACTORS: \"0\"");
    assert_holds(output, "shops.json: b: INTERACTION_WEIGHTS: \"sing\"");
    assert_holds(output, "API_URL: the shop's CMS is not set");
    assert_null(strstr(output, "shops.json: a: API_URL"));
    assert_null(strstr(strstr(output, "LEASE_S") + 1, "LEASE_S")); /* once, though each shop has it */
    free(output);
}

static void the_settings_of_shops_are_shown_without_secrets(void **state)
{
    struct scene *scene = *state;
    static const char *const print[] = {"--print-config", NULL};
    char *output = NULL;

    assert_int_equal(worker_fixture_call(scene->fixture, scene->settings, print, &output), 0);
    assert_holds(output, "\nNAMESPACES_FILE=");
    assert_holds(output, "\n# shop " OTHER ": BEARER_TOKEN=****\n");
    assert_holds(output, "\n# shop " OTHER ": ALS_FACTORS=8\n");
    assert_holds(output, "\n# shop " WORKER_SHOP ": HOMEPAGE_KEY_PREFIX=t:\n");
    assert_null(strstr(output, "page-turner"));
    free(output);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_shops_on_one_worker_share_nothing),
        TEST(lists_that_never_expire_are_pruned_by_shop),
        TEST(a_shop_whose_cms_is_down_does_not_disturb_another),
        TEST(a_file_that_goes_bad_costs_no_job),
        TEST(a_new_file_counts_for_the_next_job),
        TEST(once_runs_the_shop_that_is_named),
        TEST(the_default_shop_stands_beside_those_of_the_file),
        TEST(shops_that_share_keys_are_refused_at_the_start),
        TEST(all_that_is_wrong_is_told_with_shop_and_setting),
        TEST(the_settings_of_shops_are_shown_without_secrets),
    };

    return cmocka_run_group_tests_name("shops", tests, start, stop);
}
