/* The stores when something is wrong: the server away or hung, a file locked or damaged, settings changed, kills. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/base/clock.h"
#include "common/job/job_store_mongo_client.h"
#include "tests/integration/store_fixture.h"

enum { PROCESSES = 6, INSERTS = 20, WAIT_MS = 20000, ACKNOWLEDGED_FIRST = 40, MAX_WRITTEN = 100000 };

static int64_t monotonic_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

static void an_unusable_url_is_refused(void **state)
{
    static const char *const urls[] = {
        "postgres://x",
        "mongodb://",
        "sqlite:",
        "",
        "mongodb://u:geheim:x@host/",
        "mongodb://u:geheim/@host/",
        "mongodb://host/?tls=perhaps",
    };
    struct job_store *store = NULL;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_int_equal(job_store_open(&store, urls[i], STORE_FIXTURE_RETENTION_DAYS, &err), ERR_CONFIG);
        assert_null(store);
        assert_non_null(strstr(err.message, "STORE_URL"));
        assert_null(strstr(err.message, "geheim"));
    }
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct job_store *store = NULL;
    struct err err;

    (void)state;
    assert_int_equal(job_store_open(&store, "sqlite:/nonexistent/folder/x.db", STORE_FIXTURE_RETENTION_DAYS, &err),
                     ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "/nonexistent/folder/x.db"));
    assert_null(store);
}

static void a_damaged_file_is_told(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    char path[STORE_FIXTURE_URL_BYTES];
    char url[STORE_FIXTURE_URL_BYTES];
    struct job_store *store = NULL;
    struct err err;
    FILE *file;

    (void)snprintf(path, sizeof path, "%.64s/damaged.db", fixture->folder);
    (void)snprintf(url, sizeof url, "sqlite:%.96s", path);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        (void)fputs("this is no database ", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(job_store_open(&store, url, STORE_FIXTURE_RETENTION_DAYS, &err), ERR_FORMAT);
    assert_non_null(strstr(err.message, path));
}

static void two_handles_share_a_file(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct job_store *other = store_fixture_open(fixture->url, STORE_FIXTURE_RETENTION_DAYS);
    struct json *read;

    store_fixture_insert(fixture->store, "01J0000000000000000000000N");
    assert_true(store_fixture_update(other, "01J0000000000000000000000N", 3, "stage", "als"));
    read = store_fixture_get(fixture->store, "01J0000000000000000000000N");
    assert_string_equal(json_value_get_text(read, "stage"), "als");
    json_value_destroy(read);
    job_store_close(other);
}

/* A file as 0.1.0 made it before it kept jobs as rows, with one job. */
static void make_earlier_file(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "PRAGMA journal_mode=WAL;"
            "CREATE TABLE jobs(id TEXT PRIMARY KEY, state TEXT NOT NULL, type TEXT NOT NULL,"
            " created_at TEXT NOT NULL, fence INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE INDEX jobs_state ON jobs(state, created_at);"
            "CREATE INDEX jobs_by_state ON jobs(state);"
            "CREATE INDEX jobs_by_type ON jobs(type);"
            "INSERT INTO jobs VALUES('01J0000000000000000000000A', 'accepted', 'homepage_and_similar_products',"
            " '2026-01-01T00:00:00.123Z', 0, "
            "'{\"_id\":\"01J0000000000000000000000A\",\"type\":\"homepage_and_similar_products\","
            "\"state\":\"accepted\",\"fence\":0,\"created_at\":\"2026-01-01T00:00:00.123Z\"}');",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_file_of_an_earlier_version_goes_on(void **state)
{
    const struct job_store_filter filter = {.state = "accepted", .type = "homepage_and_similar_products", .limit = 10};
    struct store_fixture *fixture = store_fixture_of(state);
    char path[STORE_FIXTURE_URL_BYTES];
    char url[STORE_FIXTURE_URL_BYTES];
    struct json *list = NULL;
    struct job_store *store;
    struct err err;

    (void)snprintf(path, sizeof path, "%.64s/earlier.db", fixture->folder);
    (void)snprintf(url, sizeof url, "sqlite:%.96s", path);
    make_earlier_file(path);
    store = store_fixture_open(url, STORE_FIXTURE_RETENTION_DAYS);
    store_fixture_insert(store, "01J0000000000000000000000B");
    assert_int_equal(job_store_find(store, &filter, &list, &err), ERR_OK);
    assert_int_equal(json_value_count(list), 2);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "_id"), "01J0000000000000000000000B");
    assert_string_equal(json_value_get_text(json_value_at(list, 1), "_id"), "01J0000000000000000000000A");
    json_value_destroy(list);
    assert_true(store_fixture_update(store, "01J0000000000000000000000A", 1, "stage", "als"));
    job_store_close(store);
}

/* Opens the file when all others do, and inserts; exits with how many of the ids that all try were its. */
_Noreturn static void write_as_process(const char *url, int number, int start_fd)
{
    struct job_store *store = NULL;
    struct err err;
    char id[JOB_ID_BYTES];
    char byte;
    int first = 0;

    (void)read(start_fd, &byte, 1); /* until the parent closes its end */
    if (job_store_open(&store, url, STORE_FIXTURE_RETENTION_DAYS, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        _exit(255);
    }
    for (int i = 0; i < INSERTS; i++) {
        struct json *document;
        enum err_code rc;

        (void)snprintf(id, sizeof id, "01K00000000000000000%02d%04d", number, i);
        document = store_fixture_document(id, "processes");
        if (job_store_insert(store, document, &err) != ERR_OK)
            _exit(255);
        (void)snprintf(id, sizeof id, "01K0000000000000000099%04d", i);
        (void)json_value_set_text(document, "_id", id);
        rc = job_store_insert(store, document, &err);
        if (rc != ERR_OK && rc != ERR_EXISTS)
            _exit(255);
        first += rc == ERR_OK;
        json_value_destroy(document);
    }
    job_store_close(store);
    _exit(first);
}

static void processes_make_and_fill_a_file_side_by_side(void **state)
{
    struct store_fixture fixture = {0};
    struct job_store *store;
    struct json *all = NULL;
    pid_t pids[PROCESSES];
    int start[2];
    int first = 0;

    (void)state;
    store_fixture_make_folder(&fixture);
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            (void)close(start[1]);
            write_as_process(fixture.url, i, start[0]);
        }
        assert_true(pids[i] > 0);
    }
    (void)close(start[0]);
    (void)close(start[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 255);
        first += WEXITSTATUS(status);
    }
    assert_int_equal(first, INSERTS);
    store = store_fixture_open(fixture.url, STORE_FIXTURE_RETENTION_DAYS);
    assert_int_equal(job_store_find(store, &(struct job_store_filter){.limit = 1000}, &all, NULL), ERR_OK);
    assert_int_equal(json_value_count(all), PROCESSES * INSERTS + INSERTS);
    json_value_destroy(all);
    job_store_close(store);
    store_fixture_remove(&fixture);
}

static void insert_of_age(struct job_store *store, const char *id, const char *job_state, int64_t created_ms)
{
    struct json *document = store_fixture_document(id, "shop");
    char time[CLOCK_ISO8601_BYTES];
    char report[128];

    clock_format_iso8601(time, created_ms);
    assert_true(json_value_set_text(document, "state", job_state) && json_value_set_text(document, "created_at", time));
    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    (void)snprintf(report, sizeof report, "{\"created_at\":\"%s\"}", time);
    assert_true(store_fixture_put_report(store, id, 1, report));
    json_value_destroy(document);
}

static void what_is_terminal_and_too_old_is_swept_at_open(void **state)
{
    static const int64_t day_ms = 86400000;
    struct clock_source clock = clock_system();
    int64_t now_ms = clock_unix_ms(&clock);
    struct store_fixture fixture = {0};
    struct job_store *store;
    struct json *read = NULL;

    (void)state;
    store_fixture_make_folder(&fixture);
    store = store_fixture_open(fixture.url, 10);
    insert_of_age(store, "01J000000000000000000000S1", "succeeded", now_ms - 11 * day_ms);
    insert_of_age(store, "01J000000000000000000000S2", "succeeded", now_ms - 9 * day_ms);
    insert_of_age(store, "01J000000000000000000000S3", "running", now_ms - 11 * day_ms);
    job_store_close(store);
    store = store_fixture_open(fixture.url, 10);
    assert_int_equal(job_store_get(store, "01J000000000000000000000S1", &read, NULL), ERR_NOT_FOUND);
    assert_int_equal(job_store_get_report(store, "01J000000000000000000000S1", &read, NULL), ERR_NOT_FOUND);
    json_value_destroy(store_fixture_get(store, "01J000000000000000000000S2"));
    json_value_destroy(store_fixture_get(store, "01J000000000000000000000S3"));
    job_store_close(store);
    store_fixture_remove(&fixture);
}

static void a_store_that_is_away_is_told_and_found_again(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct json *document = store_fixture_document("01J0000000000000000000000P", "shop");
    struct json *read = NULL;
    int64_t begun_ms;
    bool applied;

    store_fixture_insert(fixture->store, "01J0000000000000000000000Q");
    server_kill(&fixture->server);
    begun_ms = monotonic_ms();
    assert_int_equal(job_store_insert(fixture->store, document, NULL), ERR_UNAVAILABLE);
    assert_int_equal(job_store_update(fixture->store, "01J0000000000000000000000Q", 1, document, &applied, NULL),
                     ERR_UNAVAILABLE);
    assert_false(applied);
    assert_int_equal(job_store_get(fixture->store, "01J0000000000000000000000Q", &read, NULL), ERR_UNAVAILABLE);
    assert_null(read);
    assert_true(monotonic_ms() - begun_ms < WAIT_MS);
    assert_true(server_restart(&fixture->server));
    json_value_destroy(store_fixture_get(fixture->store, "01J0000000000000000000000Q"));
    assert_int_equal(job_store_insert(fixture->store, document, NULL), ERR_OK);
    json_value_destroy(document);
}

static void a_store_can_be_opened_while_its_server_is_away(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct job_store *store;

    server_kill(&fixture->server);
    store = store_fixture_open(fixture->url, STORE_FIXTURE_RETENTION_DAYS);
    assert_int_equal(job_store_ping(store, NULL), ERR_UNAVAILABLE);
    assert_true(server_restart(&fixture->server));
    store_fixture_insert(store, "01J0000000000000000000001P");
    job_store_close(store);
}

static void a_server_that_hangs_is_given_up(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct json *read = NULL;
    int64_t begun_ms;

    store_fixture_insert(fixture->store, "01J0000000000000000000002P");
    server_freeze(&fixture->server);
    begun_ms = monotonic_ms();
    assert_int_equal(job_store_get(fixture->store, "01J0000000000000000000002P", &read, NULL), ERR_UNAVAILABLE);
    assert_true(monotonic_ms() - begun_ms < WAIT_MS);
    server_thaw(&fixture->server);
    json_value_destroy(store_fixture_get(fixture->store, "01J0000000000000000000002P"));
}

struct stream {
    struct job_store *store;
    atomic_int acknowledged; /* ids 0 to this are in the store */
};

static void *write_until_it_fails(void *data)
{
    struct stream *stream = data;
    char id[JOB_ID_BYTES + 8];

    for (int i = 0; i < MAX_WRITTEN; i++) {
        struct json *document;
        enum err_code rc;

        (void)snprintf(id, sizeof id, "01M00000000000000000%06d", i);
        document = store_fixture_document(id, "killed");
        rc = job_store_insert(stream->store, document, NULL);
        json_value_destroy(document);
        if (rc != ERR_OK)
            break;
        atomic_fetch_add(&stream->acknowledged, 1);
    }
    return NULL;
}

static void what_was_acknowledged_survives_a_kill_in_the_midst_of_writing(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct stream stream = {.store = fixture->store};
    int64_t deadline_ms = monotonic_ms() + WAIT_MS;
    char id[JOB_ID_BYTES + 8];
    pthread_t thread;

    atomic_init(&stream.acknowledged, 0);
    assert_int_equal(pthread_create(&thread, NULL, write_until_it_fails, &stream), 0);
    while (atomic_load(&stream.acknowledged) < ACKNOWLEDGED_FIRST && monotonic_ms() < deadline_ms)
        (void)sched_yield();
    server_kill(&fixture->server);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(atomic_load(&stream.acknowledged), ACKNOWLEDGED_FIRST, MAX_WRITTEN - 1);
    assert_true(server_restart(&fixture->server));
    for (int i = 0; i < atomic_load(&stream.acknowledged); i++) {
        (void)snprintf(id, sizeof id, "01M00000000000000000%06d", i);
        json_value_destroy(store_fixture_get(fixture->store, id));
    }
}

/* A client of the driver alone, which knows nothing of ours. */
static mongoc_client_t *plain_client(const struct store_fixture *fixture)
{
    mongoc_client_t *client = mongoc_client_new(fixture->url);

    assert_non_null(client);
    assert_true(mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2));
    return client;
}

static void run_command(const struct store_fixture *fixture, const char *json)
{
    mongoc_client_t *client = plain_client(fixture);
    bson_error_t error = {0};
    bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);

    if (command == NULL || !mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
        fail_msg("%s: %s", json, error.message);
    bson_destroy(command);
    mongoc_client_destroy(client);
}

/* The expireAfterSeconds of a collection's index; -1: none has it. */
static int64_t expiry_of(const struct store_fixture *fixture, const char *name)
{
    mongoc_client_t *client = plain_client(fixture);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, "recfleet_test", name);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(collection, NULL);
    const bson_t *bson;
    bson_iter_t iter;
    int64_t seconds = -1;

    while (mongoc_cursor_next(cursor, &bson)) {
        if (bson_iter_init_find(&iter, bson, "expireAfterSeconds"))
            seconds = bson_iter_as_int64(&iter);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    return seconds;
}

static void a_changed_retention_changes_the_indexes(void **state)
{
    static const int days[] = {90, 7, 36500};
    static const int64_t seconds[] = {90 * 86400, 7 * 86400, INT32_MAX};
    struct store_fixture *fixture = store_fixture_of(state);

    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct job_store *store = store_fixture_open(fixture->url, days[i]);
        struct json *page = NULL;

        assert_int_equal(job_store_find(store, &(struct job_store_filter){.limit = 1}, &page, NULL), ERR_OK);
        assert_int_equal(expiry_of(fixture, "jobs"), seconds[i]);
        assert_int_equal(expiry_of(fixture, "reports"), seconds[i]);
        json_value_destroy(page);
        job_store_close(store);
    }
}

/* Twice, since the driver itself tries once more where that is safe. */
static void fail_next(const struct store_fixture *fixture, const char *command, int code)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"configureFailPoint\":\"failCommand\",\"mode\":{\"times\":2},"
                   "\"data\":{\"failCommands\":[\"%s\"],\"errorCode\":%d}}",
                   command, code);
    run_command(fixture, text);
}

static void errors_of_the_server_are_told_apart(void **state)
{
    static const struct {
        int code;
        enum err_code expected;
    } cases[] = {
        {50, ERR_UNAVAILABLE},    /* MaxTimeMSExpired */
        {262, ERR_UNAVAILABLE},   /* ExceededTimeLimit */
        {14031, ERR_UNAVAILABLE}, /* OutOfDiskSpace */
        {13, ERR_CONFIG},         /* Unauthorized */
        {9, ERR_REMOTE},          /* FailedToParse */
    };
    struct store_fixture *fixture = store_fixture_of(state);
    struct json *document = store_fixture_document("01J000000000000000000000FF", "shop");
    struct json *read = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fail_next(fixture, "insert", cases[i].code);
        assert_int_equal(job_store_insert(fixture->store, document, NULL), cases[i].expected);
        run_command(fixture, "{\"configureFailPoint\":\"failCommand\",\"mode\":\"off\"}");
        assert_int_equal(job_store_get(fixture->store, "01J000000000000000000000FF", &read, NULL), ERR_NOT_FOUND);
    }
    fail_next(fixture, "find", 50);
    assert_int_equal(job_store_get(fixture->store, "01J000000000000000000000FF", &read, NULL), ERR_UNAVAILABLE);
    run_command(fixture, "{\"configureFailPoint\":\"failCommand\",\"mode\":\"off\"}");
    assert_int_equal(job_store_insert(fixture->store, document, NULL), ERR_OK);
    json_value_destroy(document);
}

static void the_database_is_the_urls_or_pa_recommender(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    bson_t filter = BSON_INITIALIZER;
    struct job_store *store;
    char url[STORE_FIXTURE_URL_BYTES];

    (void)snprintf(url, sizeof url, "mongodb://127.0.0.1:%d", fixture->server.port);
    store = store_fixture_open(url, STORE_FIXTURE_RETENTION_DAYS);
    store_fixture_insert(store, "01J0000000000000000000003P");
    client = plain_client(fixture);
    collection = mongoc_client_get_collection(client, "pa_recommender", "jobs");
    assert_int_equal(mongoc_collection_count_documents(collection, &filter, NULL, NULL, NULL, NULL), 1);
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    job_store_close(store);
}

static void wrong_credentials_are_told_and_not_shown(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct job_store *store;
    char url[STORE_FIXTURE_URL_BYTES];
    struct err err;

    (void)snprintf(url, sizeof url, "mongodb://nobody:geheim@127.0.0.1:%d/recfleet_test?authSource=admin",
                   fixture->server.port);
    store = store_fixture_open(url, STORE_FIXTURE_RETENTION_DAYS);
    assert_int_equal(job_store_ping(store, &err), ERR_CONFIG);
    assert_null(strstr(err.message, "geheim"));
    job_store_close(store);
}

int main(void)
{
    const struct CMUnitTest sqlite_tests[] = {
        cmocka_unit_test(an_unusable_url_is_refused),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test(a_damaged_file_is_told),
        cmocka_unit_test(processes_make_and_fill_a_file_side_by_side),
        cmocka_unit_test(two_handles_share_a_file),
        cmocka_unit_test(what_is_terminal_and_too_old_is_swept_at_open),
        cmocka_unit_test(a_file_of_an_earlier_version_goes_on),
    };
    const struct CMUnitTest mongo_tests[] = {
        cmocka_unit_test(a_store_that_is_away_is_told_and_found_again),
        cmocka_unit_test(a_store_can_be_opened_while_its_server_is_away),
        cmocka_unit_test(a_server_that_hangs_is_given_up),
        cmocka_unit_test(what_was_acknowledged_survives_a_kill_in_the_midst_of_writing),
        cmocka_unit_test(a_changed_retention_changes_the_indexes),
        cmocka_unit_test(errors_of_the_server_are_told_apart),
        cmocka_unit_test(the_database_is_the_urls_or_pa_recommender),
        cmocka_unit_test(wrong_credentials_are_told_and_not_shown),
    };
    int failed = cmocka_run_group_tests_name("sqlite", sqlite_tests, store_fixture_start_sqlite, store_fixture_stop);

    return failed + cmocka_run_group_tests_name("mongodb", mongo_tests, store_fixture_start_mongo, store_fixture_stop);
}
