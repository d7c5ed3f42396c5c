/*
 * A redis-server with one client, and the queue's calls in one line each. Every failure fails the cmocka test.
 */
#ifndef TESTS_INTEGRATION_QUEUE_FIXTURE_H
#define TESTS_INTEGRATION_QUEUE_FIXTURE_H

#include <stdint.h>

#include "common/job/job_queue.h"
#include "common/net/redis_client.h"
#include "tests/support/servers.h"

#define QUEUE        "test"
#define QUEUE_KEY(k) "q:{" QUEUE "}:" k
#define WORKER_A     "worker-a"
#define WORKER_B     "worker-b"

enum { LEASE_MS = 60000 };

struct queue_fixture {
    struct test_server server;
    struct redis_url url;
    struct redis_client *client;
};

/* cmocka setups: one server for a group; an empty database with the queue's group for a test. */
int queue_fixture_start(void **state);
int queue_fixture_stop(void **state);
int queue_fixture_clear(void **state);

struct redis_client *queue_fixture_connect(const struct queue_fixture *fixture);

/* Sends and finishes the command; the reply goes to redis_reply_destroy. */
struct redis_reply *queue_fixture_send(struct queue_fixture *fixture, struct redis_command *command);

/* Any command, its words ended by NULL: the answer (of an array its first) as text, "(nil)" for none; static buffer. */
const char *queue_fixture_ask(struct queue_fixture *fixture, const char *word, ...) __attribute__((sentinel));
int64_t queue_fixture_ask_int(struct queue_fixture *fixture, const char *word, ...) __attribute__((sentinel));
const char *queue_fixture_job_field(struct queue_fixture *fixture, const char *id, const char *field);

/* A request of type homepage for `shop`, three lost workers and two retries allowed. */
struct job_queue_enqueue queue_fixture_request(const char *id, const char *shop);
enum job_queue_enqueued queue_fixture_enqueue(struct queue_fixture *fixture, const struct job_queue_enqueue *request,
                                              char *answered_id);
void queue_fixture_enqueue_new(struct queue_fixture *fixture, const char *id, const char *shop);

/* XREADGROUP without waiting. */
struct job_queue_entry queue_fixture_read(struct queue_fixture *fixture, const char *worker);

/* XPENDING IDLE, then XCLAIM. */
struct job_queue_entry queue_fixture_claim(struct queue_fixture *fixture, const char *worker);

/* Makes a delivered entry look idle for ms, and its job's last beat as old. */
void queue_fixture_age(struct queue_fixture *fixture, const struct job_queue_entry *entry, const char *owner,
                       int64_t ms);

enum job_queue_started queue_fixture_start_job(struct queue_fixture *fixture, const struct job_queue_entry *entry,
                                               const char *worker, struct job_queue_lease *lease);

/* enqueue, read, start by the worker; all must work. */
struct job_queue_lease queue_fixture_run(struct queue_fixture *fixture, const char *id, const char *shop,
                                         const char *worker);

enum job_queue_beaten queue_fixture_beat(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                         const char *worker, double progress, const char *stage);
enum job_queue_finished queue_fixture_finish(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                             enum job_state state, int64_t retry_delay_ms);
bool queue_fixture_release_is_fenced(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                     const char *worker);
int64_t queue_fixture_promote(struct queue_fixture *fixture, const char *id, const char *shop);

/* A scripted call whose KEYS and ARGV are given as texts: keys, NULL, arguments, NULL. */
const char *queue_fixture_script(struct queue_fixture *fixture, const struct redis_script *script,
                                 const char *const *keys, const char *const *arguments);

#endif
