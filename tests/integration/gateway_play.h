/*
 * What a worker does and a client sees, in one line each, for tests of the gateway. Every failure fails the cmocka
 * test.
 */
#ifndef TESTS_INTEGRATION_GATEWAY_PLAY_H
#define TESTS_INTEGRATION_GATEWAY_PLAY_H

#include "tests/integration/gateway_fixture.h"

#define JOB_BODY(type, shop) "{\"type\":\"" type "\",\"params\":{\"namespace\":\"" shop "\"}}"

/* The next entry of the stream, taken and started as a worker does. */
struct job_queue_lease gateway_play_take(struct gateway_fixture *fixture);

/* retry_delay_ms < 0: `state` is final. The queue must take it. */
void gateway_play_finish(struct gateway_fixture *fixture, const struct job_queue_lease *lease, enum job_state state,
                         const char *error, int64_t retry_delay_ms);

/* The store's document changed under the lease's fence, as a worker does before `finish`; JSON text. */
void gateway_play_change_document(struct gateway_fixture *fixture, const struct job_queue_lease *lease,
                                  const char *changes);

/* take, the document dead, finish. */
void gateway_play_die(struct gateway_fixture *fixture);

/* The document as the store has it, and the job as HTTP shows it; both for the caller to destroy. */
struct json *gateway_play_document(struct gateway_fixture *fixture, const char *id);
struct json *gateway_play_job(struct gateway_fixture *fixture, const char *id);
void gateway_play_assert_state(struct gateway_fixture *fixture, const char *id, const char *state);

/* GET of a path that must answer 200: its JSON. */
struct json *gateway_play_get(struct gateway_fixture *fixture, const char *path);

/* POST /v1/jobs/{id}/{action}: the status; `location` (64 bytes, NULL: never mind) becomes "" without one. */
int gateway_play_post(struct gateway_fixture *fixture, const char *id, const char *action, char *location);

/* Waits for it to become so, or to be answered so by Redis. */
void gateway_play_wait_for_field(struct gateway_fixture *fixture, const char *id, const char *field,
                                 const char *expected);
void gateway_play_wait_for_stream(struct gateway_fixture *fixture, int64_t length);

/* A whole number of a JSON object. */
int64_t gateway_play_int(const struct json *object, const char *name);

/* How often the gateway's log holds a text. */
size_t gateway_play_count_log(struct gateway_fixture *fixture, const char *text);

#endif
