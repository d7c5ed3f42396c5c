/* The queue's Redis away, full, a replica, without its scripts, or without its last writes: clear answers, nothing that
 * was accepted is lost, the gateway recovers by itself and says so once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_play.h"

#define TYPE "warehouse"

enum { TRIES = 5 };

static int set_up(void **state)
{
    static const char *const settings[] = {"SETTLE_AFTER_S=0.4", NULL};
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, settings, false);
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static void reconnect(struct gateway_fixture *fixture)
{
    redis_client_destroy(fixture->queue->client);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
}

static void wait_for_documents(struct gateway_fixture *fixture, size_t count)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    size_t last;

    while ((last = gateway_fixture_count(fixture, NULL)) != count) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%zu documents, not %zu", last, count);
        gateway_fixture_pause();
    }
}

/* Each POST is refused with this word in its detail, and none leaves a document: one is there, of the job before. */
static void assert_refused(struct gateway_fixture *fixture, const char *word)
{
    char value[16];

    for (int i = 0; i < TRIES; i++) {
        struct http_probe_answer answer =
            gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON, JOB_BODY("warehouse", "shop-2"));

        if (answer.status != 503 || strstr(answer.body, word) == NULL)
            fail_msg("POST answers %d: %s", answer.status, answer.body);
        assert_true(http_probe_header(&answer, "retry-after", value, sizeof value));
        http_probe_answer_fini(&answer);
    }
    wait_for_documents(fixture, 1);
}

static void wait_for_log_count(struct gateway_fixture *fixture, const char *text, size_t count)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    size_t last;

    while ((last = gateway_play_count_log(fixture, text)) < count) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("\"%s\" is logged %zu times, not %zu", text, last, count);
        gateway_fixture_pause();
    }
    assert_int_equal(last, count);
}

static void a_redis_without_memory_takes_no_job_and_loses_none(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_string_equal(queue_fixture_ask(fixture->queue, "CONFIG", "SET", "maxmemory", "1", NULL), "OK");
    assert_refused(fixture, "maxmemory");
    gateway_play_assert_state(fixture, id, "queued"); /* looking goes on */
    assert_int_equal(gateway_play_count_log(fixture, "queue.refuses"), 1);
    assert_string_equal(queue_fixture_ask(fixture->queue, "CONFIG", "SET", "maxmemory", "0", NULL), "OK");
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, JOB_BODY("warehouse", "shop-2"));
    wait_for_log_count(fixture, "\"queue.ready\"", 2);
    assert_int_equal(gateway_play_count_log(fixture, "queue.refuses"), 1);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 2);
}

static void a_redis_that_became_a_replica_takes_no_job_until_it_is_none(void **state)
{
    struct gateway_fixture *fixture = *state;
    char port[16];
    char id[JOB_ID_BYTES];
    size_t refusals;
    size_t losses;

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    (void)snprintf(port, sizeof port, "%d", server_free_port());
    assert_string_equal(queue_fixture_ask(fixture->queue, "REPLICAOF", "127.0.0.1", port, NULL), "OK");
    gateway_fixture_wait_for_status(fixture, 503, "POST", "/v1/jobs", AS_JSON, JOB_BODY("warehouse", "shop-2"));
    assert_refused(fixture, "queue's Redis");
    assert_string_equal(queue_fixture_ask(fixture->queue, "REPLICAOF", "NO", "ONE", NULL), "OK");
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, JOB_BODY("warehouse", "shop-2"));
    wait_for_log_count(fixture, "\"queue.ready\"", 2);           /* though it came and went in between */
    refusals = gateway_play_count_log(fixture, "queue.refuses"); /* by the group, or */
    losses = gateway_play_count_log(fixture, "queue.away");      /* by another script, whose connection is given up */
    assert_true(refusals <= 1 && losses <= 1 && refusals + losses > 0);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 2);
}

static void scripts_that_were_forgotten_are_sent_again(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    assert_string_equal(queue_fixture_ask(fixture->queue, "SCRIPT", "FLUSH", NULL), "OK");
    gateway_fixture_submit(fixture, TYPE, "shop-2", id);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
    assert_int_equal(gateway_play_count_log(fixture, "NOSCRIPT"), 0);
}

static void an_empty_redis_in_its_place_gets_groups_and_jobs_back(void **state)
{
    struct gateway_fixture *fixture = *state;
    char ids[3][JOB_ID_BYTES];
    struct job_queue_lease lease;

    for (int i = 0; i < 3; i++) {
        char shop[16];

        (void)snprintf(shop, sizeof shop, "shop-%d", i);
        gateway_fixture_submit(fixture, TYPE, shop, ids[i]);
        gateway_fixture_wait_for_state(fixture, ids[i], "queued");
    }
    assert_string_equal(queue_fixture_ask(fixture->queue, "FLUSHALL", NULL), "OK");
    server_kill(&fixture->queue->server);
    gateway_fixture_wait_for_log(fixture, "queue.away");
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    for (int i = 0; i < 3; i++)
        gateway_play_wait_for_field(fixture, ids[i], "state", "queued");
    lease = gateway_play_take(fixture);
    assert_true(lease.fence > 0);
    wait_for_log_count(fixture, "\"queue.ready\"", 2);
    assert_int_equal(gateway_play_count_log(fixture, "queue.away"), 1);
}

static void copy_data(const struct gateway_fixture *fixture, const char *from, const char *to)
{
    char command[SERVER_TEXT_BYTES * 4];

    (void)snprintf(command, sizeof command, "cd %s && rm -rf %s && cp -r %s %s", fixture->queue->server.folder, to,
                   from, to);
    assert_int_equal(system(command), 0);
}

/* As a replica that was promoted without them: Redis goes on from an earlier state of its file. */
static void what_the_last_writes_held_is_made_again(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    struct job_queue_lease again;
    char kept[JOB_ID_BYTES];
    char lost[JOB_ID_BYTES];
    char ended[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", kept);
    gateway_fixture_submit(fixture, TYPE, "shop-2", ended);
    gateway_fixture_wait_for_state(fixture, ended, "queued");
    copy_data(fixture, "appendonlydir", "before");
    gateway_fixture_submit(fixture, TYPE, "shop-3", lost);
    gateway_fixture_wait_for_state(fixture, lost, "queued");
    lease = gateway_play_take(fixture); /* `kept`: the promoted server will not know that it runs */
    assert_string_equal(lease.entry.job_id, kept);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"running\"}");
    gateway_play_die(fixture); /* `ended`: nor that this one did */
    server_kill(&fixture->queue->server);
    copy_data(fixture, "before", "appendonlydir");
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    gateway_play_wait_for_field(fixture, lost, "state", "queued");
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_LOST);
    gateway_play_assert_state(fixture, ended, "dead"); /* its worker will find the document closed */
    again = gateway_play_take(fixture);
    assert_string_equal(again.entry.job_id, kept);
    assert_true(again.fence > lease.fence);
}

static void a_cancel_while_redis_is_away_is_carried_out_later(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char dead[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", dead);
    gateway_play_die(fixture);
    gateway_fixture_submit(fixture, TYPE, "shop-2", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    server_kill(&fixture->queue->server);
    gateway_fixture_wait_for_log(fixture, "queue.away");
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 202);
    assert_int_equal(gateway_play_post(fixture, dead, "retry", NULL), 503);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/queue", WITH_KEY, NULL), 503);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/jobs", WITH_KEY, NULL), 200);
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    gateway_fixture_wait_for_state(fixture, id, "cancelled");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "cancelled");
    gateway_play_assert_state(fixture, dead, "dead");
    assert_int_equal(gateway_play_post(fixture, dead, "retry", NULL), 202);
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_GATEWAY(a_redis_without_memory_takes_no_job_and_loses_none),
        WITH_GATEWAY(a_redis_that_became_a_replica_takes_no_job_until_it_is_none),
        WITH_GATEWAY(scripts_that_were_forgotten_are_sent_again),
        WITH_GATEWAY(an_empty_redis_in_its_place_gets_groups_and_jobs_back),
        WITH_GATEWAY(what_the_last_writes_held_is_made_again),
        WITH_GATEWAY(a_cancel_while_redis_is_away_is_carried_out_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
