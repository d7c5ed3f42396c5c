/*
 * Real workers beside a real redis-server (queue_fixture.h), a stand-in CMS with a small made-up shop, and a store of
 * SQLite or MongoDB. Every failure fails the cmocka test.
 */
#ifndef TESTS_INTEGRATION_WORKER_FIXTURE_H
#define TESTS_INTEGRATION_WORKER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/job/job_store.h"
#include "tests/integration/queue_fixture.h"
#include "tests/support/cms_server.h"
#include "tests/support/mongo_server.h"

#define WORKER_SHOP "toys"

/* Sweeps of a training that takes a second or so: with a sanitizer a sweep takes ten times as long. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define WORKER_SWEEPS 15
#else
#define WORKER_SWEEPS 150
#endif
#define WORKER_TEXT_OF(value) #value
#define WORKER_TEXT(macro)    WORKER_TEXT_OF(macro)
#define WORKER_LONG_PARAMS    "{\"iterations\":" WORKER_TEXT(WORKER_SWEEPS) ",\"factors\":64}"

enum { WORKER_WAIT_MS = 180000, WORKER_MOST = 3, WORKER_SHOP_USERS = 2300, WORKER_SHOP_PRODUCTS = 90 };

struct worker_fixture {
    struct queue_fixture *queue;
    struct test_server cms;
    struct test_server mongo;
    struct test_server workers[WORKER_MOST];
    char folder[SERVER_TEXT_BYTES]; /* shop, cache, store */
    char store_url[SERVER_TEXT_BYTES + 32];
    struct job_store *store; /* the test's own look at it */
    int64_t now_s;           /* newest activity and an hour */
    int stores;
};

/* cmocka setups: servers and shop for a group; for a test an empty queue, an SQLite store, a CMS without faults; no
 * worker is left behind a test. */
int worker_fixture_start(void **state);
int worker_fixture_stop(void **state);
int worker_fixture_clear(void **state);
int worker_fixture_end_workers(void **state);

/* The test's store is MongoDB from here on; false: there is no server of that here. */
bool worker_fixture_use_mongo(struct worker_fixture *fixture);
void worker_fixture_open_store(struct worker_fixture *fixture);

/* Starts worker `i`; settings "NAME=value", ended by NULL, win over the fixture's (lease 2 s, heartbeat 0.5 s, retry
 * after 0.05 s, factors 16). */
void worker_fixture_run(struct worker_fixture *fixture, int i, const char *const *settings);

/* Runs the worker with arguments (NULL-ended) until it ends. The exit status; its output goes to *output for free(). */
int worker_fixture_call(struct worker_fixture *fixture, const char *const *settings, const char *const *arguments,
                        char **output);

/* Until worker `i` ends: its exit status, or 1000 + signal. */
int worker_fixture_await_end(struct worker_fixture *fixture, int i);

/* Document and queue entry of a new job with these params (JSON text): its id to id[JOB_ID_BYTES]. */
void worker_fixture_submit(struct worker_fixture *fixture, enum job_type type, const char *params, char *id);

/* The same for another shop. */
void worker_fixture_submit_for(struct worker_fixture *fixture, const char *shop, enum job_type type, const char *params,
                               char *id);

/* The job's HASH; due retries are promoted meanwhile, as the gateway would. */
void worker_fixture_wait_for_state(struct worker_fixture *fixture, const char *id, const char *state);
/* That stage, or a later one. */
void worker_fixture_wait_for_stage(struct worker_fixture *fixture, const char *id, const char *stage);
/* The document says so: nothing is being written to the store just now, and a frozen worker holds no lock on it. */
void worker_fixture_wait_for_noted_stage(struct worker_fixture *fixture, const char *id, const char *stage);
void worker_fixture_wait_for_log(struct worker_fixture *fixture, int i, const char *text);

/* The document, for json_value_destroy; and until its state is that. */
struct json *worker_fixture_document(struct worker_fixture *fixture, const char *id);
void worker_fixture_wait_for_document(struct worker_fixture *fixture, const char *id, const char *state);

/* The pid of the process that worker `i` runs a job in; 0: none. */
int worker_fixture_child(const struct worker_fixture *fixture, int i);

/* Stream, pending entries, open and delay are as after the last job's end. */
void worker_fixture_assert_queue_is_empty(struct worker_fixture *fixture);

/* A command to the target: database 1 (homepage), 2 (similar) or 3 (cross-sell); static buffer. */
const char *worker_fixture_target(struct worker_fixture *fixture, int db, const char *word, ...)
    __attribute__((sentinel));

/* Every list of a --dump folder is published under its key, with a TTL in (0, ttl_s], and nothing else is. */
void worker_fixture_assert_published(struct worker_fixture *fixture, const char *dump, int64_t ttl_s);

/* The same of a cross-sell, which never expires; how many lists are published. */
int64_t worker_fixture_assert_cross_sell(struct worker_fixture *fixture, const char *dump);

/* A folder of the fixture's, made. Static buffer. */
const char *worker_fixture_folder(struct worker_fixture *fixture, const char *name);

int64_t worker_fixture_now_ms(void);
void worker_fixture_pause(void); /* between two looks: 5 ms */

#endif
