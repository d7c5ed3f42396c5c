#include "tests/integration/store_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct job_store *store_fixture_open(const char *url, int retention_days)
{
    struct job_store *store = NULL;
    struct err err;

    if (job_store_open(&store, url, retention_days, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return store;
}

void store_fixture_make_folder(struct store_fixture *fixture)
{
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/recfleet-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->url, sizeof fixture->url, "sqlite:%.64s/store.db", fixture->folder);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void store_fixture_remove(struct store_fixture *fixture)
{
    if (fixture->folder[0] != '\0')
        (void)nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fixture->folder[0] = '\0';
}

int store_fixture_start_sqlite(void **state)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    *state = fixture;
    store_fixture_make_folder(fixture);
    fixture->store = store_fixture_open(fixture->url, STORE_FIXTURE_RETENTION_DAYS);
    return 0;
}

int store_fixture_start_mongo(void **state)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    *state = fixture;
    if (mongo_server_program() == NULL)
        return 0;
    if (!mongo_server_start(&fixture->server))
        return -1;
    /* patience for a server that hangs, not one for tests that wait */
    (void)snprintf(fixture->url, sizeof fixture->url, "%s?socketTimeoutMS=5000&serverSelectionTimeoutMS=3000",
                   fixture->server.url);
    fixture->store = store_fixture_open(fixture->url, STORE_FIXTURE_RETENTION_DAYS);
    return 0;
}

int store_fixture_stop(void **state)
{
    struct store_fixture *fixture = *state;

    job_store_close(fixture->store);
    if (fixture->server.folder[0] != '\0')
        server_fini(&fixture->server);
    store_fixture_remove(fixture);
    free(fixture);
    return 0;
}

struct store_fixture *store_fixture_of(void **state)
{
    struct store_fixture *fixture = *state;

    if (fixture->store == NULL) {
        print_message("no MongoDB-protocol server is installed\n");
        skip();
    }
    return fixture;
}

struct job_store *store_fixture_store(void **state)
{
    return store_fixture_of(state)->store;
}

struct json *store_fixture_parse(const char *text)
{
    struct json *value = NULL;
    struct err err;

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s", err.message);
    return value;
}

struct json *store_fixture_document(const char *id, const char *shop)
{
    struct json *params = store_fixture_parse("{\"factors\":64,\"alpha\":0.5}");
    struct job_request request = {.id = id,
                                  .type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
                                  .shop = shop,
                                  .queue = "train",
                                  .params = params,
                                  .requested_by = "tests",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct json *document = job_document_create(&request, store_fixture_now_ms);

    assert_non_null(document);
    json_value_destroy(params);
    return document;
}

void store_fixture_insert(struct job_store *store, const char *id)
{
    struct json *document = store_fixture_document(id, "shop");
    struct err err;

    if (job_store_insert(store, document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(document);
}

struct json *store_fixture_get(struct job_store *store, const char *id)
{
    struct json *document = NULL;
    struct err err;

    if (job_store_get(store, id, &document, &err) != ERR_OK)
        fail_msg("%s: %s", id, err.message);
    return document;
}

bool store_fixture_update(struct job_store *store, const char *id, int64_t fence, const char *key, const char *value)
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

bool store_fixture_put_report(struct job_store *store, const char *id, int64_t fence, const char *report)
{
    struct json *parsed = store_fixture_parse(report);
    struct err err;
    bool applied;

    if (job_store_put_report(store, id, fence, parsed, &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(parsed);
    return applied;
}

void store_fixture_assert_equal(const struct json *a, const struct json *b)
{
    char *left = json_value_print(a, true, 0);
    char *right = json_value_print(b, true, 0);

    assert_string_equal(left, right);
    free(left);
    free(right);
}
