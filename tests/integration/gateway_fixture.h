/*
 * The real gateway beside a real redis-server (queue_fixture.h), with SQLite or a store of the test's. Every failure
 * fails the cmocka test.
 */
#ifndef TESTS_INTEGRATION_GATEWAY_FIXTURE_H
#define TESTS_INTEGRATION_GATEWAY_FIXTURE_H

#include <stdbool.h>

#include "common/job/job_store.h"
#include "common/net/json_value.h"
#include "tests/integration/queue_fixture.h"
#include "tests/support/http_probe.h"
#include "tests/support/mongo_server.h"
#include "tests/support/servers.h"

#define API_KEY  "the-key"
#define WITH_KEY "X-API-KEY: " API_KEY "\r\n"
#define AS_JSON  WITH_KEY "Content-Type: application/json\r\n"
#define LEGACY   "/train_homepage_and_similar_products_model_by_http_request"

enum { GATEWAY_WAIT_MS = 20000, GATEWAY_SHOPS = 5000 };

struct gateway_fixture {
    struct queue_fixture *queue;
    struct test_server gateway;
    struct test_server mongo; /* where the store is MongoDB */
    char store_url[SERVER_TEXT_BYTES + 16];
    struct job_store *store; /* the test's own look at it; opened by gateway_fixture_store */
};

/* Redis and a gateway; settings "NAME=value", ended by NULL, win over the fixture's. Shops shop-0 … are known. The
 * store is a file of SQLite, or a MongoDB-protocol server (mongo_server_program tells whether there is one). */
void gateway_fixture_start(struct gateway_fixture *fixture, const char *const *settings, bool with_mongo);

/* The gateway alone, on a Redis and a store that the fixture has; another run of it goes before. */
void gateway_fixture_start_gateway(struct gateway_fixture *fixture, const char *const *settings);

/* Its exit status (or 1000 + signal); it must end before the deadline. */
int gateway_fixture_await_end(struct gateway_fixture *fixture);

/* The same after SIGTERM. */
int gateway_fixture_end_gateway(struct gateway_fixture *fixture);

/* Ends the gateway, which must exit 0 and have logged gateway.ended, then all else. */
void gateway_fixture_stop(struct gateway_fixture *fixture);

struct job_store *gateway_fixture_store(struct gateway_fixture *fixture);

/* Waits until the gateway's log holds the text. */
void gateway_fixture_wait_for_log(struct gateway_fixture *fixture, const char *text);
bool gateway_fixture_log_holds(struct gateway_fixture *fixture, const char *text);

/* One request on a connection of its own. The answer goes to http_probe_answer_fini. */
struct http_probe_answer gateway_fixture_ask(struct gateway_fixture *fixture, const char *method, const char *path,
                                             const char *headers, const char *body);

/* The same, its status alone. */
int gateway_fixture_status(struct gateway_fixture *fixture, const char *method, const char *path, const char *headers,
                           const char *body);

/* The same until the status comes. */
void gateway_fixture_wait_for_status(struct gateway_fixture *fixture, int status, const char *method, const char *path,
                                     const char *headers, const char *body);

/* POST /v1/jobs for a shop; must answer 202. The new job's id goes to id[JOB_ID_BYTES]. */
void gateway_fixture_submit(struct gateway_fixture *fixture, const char *type, const char *shop, char *id);

/* The body as JSON, for the caller to destroy. */
struct json *gateway_fixture_json(const struct http_probe_answer *answer);

/* How many documents the store has; of a state, or NULL for all. */
size_t gateway_fixture_count(struct gateway_fixture *fixture, const char *state);

/* The document's state becomes `state` before the deadline. */
void gateway_fixture_wait_for_state(struct gateway_fixture *fixture, const char *id, const char *state);

/* Milliseconds, never going back; and a short pause between two looks. */
int64_t gateway_fixture_now_ms(void);
void gateway_fixture_pause(void);

#endif
