/*
 * What the tests of the job store share: stores of both kinds, and documents in them.
 */
#ifndef TESTS_INTEGRATION_STORE_FIXTURE_H
#define TESTS_INTEGRATION_STORE_FIXTURE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/job/job_store.h"
#include "tests/support/mongo_server.h"

enum { STORE_FIXTURE_RETENTION_DAYS = 90, STORE_FIXTURE_URL_BYTES = SERVER_TEXT_BYTES + 64 };

static const int64_t store_fixture_now_ms = 1767225600123; /* 2026-01-01T00:00:00.123Z */

struct store_fixture {
    struct job_store *store;              /* NULL: there is no server, and the tests are skipped */
    struct test_server server;            /* of MongoDB; its folder holds SQLite's file */
    char url[STORE_FIXTURE_URL_BYTES];    /* of the store */
    char folder[STORE_FIXTURE_URL_BYTES]; /* SQLite's, removed at the end */
};

/* Group set-ups and tear-down of cmocka; *state becomes the fixture. */
int store_fixture_start_sqlite(void **state);
int store_fixture_start_mongo(void **state);
int store_fixture_stop(void **state);

/* The fixture, or the test is skipped with its reason. */
struct store_fixture *store_fixture_of(void **state);
struct job_store *store_fixture_store(void **state);

struct job_store *store_fixture_open(const char *url, int retention_days);

/* A folder for a file of SQLite, and sqlite:FOLDER/store.db; store_fixture_remove deletes it. */
void store_fixture_make_folder(struct store_fixture *fixture);
void store_fixture_remove(struct store_fixture *fixture);

struct json *store_fixture_parse(const char *text);

/* A document of job.h with that id, state accepted. */
struct json *store_fixture_document(const char *id, const char *shop);

/* These fail the test when the store does. */
void store_fixture_insert(struct job_store *store, const char *id);
struct json *store_fixture_get(struct job_store *store, const char *id);
bool store_fixture_update(struct job_store *store, const char *id, int64_t fence, const char *key, const char *value);
bool store_fixture_put_report(struct job_store *store, const char *id, int64_t fence, const char *report);

void store_fixture_assert_equal(const struct json *a, const struct json *b);

#endif
