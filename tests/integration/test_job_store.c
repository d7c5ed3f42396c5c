/* The same promises over SQLite and over a server of MongoDB's protocol. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/job/job_store.h"
#include "tests/support/mongo_server.h"

enum { RETENTION_DAYS = 90, THREADS = 4, INSERTS = 25 };

static const int64_t now_ms = 1767225600123;

struct fixture {
    struct job_store *store;
    struct test_server server; /* of MongoDB */
    bool has_server;
    char path[128]; /* of SQLite */
};

static void make_path(struct fixture *fixture)
{
    int fd;

    (void)snprintf(fixture->path, sizeof fixture->path, "/tmp/recfleet-store-XXXXXX");
    fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    (void)close(fd);
}

static struct job_store *open_sqlite(const struct fixture *fixture)
{
    struct job_store *store = NULL;
    char url[160];
    struct err err;

    (void)snprintf(url, sizeof url, "sqlite:%s", fixture->path);
    if (job_store_open(&store, url, RETENTION_DAYS, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return store;
}

static int start_sqlite(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    make_path(fixture);
    fixture->store = open_sqlite(fixture);
    *state = fixture;
    return 0;
}

static int start_mongo(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err;

    assert_non_null(fixture);
    *state = fixture;
    if (mongo_server_program() == NULL)
        return 0;
    assert_true(mongo_server_start(&fixture->server));
    fixture->has_server = true;
    if (job_store_open(&fixture->store, fixture->server.url, RETENTION_DAYS, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    char name[160];

    job_store_close(fixture->store);
    if (fixture->has_server)
        server_fini(&fixture->server);
    if (fixture->path[0] != '\0') {
        static const char *const endings[] = {"", "-wal", "-shm"};

        for (size_t i = 0; i < 3; i++) {
            (void)snprintf(name, sizeof name, "%s%s", fixture->path, endings[i]);
            (void)unlink(name);
        }
    }
    free(fixture);
    return 0;
}

/* The fixture's store, or the test is skipped. */
static struct job_store *store_of(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->store == NULL) {
        print_message("no MongoDB-protocol server is installed\n");
        skip();
    }
    return fixture->store;
}

static struct json *document_of(const char *id, const char *shop)
{
    struct json *params = NULL;
    struct job_request request = {.id = id,
                                  .type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
                                  .shop = shop,
                                  .queue = "train",
                                  .requested_by = "tests",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct json *document;

    assert_int_equal(json_value_parse(&params, "{\"factors\":64,\"alpha\":0.5}", 26, NULL), ERR_OK);
    request.params = params;
    document = job_document_create(&request, now_ms);
    assert_non_null(document);
    json_value_destroy(params);
    return document;
}

static void insert(struct job_store *store, const char *id)
{
    struct json *document = document_of(id, "shop");
    struct err err;

    if (job_store_insert(store, document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(document);
}

static struct json *get(struct job_store *store, const char *id)
{
    struct json *document = NULL;
    struct err err;

    if (job_store_get(store, id, &document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return document;
}

static bool update(struct job_store *store, const char *id, int64_t fence, const char *key, const char *value)
{
    struct json *changes = json_value_new_object();
    struct err err;
    bool applied;

    assert_true(json_value_set_text(changes, key, value));
    if (job_store_update(store, id, fence, changes, &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(changes);
    return applied;
}

static void assert_json_equal(const struct json *a, const struct json *b)
{
    char *left = json_value_print(a, true, 0);
    char *right = json_value_print(b, true, 0);

    assert_string_equal(left, right);
    free(left);
    free(right);
}

static void a_document_comes_back_as_it_was(void **state)
{
    struct job_store *store = store_of(state);
    struct json *document = document_of("01J0000000000000000000000A", "shop");
    struct json *read;

    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    read = get(store, "01J0000000000000000000000A");
    assert_json_equal(document, read);
    assert_string_equal(json_value_get_text(read, "created_at"), "2026-01-01T00:00:00.123Z");
    json_value_destroy(read);
    json_value_destroy(document);
}

static void an_id_that_is_there_is_not_inserted_again(void **state)
{
    struct job_store *store = store_of(state);
    struct json *document = document_of("01J0000000000000000000000B", "shop");

    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    assert_int_equal(job_store_insert(store, document, NULL), ERR_EXISTS);
    json_value_destroy(document);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct job_store *store = store_of(state);
    struct json *document = NULL;

    assert_int_equal(job_store_get(store, "01J000000000000000000000ZZ", &document, NULL), ERR_NOT_FOUND);
    assert_null(document);
    assert_int_equal(job_store_get_report(store, "01J000000000000000000000ZZ", &document, NULL), ERR_NOT_FOUND);
    assert_false(update(store, "01J000000000000000000000ZZ", 5, "stage", "als"));
}

static void an_older_fence_changes_nothing(void **state)
{
    struct job_store *store = store_of(state);
    struct json *read;
    int64_t fence;

    insert(store, "01J0000000000000000000000C");
    assert_true(update(store, "01J0000000000000000000000C", 1767225600000, "stage", "fetch"));
    assert_false(update(store, "01J0000000000000000000000C", 1767225599999, "stage", "zombie"));
    assert_true(update(store, "01J0000000000000000000000C", 1767225600000, "stage", "als"));
    read = get(store, "01J0000000000000000000000C");
    assert_string_equal(json_value_get_text(read, "stage"), "als");
    assert_true(json_value_get_int64(read, "fence", &fence));
    assert_int_equal(fence, 1767225600000);
    json_value_destroy(read);
}

static void a_terminal_document_stays_as_it_is(void **state)
{
    static const char *const terminal[] = {"succeeded", "dead", "cancelled", "superseded"};
    struct job_store *store = store_of(state);
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 4; i++) {
        (void)snprintf(id, sizeof id, "01J000000000000000000000D%d", i);
        insert(store, id);
        assert_true(update(store, id, 5, "state", terminal[i]));
        assert_false(update(store, id, 6, "state", "running"));
    }
}

static void only_accepted_documents_are_deleted(void **state)
{
    struct job_store *store = store_of(state);
    struct json *read = NULL;

    insert(store, "01J0000000000000000000000E");
    insert(store, "01J0000000000000000000000F");
    assert_true(update(store, "01J0000000000000000000000F", 0, "state", "queued"));
    assert_int_equal(job_store_delete_accepted(store, "01J0000000000000000000000E", NULL), ERR_OK);
    assert_int_equal(job_store_delete_accepted(store, "01J0000000000000000000000F", NULL), ERR_OK);
    assert_int_equal(job_store_get(store, "01J0000000000000000000000E", &read, NULL), ERR_NOT_FOUND);
    json_value_destroy(get(store, "01J0000000000000000000000F"));
}

static bool put_report(struct job_store *store, const char *id, const char *shop, int64_t fence, int64_t at_ms,
                       bool published, const char *text)
{
    struct json *report = json_value_new_object();
    struct err err;
    bool applied;

    assert_true(json_value_set_text(report, "type", "homepage_and_similar_products") &&
                json_value_set_text(report, "namespace", shop) && job_document_set_time(report, "created_at", at_ms) &&
                json_value_set_bool(report, "published", published) && json_value_set_text(report, "text", text));
    if (job_store_put_report(store, id, fence, report, &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(report);
    return applied;
}

static void a_report_of_an_older_fence_changes_nothing(void **state)
{
    struct job_store *store = store_of(state);
    struct json *report = NULL;

    assert_true(put_report(store, "01J0000000000000000000000G", "fenced", 7, now_ms, true, "first"));
    assert_false(put_report(store, "01J0000000000000000000000G", "fenced", 6, now_ms, true, "zombie"));
    assert_true(put_report(store, "01J0000000000000000000000G", "fenced", 8, now_ms, true, "second"));
    assert_int_equal(job_store_get_report(store, "01J0000000000000000000000G", &report, NULL), ERR_OK);
    assert_string_equal(json_value_get_text(report, "text"), "second");
    assert_string_equal(json_value_get_text(report, "_id"), "01J0000000000000000000000G");
    json_value_destroy(report);
}

static void the_last_published_report_of_a_shop_is_found(void **state)
{
    struct job_store *store = store_of(state);
    struct json *report = NULL;

    assert_true(put_report(store, "01J0000000000000000000000H", "shop-a", 1, now_ms, true, "old"));
    assert_true(put_report(store, "01J0000000000000000000000J", "shop-a", 1, now_ms + 1000, true, "new"));
    assert_true(put_report(store, "01J0000000000000000000000K", "shop-a", 1, now_ms + 2000, false, "dry"));
    assert_true(put_report(store, "01J0000000000000000000000M", "shop-b", 1, now_ms + 3000, true, "other shop"));
    assert_int_equal(job_store_last_published(store, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "shop-a", &report, NULL),
                     ERR_OK);
    assert_string_equal(json_value_get_text(report, "text"), "new");
    json_value_destroy(report);
    assert_int_equal(job_store_last_published(store, JOB_CROSS_SELL, "shop-a", &report, NULL), ERR_NOT_FOUND);
}

static void jobs_are_listed_newest_first_with_a_cursor(void **state)
{
    struct job_store *store = store_of(state);
    struct json *page = NULL;
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof id, "01Z000000000000000000000L%d", i);
        insert(store, id);
    }
    assert_int_equal(job_store_list(store, "accepted", NULL, NULL, 3, &page, NULL), ERR_OK);
    assert_int_equal(json_value_count(page), 3);
    assert_string_equal(json_value_get_text(json_value_at(page, 0), "_id"), "01Z000000000000000000000L4");
    assert_string_equal(json_value_get_text(json_value_at(page, 2), "_id"), "01Z000000000000000000000L2");
    json_value_destroy(page);
    assert_int_equal(job_store_list(store, "accepted", "homepage_and_similar_products", "01Z000000000000000000000L2", 2,
                                    &page, NULL),
                     ERR_OK);
    assert_string_equal(json_value_get_text(json_value_at(page, 0), "_id"), "01Z000000000000000000000L1");
    json_value_destroy(page);
    assert_int_equal(job_store_list(store, NULL, "warehouse", NULL, 2, &page, NULL), ERR_OK);
    assert_int_equal(json_value_count(page), 0);
    json_value_destroy(page);
}

struct writer {
    struct job_store *store;
    int number;
    int made;  /* of its own ids */
    int first; /* of the ids that all try */
};

static void *write_many(void *data)
{
    struct writer *writer = data;
    char id[JOB_ID_BYTES];

    for (int i = 0; i < INSERTS; i++) {
        struct json *document;

        (void)snprintf(id, sizeof id, "01K00000000000000000%02d%04d", writer->number, i);
        document = document_of(id, "threads");
        writer->made += job_store_insert(writer->store, document, NULL) == ERR_OK;
        (void)snprintf(id, sizeof id, "01K0000000000000000099%04d", i);
        (void)json_value_set_text(document, "_id", id);
        writer->first += job_store_insert(writer->store, document, NULL) == ERR_OK;
        json_value_destroy(document);
    }
    return NULL;
}

static void threads_write_side_by_side(void **state)
{
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    int made = 0;
    int first = 0;

    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.store = store_of(state), .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        made += writers[i].made;
        first += writers[i].first;
    }
    assert_int_equal(made, THREADS * INSERTS);
    assert_int_equal(first, INSERTS);
}

static void a_store_that_answers_is_alive(void **state)
{
    assert_int_equal(job_store_ping(store_of(state), NULL), ERR_OK);
}

static void an_unknown_url_is_refused(void **state)
{
    struct job_store *store = NULL;
    struct err err;

    (void)state;
    assert_int_equal(job_store_open(&store, "postgres://x", RETENTION_DAYS, &err), ERR_CONFIG);
    assert_int_equal(job_store_open(&store, "mongodb://", RETENTION_DAYS, &err), ERR_CONFIG);
    assert_int_equal(job_store_open(&store, "sqlite:/nonexistent/folder/x.db", RETENTION_DAYS, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "/nonexistent/folder/x.db"));
    assert_null(store);
}

static void a_damaged_file_is_told(void **state)
{
    struct fixture fixture = {0};
    struct job_store *store = NULL;
    char url[160];
    struct err err;
    FILE *file;

    (void)state;
    make_path(&fixture);
    file = fopen(fixture.path, "w");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        (void)fputs("this is no database ", file);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(url, sizeof url, "sqlite:%s", fixture.path);
    assert_int_equal(job_store_open(&store, url, RETENTION_DAYS, &err), ERR_FORMAT);
    (void)unlink(fixture.path);
}

static void two_handles_share_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct job_store *other = open_sqlite(fixture);
    struct json *read;

    insert(fixture->store, "01J0000000000000000000000N");
    assert_true(update(other, "01J0000000000000000000000N", 3, "stage", "als"));
    read = get(fixture->store, "01J0000000000000000000000N");
    assert_string_equal(json_value_get_text(read, "stage"), "als");
    json_value_destroy(read);
    job_store_close(other);
}

static void a_store_that_is_away_is_told_and_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct job_store *store = store_of(state);
    struct json *document = document_of("01J0000000000000000000000P", "shop");

    insert(store, "01J0000000000000000000000Q");
    server_kill(&fixture->server);
    assert_int_equal(job_store_insert(store, document, NULL), ERR_UNAVAILABLE);
    assert_true(server_restart(&fixture->server));
    /* what was acknowledged before the kill is there */
    json_value_destroy(get(store, "01J0000000000000000000000Q"));
    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    json_value_destroy(document);
}

static void both_stores_give_equal_documents(void **state)
{
    struct job_store *mongo = store_of(state);
    struct fixture fixture = {0};
    struct job_store *sqlite;
    struct json *left;
    struct json *right;

    make_path(&fixture);
    sqlite = open_sqlite(&fixture);
    insert(mongo, "01J0000000000000000000000R");
    insert(sqlite, "01J0000000000000000000000R");
    assert_true(update(mongo, "01J0000000000000000000000R", 1767225600001, "started_at", "2026-01-01T00:00:05.000Z"));
    assert_true(update(sqlite, "01J0000000000000000000000R", 1767225600001, "started_at", "2026-01-01T00:00:05.000Z"));
    left = get(mongo, "01J0000000000000000000000R");
    right = get(sqlite, "01J0000000000000000000000R");
    assert_json_equal(left, right);
    json_value_destroy(left);
    json_value_destroy(right);
    job_store_close(sqlite);
    (void)unlink(fixture.path);
}

#define COMMON_TESTS                                                                                                 \
    cmocka_unit_test(a_document_comes_back_as_it_was), cmocka_unit_test(an_id_that_is_there_is_not_inserted_again),  \
        cmocka_unit_test(what_is_not_there_is_not_found), cmocka_unit_test(an_older_fence_changes_nothing),          \
        cmocka_unit_test(a_terminal_document_stays_as_it_is), cmocka_unit_test(only_accepted_documents_are_deleted), \
        cmocka_unit_test(a_report_of_an_older_fence_changes_nothing),                                                \
        cmocka_unit_test(the_last_published_report_of_a_shop_is_found),                                              \
        cmocka_unit_test(jobs_are_listed_newest_first_with_a_cursor), cmocka_unit_test(threads_write_side_by_side),  \
        cmocka_unit_test(a_store_that_answers_is_alive)

int main(void)
{
    const struct CMUnitTest sqlite_tests[] = {
        COMMON_TESTS,
        cmocka_unit_test(two_handles_share_a_file),
        cmocka_unit_test(an_unknown_url_is_refused),
        cmocka_unit_test(a_damaged_file_is_told),
    };
    const struct CMUnitTest mongo_tests[] = {
        COMMON_TESTS,
        cmocka_unit_test(both_stores_give_equal_documents),
        cmocka_unit_test(a_store_that_is_away_is_told_and_found_again),
    };
    int failed = cmocka_run_group_tests_name("sqlite", sqlite_tests, start_sqlite, stop);

    return failed + cmocka_run_group_tests_name("mongodb", mongo_tests, start_mongo, stop);
}
