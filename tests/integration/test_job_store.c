/* The same promises over SQLite and over a server of MongoDB's protocol. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_new.h"
#include "common/job/job_store_mongo_client.h"
#include "tests/integration/store_fixture.h"

enum { THREADS = 4, INSERTS = 25, RAISES = 50 };

static void a_document_comes_back_as_it_was(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *document = store_fixture_document("01J0000000000000000000000A", "shop");
    struct json *read;

    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    read = store_fixture_get(store, "01J0000000000000000000000A");
    store_fixture_assert_equal(document, read);
    assert_string_equal(json_value_get_text(read, "created_at"), "2026-01-01T00:00:00.123Z");
    json_value_destroy(read);
    json_value_destroy(document);
}

static void an_id_that_is_there_is_not_inserted_again(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *document = store_fixture_document("01J0000000000000000000000B", "shop");
    struct json *other = store_fixture_document("01J0000000000000000000000B", "other");
    struct json *read;

    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    assert_int_equal(job_store_insert(store, other, NULL), ERR_EXISTS);
    read = store_fixture_get(store, "01J0000000000000000000000B");
    assert_string_equal(json_value_get_text(read, "namespace"), "shop");
    json_value_destroy(read);
    json_value_destroy(other);
    json_value_destroy(document);
}

static void a_document_without_an_id_is_refused(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *document = store_fixture_parse("{\"state\":\"accepted\"}");

    assert_int_equal(job_store_insert(store, document, NULL), ERR_ARGUMENT);
    assert_true(json_value_set_text(document, "_id", ""));
    assert_int_equal(job_store_insert(store, document, NULL), ERR_ARGUMENT);
    json_value_destroy(document);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *document = NULL;

    assert_int_equal(job_store_get(store, "01J000000000000000000000ZZ", &document, NULL), ERR_NOT_FOUND);
    assert_null(document);
    assert_int_equal(job_store_get_report(store, "01J000000000000000000000ZZ", &document, NULL), ERR_NOT_FOUND);
    assert_false(store_fixture_update(store, "01J000000000000000000000ZZ", 5, "stage", "als"));
    assert_int_equal(job_store_get(store, "01J000000000000000000000ZZ", &document, NULL), ERR_NOT_FOUND);
}

static void an_older_fence_changes_nothing(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *read;
    int64_t fence;

    store_fixture_insert(store, "01J0000000000000000000000C");
    assert_true(store_fixture_update(store, "01J0000000000000000000000C", 1767225600000, "stage", "fetch"));
    assert_false(store_fixture_update(store, "01J0000000000000000000000C", 1767225599999, "stage", "zombie"));
    assert_true(store_fixture_update(store, "01J0000000000000000000000C", 1767225600000, "stage", "als"));
    read = store_fixture_get(store, "01J0000000000000000000000C");
    assert_string_equal(json_value_get_text(read, "stage"), "als");
    assert_true(json_value_get_int64(read, "fence", &fence));
    assert_int_equal(fence, 1767225600000);
    json_value_destroy(read);
}

static void an_update_changes_what_it_names_and_the_fence_alone(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *expected = store_fixture_document("01J0000000000000000000001C", "shop");
    struct json *changes = store_fixture_parse("{\"state\":\"running\",\"progress\":0.25,\"result\":{\"users\":3},"
                                               "\"worker\":\"w\",\"started_at\":\"2026-01-01T00:00:05.000Z\"}");
    struct json *read;
    bool applied;

    assert_int_equal(job_store_insert(store, expected, NULL), ERR_OK);
    assert_int_equal(job_store_update(store, "01J0000000000000000000001C", 9, changes, &applied, NULL), ERR_OK);
    assert_true(applied);
    assert_true(json_value_merge(expected, changes) && json_value_set_int(expected, "fence", 9));
    read = store_fixture_get(store, "01J0000000000000000000001C");
    store_fixture_assert_equal(expected, read);
    json_value_destroy(read);
    json_value_destroy(changes);
    json_value_destroy(expected);
}

static void many_updates_each_keep_to_their_fence(void **state)
{
    enum { JOBS = 5 };
    static const char *const stages[JOBS] = {"new", "new", "old", "new", "new"};
    struct job_store *store = store_fixture_store(state);
    struct json *changes = store_fixture_parse("{\"stage\":\"new\",\"queued_at\":\"2026-01-01T00:00:05Z\"}");
    struct json *bad = store_fixture_parse("{\"stage\":\"bad\",\"queued_at\":\"yesterday\"}");
    struct job_store_change batch[JOBS + 1];
    char ids[JOBS + 1][JOB_ID_BYTES];

    for (int i = 0; i < JOBS + 1; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "01J0000000000000000000008%d", i);
        batch[i] = (struct job_store_change){.id = ids[i], .fence = 7, .changes = changes};
        if (i == JOBS)
            continue; /* that one is not there */
        store_fixture_insert(store, ids[i]);
        assert_true(store_fixture_update(store, ids[i], i == 2 ? 8 : 7, "stage", "old"));
    }
    batch[3].changes = bad;
    assert_int_equal(job_store_update_many(store, batch, JOBS + 1, NULL), ERR_FORMAT);
    batch[3].changes = changes;
    assert_int_equal(job_store_update_many(store, batch, JOBS + 1, NULL), ERR_OK);
    assert_int_equal(job_store_update_many(store, batch, 0, NULL), ERR_OK);
    for (int i = 0; i < JOBS; i++) {
        struct json *read = store_fixture_get(store, ids[i]);

        assert_string_equal(json_value_get_text(read, "stage"), stages[i]);
        json_value_destroy(read);
    }
    json_value_destroy(bad);
    json_value_destroy(changes);
}

static void a_terminal_document_stays_as_it_is(void **state)
{
    static const char *const terminal[] = {"succeeded", "dead", "cancelled", "superseded"};
    struct job_store *store = store_fixture_store(state);
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 4; i++) {
        struct json *read;

        (void)snprintf(id, sizeof id, "01J000000000000000000000D%d", i);
        store_fixture_insert(store, id);
        assert_true(store_fixture_update(store, id, 5, "state", terminal[i]));
        assert_false(store_fixture_update(store, id, 6, "state", "running"));
        read = store_fixture_get(store, id);
        assert_string_equal(json_value_get_text(read, "state"), terminal[i]);
        json_value_destroy(read);
    }
}

static void only_accepted_documents_are_deleted(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *read = NULL;

    store_fixture_insert(store, "01J0000000000000000000000E");
    store_fixture_insert(store, "01J0000000000000000000000F");
    assert_true(store_fixture_update(store, "01J0000000000000000000000F", 0, "state", "queued"));
    assert_int_equal(job_store_delete_accepted(store, "01J0000000000000000000000E", NULL), ERR_OK);
    assert_int_equal(job_store_delete_accepted(store, "01J0000000000000000000000F", NULL), ERR_OK);
    assert_int_equal(job_store_delete_accepted(store, "01J0000000000000000000000E", NULL), ERR_OK);
    assert_int_equal(job_store_get(store, "01J0000000000000000000000E", &read, NULL), ERR_NOT_FOUND);
    json_value_destroy(store_fixture_get(store, "01J0000000000000000000000F"));
}

static void a_report_of_an_older_fence_changes_nothing(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *expected =
        store_fixture_parse("{\"text\":\"second\",\"_id\":\"01J0000000000000000000000G\",\"fence\":8}");
    struct json *report = NULL;

    assert_true(store_fixture_put_report(store, "01J0000000000000000000000G", 7, "{\"text\":\"first\",\"old\":1}"));
    assert_false(store_fixture_put_report(store, "01J0000000000000000000000G", 6, "{\"text\":\"zombie\"}"));
    assert_true(store_fixture_put_report(store, "01J0000000000000000000000G", 8, "{\"text\":\"second\"}"));
    assert_int_equal(job_store_get_report(store, "01J0000000000000000000000G", &report, NULL), ERR_OK);
    store_fixture_assert_equal(expected, report);
    json_value_destroy(report);
    json_value_destroy(expected);
}

static void put_run(struct job_store *store, const char *id, const char *shop, int second, bool published)
{
    char report[256];

    (void)snprintf(report, sizeof report,
                   "{\"type\":\"homepage_and_similar_products\",\"namespace\":\"%s\",\"published\":%s,"
                   "\"created_at\":\"2026-01-01T00:00:%02dZ\"}",
                   shop, published ? "true" : "false", second);
    assert_true(store_fixture_put_report(store, id, 1, report));
}

static void the_last_published_report_of_a_shop_is_found(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *report = NULL;

    put_run(store, "01J0000000000000000000000J", "shop-a", 2, true);
    put_run(store, "01J0000000000000000000000H", "shop-a", 1, true);
    put_run(store, "01J0000000000000000000000K", "shop-a", 3, false);
    put_run(store, "01J0000000000000000000000M", "shop-b", 4, true);
    assert_int_equal(job_store_last_published(store, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "shop-a", &report, NULL),
                     ERR_OK);
    assert_string_equal(json_value_get_text(report, "_id"), "01J0000000000000000000000J");
    json_value_destroy(report);
    assert_int_equal(job_store_last_published(store, JOB_CROSS_SELL, "shop-a", &report, NULL), ERR_NOT_FOUND);
    assert_null(report);
}

static void put_analyzed_run(struct job_store *store, const char *id, const char *shop, int64_t fence, int second,
                             int rows)
{
    char report[512];

    (void)snprintf(report, sizeof report,
                   "{\"type\":\"homepage_and_similar_products\",\"namespace\":\"%s\",\"published\":true,"
                   "\"created_at\":\"2026-01-01T00:00:%02dZ\",\"analytics\":{\"rows\":%d,\"by_hour\":[1,2]}}",
                   shop, second, rows);
    assert_true(store_fixture_put_report(store, id, fence, report));
}

static void assert_analytics(struct job_store *store, const char *shop, const char *job, int64_t rows)
{
    struct json *found = NULL;
    int64_t count;

    assert_int_equal(job_store_latest_analytics(store, shop, &found, NULL), ERR_OK);
    assert_string_equal(json_value_get_text(found, "job"), job);
    assert_string_equal(json_value_get_text(found, "type"), "analytics");
    assert_string_equal(json_value_get_text(found, "namespace"), shop);
    assert_non_null(json_value_get_text(found, "created_at"));
    assert_true(json_value_get_int64(found, "rows", &count));
    assert_int_equal(count, rows);
    json_value_destroy(found);
}

static void the_analytics_of_a_run_are_a_report_of_their_own(void **state)
{
    static const char *const older = "01J0000000000000000000000H";
    static const char *const newer = "01J0000000000000000000000J";
    struct job_store *store = store_fixture_store(state);
    struct json *report = NULL;
    bool applied = true;

    assert_int_equal(job_store_latest_analytics(store, "shop-a", &report, NULL), ERR_NOT_FOUND);
    put_analyzed_run(store, newer, "shop-a", 5, 2, 20);
    put_analyzed_run(store, older, "shop-a", 4, 1, 10);
    put_analyzed_run(store, "01J0000000000000000000000K", "shop-b", 9, 3, 30);
    assert_analytics(store, "shop-a", newer, 20);
    assert_int_equal(job_store_get_report(store, newer, &report, NULL), ERR_OK);
    assert_null(json_value_get(report, "analytics"));
    assert_true(json_value_set(report, "analytics", json_value_new_object()));
    assert_int_equal(job_store_put_report(store, newer, 4, report, &applied, NULL), ERR_OK); /* by an older run */
    assert_false(applied);
    assert_analytics(store, "shop-a", newer, 20);
    json_value_destroy(report);
    put_analyzed_run(store, newer, "shop-a", 6, 2, 21); /* a further attempt of the job */
    assert_analytics(store, "shop-a", newer, 21);
    assert_int_equal(job_store_last_published(store, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "shop-a", &report, NULL),
                     ERR_OK);
    assert_string_equal(json_value_get_text(report, "_id"), newer);
    json_value_destroy(report);
}

static void assert_page(struct job_store *store, const char *job_state, const char *type, const char *before, int limit,
                        const char *ends)
{
    const struct job_store_filter filter = {.state = job_state, .type = type, .before = before, .limit = limit};
    struct json *page = NULL;
    size_t count = strlen(ends);

    assert_int_equal(job_store_find(store, &filter, &page, NULL), ERR_OK);
    assert_int_equal(json_value_count(page), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(json_value_get_text(json_value_at(page, i), "_id")[JOB_ID_BYTES - 2], ends[i]);
    json_value_destroy(page);
}

static void jobs_are_listed_newest_first_with_a_cursor(void **state)
{
    const struct job_store_filter none = {.limit = 0};
    struct job_store *store = store_fixture_store(state);
    struct json *page = NULL;
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof id, "01Z000000000000000000000L%d", i);
        store_fixture_insert(store, id);
    }
    assert_page(store, "accepted", NULL, NULL, 3, "432");
    assert_page(store, "accepted", "homepage_and_similar_products", "01Z000000000000000000000L2", 2, "10");
    assert_true(store_fixture_update(store, "01Z000000000000000000000L3", 1, "state", "queued"));
    assert_page(store, NULL, NULL, NULL, 3, "432");
    assert_page(store, "accepted", NULL, NULL, 3, "421");
    assert_page(store, NULL, "warehouse", NULL, 2, "");
    assert_int_equal(job_store_find(store, &none, &page, NULL), ERR_ARGUMENT);
    assert_null(page);
}

static void jobs_of_a_shop_are_found(void **state)
{
    struct job_store *store = store_fixture_store(state);
    const struct job_store_filter filter = {.shop = "found", .state = "accepted", .limit = 5};
    struct json *document = store_fixture_document("01J0000000000000000000002A", "found");
    struct json *page = NULL;

    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    json_value_destroy(document);
    assert_int_equal(job_store_find(store, &filter, &page, NULL), ERR_OK);
    assert_int_equal(json_value_count(page), 1);
    assert_string_equal(json_value_get_text(json_value_at(page, 0), "_id"), "01J0000000000000000000002A");
    json_value_destroy(page);
}

/* A new job as the gateway stores it; its texts go with `text` and `id`. */
static struct job_store_text make_new(struct str *text, const char *id, const char *shop)
{
    const struct job_request request = {
        .id = id, .type = JOB_CROSS_SELL, .shop = shop, .queue = "train", .requested_by = "key", .fingerprint = ""};
    struct job_new job;

    assert_true(job_new_init(&job, &request, 1767225600000));
    job_new_print_document(text, &job);
    job_new_fini(&job);
    return (struct job_store_text){.id = id,
                                   .state = "accepted",
                                   .type = "cross_sell",
                                   .created_at = "2026-01-01T00:00:00.000Z",
                                   .text = text->text};
}

static void assert_stored(struct job_store *store, const struct job_store_text *document)
{
    struct json *wanted = store_fixture_parse(document->text);
    struct json *read = store_fixture_get(store, document->id);

    store_fixture_assert_equal(wanted, read);
    json_value_destroy(read);
    json_value_destroy(wanted);
}

static void many_are_inserted_at_once_each_with_its_own_result(void **state)
{
    enum { MANY = 5, THERE = 2 };
    struct job_store *store = store_fixture_store(state);
    struct job_store_text documents[MANY];
    struct job_store_text before;
    enum err_code results[MANY];
    struct str texts[MANY + 1] = {{0}};
    char ids[MANY][JOB_ID_BYTES];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "01J0000000000000000000003%d", i);
        documents[i] = make_new(&texts[i], ids[i], "many");
    }
    before = make_new(&texts[MANY], ids[THERE], "before");
    assert_int_equal(job_store_insert_text(store, &before, NULL), ERR_OK);
    assert_int_equal(job_store_insert_text(store, &before, NULL), ERR_EXISTS);
    assert_int_equal(job_store_insert_many(store, documents, MANY, results, NULL), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(results[i], i == THERE ? ERR_EXISTS : ERR_OK);
        assert_stored(store, i == THERE ? &before : &documents[i]);
    }
    for (int i = 0; i <= MANY; i++)
        str_fini(&texts[i]);
}

static void one_without_an_id_lets_none_in(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct str text = {0};
    struct job_store_text documents[2] = {make_new(&text, "01J0000000000000000000004A", "many"),
                                          {.text = "{\"state\":\"accepted\"}"}};
    struct json *read = NULL;
    enum err_code results[2];

    assert_int_equal(job_store_insert_many(store, documents, 2, results, NULL), ERR_ARGUMENT);
    assert_int_equal(job_store_get(store, "01J0000000000000000000004A", &read, NULL), ERR_NOT_FOUND);
    str_fini(&text);
}

static void a_cancel_is_noted_until_the_job_ends(void **state)
{
    static const char id[] = "01J0000000000000000000005A";
    struct job_store *store = store_fixture_store(state);
    struct json *read = NULL;
    bool applied = false;

    store_fixture_insert(store, id);
    assert_true(store_fixture_update(store, id, 7, "state", "running"));
    assert_int_equal(job_store_request_cancel(store, id, "by hand", &applied, NULL), ERR_OK);
    assert_true(applied);
    assert_int_equal(job_store_get(store, id, &read, NULL), ERR_OK);
    assert_string_equal(json_value_get_text(read, "cancel"), "by hand");
    assert_string_equal(json_value_get_text(read, "state"), "running");
    json_value_destroy(read);
    assert_true(store_fixture_update(store, id, 7, "state", "succeeded"));
    assert_int_equal(job_store_request_cancel(store, id, "too late", &applied, NULL), ERR_OK);
    assert_false(applied);
    assert_int_equal(job_store_request_cancel(store, "01J0000000000000000000005Z", "nobody", &applied, NULL), ERR_OK);
    assert_false(applied);
}

static void a_dead_job_is_reopened_beyond_the_reach_of_its_past(void **state)
{
    static const char id[] = "01J0000000000000000000006A";
    struct job_store *store = store_fixture_store(state);
    struct json *reopened = NULL;
    int64_t number = 0;

    store_fixture_insert(store, id);
    assert_true(store_fixture_update(store, id, 9, "state", "running"));
    assert_int_equal(job_store_reopen(store, id, &reopened, NULL), ERR_EXISTS);
    assert_null(reopened);
    assert_true(store_fixture_update(store, id, 9, "state", "dead"));
    assert_int_equal(job_store_reopen(store, id, &reopened, NULL), ERR_OK);
    assert_string_equal(json_value_get_text(reopened, "state"), "accepted");
    assert_true(json_value_get_int64(reopened, "generation", &number) && number == 1);
    assert_true(json_value_get_int64(reopened, "fence", &number) && number == 10);
    json_value_destroy(reopened);
    assert_false(store_fixture_update(store, id, 9, "state", "succeeded"));
    assert_true(store_fixture_update(store, id, 10, "state", "running"));
    assert_int_equal(job_store_reopen(store, "01J0000000000000000000006Z", &reopened, NULL), ERR_NOT_FOUND);
}

static void unfinished_jobs_are_listed_oldest_first_with_a_cursor(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *page = NULL;
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 4; i++) {
        (void)snprintf(id, sizeof id, "01Z00000000000000000000M%02d", i);
        store_fixture_insert(store, id);
    }
    assert_true(store_fixture_update(store, "01Z00000000000000000000M01", 1, "state", "cancelled"));
    assert_true(store_fixture_update(store, "01Z00000000000000000000M02", 1, "state", "retrying"));
    assert_int_equal(job_store_list_unfinished(store, 4102444800000, "01Z00000000000000000000M", 2, &page, NULL),
                     ERR_OK);
    assert_int_equal(json_value_count(page), 2);
    assert_string_equal(json_value_get_text(json_value_at(page, 0), "_id"), "01Z00000000000000000000M00");
    assert_string_equal(json_value_get_text(json_value_at(page, 1), "_id"), "01Z00000000000000000000M02");
    json_value_destroy(page);
    assert_int_equal(job_store_list_unfinished(store, 1000, NULL, 2, &page, NULL), ERR_OK);
    assert_int_equal(json_value_count(page), 0); /* none is that old */
    json_value_destroy(page);
}

static void the_last_success_of_each_shop_is_known(void **state)
{
    static const char *const times[] = {"2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"};
    struct job_store *store = store_fixture_store(state);
    struct json *list = NULL;
    const char *found = NULL;

    for (int i = 0; i < 2; i++) {
        char id[JOB_ID_BYTES];
        struct json *document;
        struct json *changes = json_value_new_object();
        bool applied = false;

        (void)snprintf(id, sizeof id, "01J0000000000000000000007%d", i);
        document = store_fixture_document(id, "success");
        assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
        assert_true(json_value_set_text(changes, "state", "succeeded"));
        assert_true(json_value_set_text(changes, "finished_at", times[1 - i]));
        assert_int_equal(job_store_update(store, id, 1, changes, &applied, NULL), ERR_OK);
        json_value_destroy(changes);
        json_value_destroy(document);
    }
    assert_int_equal(job_store_last_successes(store, &list, NULL), ERR_OK);
    for (size_t i = 0; i < json_value_count(list); i++) {
        if (strcmp(json_value_get_text(json_value_at(list, i), "namespace"), "success") == 0)
            found = json_value_get_text(json_value_at(list, i), "finished_at");
    }
    assert_non_null(found);
    assert_string_equal(found, times[1]);
    json_value_destroy(list);
}

static void times_are_kept_in_one_form_and_others_refused(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *document = store_fixture_document("01J0000000000000000000001A", "shop");
    struct json *changes = store_fixture_parse("{\"started_at\":\"yesterday\"}");
    struct json *read;
    bool applied = true;
    struct err err;

    assert_true(json_value_set_text(document, "run_at", "2026-01-01T02:30:00.5+02:30"));
    assert_true(json_value_set_text(document, "queued_at", "1970-01-01T00:00:00Z"));
    assert_int_equal(job_store_insert(store, document, NULL), ERR_OK);
    read = store_fixture_get(store, "01J0000000000000000000001A");
    assert_string_equal(json_value_get_text(read, "run_at"), "2026-01-01T00:00:00.500Z");
    assert_string_equal(json_value_get_text(read, "queued_at"), "1970-01-01T00:00:00.000Z");
    json_value_destroy(read);
    assert_int_equal(job_store_update(store, "01J0000000000000000000001A", 1, changes, &applied, &err), ERR_FORMAT);
    assert_false(applied);
    assert_non_null(strstr(err.message, "started_at"));
    assert_true(json_value_set_int(document, "started_at", 5));
    assert_int_equal(job_store_insert(store, document, NULL), ERR_FORMAT);
    json_value_destroy(changes);
    json_value_destroy(document);
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
        document = store_fixture_document(id, "threads");
        writer->made += job_store_insert(writer->store, document, NULL) == ERR_OK;
        (void)snprintf(id, sizeof id, "01K0000000000000000099%04d", i);
        (void)json_value_set_text(document, "_id", id);
        writer->first += job_store_insert(writer->store, document, NULL) == ERR_OK;
        json_value_destroy(document);
    }
    return NULL;
}

/* Fences of all threads in turn, upwards: the highest must be what stays. */
static void *raise_fences(void *data)
{
    struct writer *writer = data;

    for (int i = 0; i < RAISES; i++) {
        struct json *report = json_value_new_object();
        int64_t fence = i * THREADS + writer->number;
        bool applied;

        writer->made +=
            json_value_set_int(report, "of", fence) &&
            job_store_put_report(writer->store, "01K00000000000000000000RRR", fence, report, &applied, NULL) == ERR_OK;
        writer->first +=
            job_store_update(writer->store, "01K00000000000000000000RRR", fence, report, &applied, NULL) == ERR_OK;
        json_value_destroy(report);
    }
    return NULL;
}

static void run_threads(struct job_store *store, void *(*work)(void *), int *made, int *first)
{
    struct writer writers[THREADS];
    pthread_t threads[THREADS];

    *made = 0;
    *first = 0;
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.store = store, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        *made += writers[i].made;
        *first += writers[i].first;
    }
}

static void threads_insert_side_by_side_and_each_id_once(void **state)
{
    int made;
    int first;

    run_threads(store_fixture_store(state), write_many, &made, &first);
    assert_int_equal(made, THREADS * INSERTS);
    assert_int_equal(first, INSERTS);
}

static void of_threads_that_race_the_highest_fence_stays(void **state)
{
    struct job_store *store = store_fixture_store(state);
    struct json *read = NULL;
    int64_t fence = 0;
    int64_t of = 0;
    int made;
    int first;

    store_fixture_insert(store, "01K00000000000000000000RRR");
    run_threads(store, raise_fences, &made, &first);
    assert_int_equal(made, THREADS * RAISES);
    assert_int_equal(first, THREADS * RAISES);
    assert_int_equal(job_store_get_report(store, "01K00000000000000000000RRR", &read, NULL), ERR_OK);
    assert_true(json_value_get_int64(read, "fence", &fence) && json_value_get_int64(read, "of", &of));
    assert_int_equal(fence, THREADS * RAISES - 1);
    assert_int_equal(of, fence);
    json_value_destroy(read);
    read = store_fixture_get(store, "01K00000000000000000000RRR");
    assert_true(json_value_get_int64(read, "fence", &fence) && json_value_get_int64(read, "of", &of));
    assert_int_equal(fence, THREADS * RAISES - 1);
    assert_int_equal(of, fence);
    json_value_destroy(read);
}

static void a_store_that_answers_is_alive(void **state)
{
    assert_int_equal(job_store_ping(store_fixture_store(state), NULL), ERR_OK);
}

static void the_kind_is_told(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);

    assert_string_equal(job_store_kind(fixture->store), fixture->server.pid != 0 ? "mongodb" : "sqlite");
}

/* Whatever JSON can hold, in a job's document and in a report. */
static void both_stores_give_equal_documents(void **state)
{
    static const char rich[] =
        "{\"_id\":\"01J0000000000000000000000R\",\"state\":\"running\",\"type\":\"cross_sell\",\"namespace\":\"s\","
        "\"created_at\":\"2026-01-01T00:00:00.001Z\",\"finished_at\":null,\"small\":-1,\"large\":9007199254740993,"
        "\"least\":-9223372036854775808,\"zero\":0.0,\"tenth\":0.1,\"huge\":1e300,\"tiny\":-2.5e-300,\"whole\":3.0,"
        "\"truth\":true,\"untruth\":false,\"empty\":\"\",\"text\":\"\\u00e4\\ud83d\\ude00 \\\"q\\\" \\\\ \\n\","
        "\"nul\":\"a\\u0000b\",\"list\":[],\"object\":{},\"nested\":[{\"a\":[1,[2.5,null]],\"when_at\":\"no time\"}],"
        "\"dollar\":{\"$date\":\"y\",\"$numberLong\":\"z\",\"a.b\":1}}";
    struct job_store *mongo = store_fixture_store(state);
    struct store_fixture fixture = {0};
    struct json *document = store_fixture_parse(rich);
    struct job_store *stores[2] = {mongo, NULL};
    struct json *jobs[2];
    struct json *reports[2];

    store_fixture_make_folder(&fixture);
    stores[1] = store_fixture_open(fixture.url, STORE_FIXTURE_RETENTION_DAYS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(job_store_insert(stores[i], document, NULL), ERR_OK);
        assert_true(store_fixture_update(stores[i], "01J0000000000000000000000R", 1767225600001, "started_at",
                                         "2026-01-01T00:00:05Z"));
        jobs[i] = store_fixture_get(stores[i], "01J0000000000000000000000R");
        assert_true(store_fixture_put_report(stores[i], "01J0000000000000000000000R", 3, rich));
        assert_int_equal(job_store_get_report(stores[i], "01J0000000000000000000000R", &reports[i], NULL), ERR_OK);
    }
    store_fixture_assert_equal(jobs[0], jobs[1]);
    store_fixture_assert_equal(reports[0], reports[1]);
    assert_true(json_value_set_text(document, "started_at", "2026-01-01T00:00:05.000Z") &&
                json_value_set_int(document, "fence", 1767225600001));
    store_fixture_assert_equal(jobs[0], document);
    for (int i = 0; i < 2; i++) {
        json_value_destroy(jobs[i]);
        json_value_destroy(reports[i]);
    }
    json_value_destroy(document);
    job_store_close(stores[1]);
    store_fixture_remove(&fixture);
}

static bson_type_t type_of(const bson_t *bson, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, bson, key) ? bson_iter_type(&iter) : BSON_TYPE_EOD;
}

/* What others find in MongoDB: dates to compare with, a fence of 64 bits. */
static void times_are_dates_in_mongodb(void **state)
{
    struct store_fixture *fixture = store_fixture_of(state);
    struct job_store_mongo_client *client = NULL;
    struct job_store_mongo_session session;
    mongoc_cursor_t *cursor;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("01J0000000000000000000001R"));
    const bson_t *bson;

    store_fixture_insert(fixture->store, "01J0000000000000000000001R");
    assert_int_equal(job_store_mongo_client_create(&client, fixture->url, STORE_FIXTURE_RETENTION_DAYS, NULL), ERR_OK);
    assert_int_equal(job_store_mongo_client_begin(&session, client, "jobs", NULL), ERR_OK);
    cursor = mongoc_collection_find_with_opts(session.collection, filter, NULL, NULL);
    assert_true(mongoc_cursor_next(cursor, &bson));
    assert_int_equal(type_of(bson, "created_at"), BSON_TYPE_DATE_TIME);
    assert_int_equal(type_of(bson, "finished_at"), BSON_TYPE_NULL);
    assert_int_equal(type_of(bson, "fence"), BSON_TYPE_INT64);
    assert_int_equal(type_of(bson, "state"), BSON_TYPE_UTF8);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    job_store_mongo_client_end(&session);
    job_store_mongo_client_destroy(client);
}

#define COMMON_TESTS                                                                                                   \
    cmocka_unit_test(a_document_comes_back_as_it_was), cmocka_unit_test(an_id_that_is_there_is_not_inserted_again),    \
        cmocka_unit_test(a_document_without_an_id_is_refused), cmocka_unit_test(what_is_not_there_is_not_found),       \
        cmocka_unit_test(an_older_fence_changes_nothing),                                                              \
        cmocka_unit_test(an_update_changes_what_it_names_and_the_fence_alone),                                         \
        cmocka_unit_test(many_updates_each_keep_to_their_fence), cmocka_unit_test(a_terminal_document_stays_as_it_is), \
        cmocka_unit_test(only_accepted_documents_are_deleted),                                                         \
        cmocka_unit_test(a_report_of_an_older_fence_changes_nothing),                                                  \
        cmocka_unit_test(the_last_published_report_of_a_shop_is_found),                                                \
        cmocka_unit_test(the_analytics_of_a_run_are_a_report_of_their_own),                                            \
        cmocka_unit_test(jobs_are_listed_newest_first_with_a_cursor), cmocka_unit_test(jobs_of_a_shop_are_found),      \
        cmocka_unit_test(many_are_inserted_at_once_each_with_its_own_result),                                          \
        cmocka_unit_test(one_without_an_id_lets_none_in), cmocka_unit_test(a_cancel_is_noted_until_the_job_ends),      \
        cmocka_unit_test(a_dead_job_is_reopened_beyond_the_reach_of_its_past),                                         \
        cmocka_unit_test(unfinished_jobs_are_listed_oldest_first_with_a_cursor),                                       \
        cmocka_unit_test(the_last_success_of_each_shop_is_known),                                                      \
        cmocka_unit_test(times_are_kept_in_one_form_and_others_refused),                                               \
        cmocka_unit_test(threads_insert_side_by_side_and_each_id_once),                                                \
        cmocka_unit_test(of_threads_that_race_the_highest_fence_stays),                                                \
        cmocka_unit_test(a_store_that_answers_is_alive), cmocka_unit_test(the_kind_is_told)

int main(void)
{
    const struct CMUnitTest sqlite_tests[] = {COMMON_TESTS};
    const struct CMUnitTest mongo_tests[] = {
        COMMON_TESTS,
        cmocka_unit_test(both_stores_give_equal_documents),
        cmocka_unit_test(times_are_dates_in_mongodb),
    };
    int failed = cmocka_run_group_tests_name("sqlite", sqlite_tests, store_fixture_start_sqlite, store_fixture_stop);

    return failed + cmocka_run_group_tests_name("mongodb", mongo_tests, store_fixture_start_mongo, store_fixture_stop);
}
