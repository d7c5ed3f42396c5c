/* What the gateway does by itself: jobs that Redis lost, documents that fell behind, entries, groups and consumers. */
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

enum { MANY = 60 };

static int set_up(void **state)
{
    static const char *const settings[] = {"SETTLE_AFTER_S=0.3", "LEASE_S=0.4", "HEARTBEAT_S=0.1", NULL};
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, settings, GATEWAY_TEST_MONGO);
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static void lose_everything(struct gateway_fixture *fixture)
{
    assert_string_equal(queue_fixture_ask(fixture->queue, "FLUSHALL", NULL), "OK");
}

static void wait_for_document_member(struct gateway_fixture *fixture, const char *id, const char *name,
                                     const char *expected)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    for (;;) {
        struct json *document = gateway_play_document(fixture, id);
        const char *text = json_value_get_text(document, name);
        bool reached = text != NULL && strcmp(text, expected) == 0;

        json_value_destroy(document);
        if (reached)
            return;
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%s of %s does not become %s", name, id, expected);
        gateway_fixture_pause();
    }
}

/* Documents */

static void a_queued_job_that_redis_lost_is_enqueued_again(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    lose_everything(fixture);
    gateway_play_wait_for_field(fixture, id, "state", "queued");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "args"),
                        "{\"params\":{\"namespace\":\"shop-1\"},\"namespace\":\"shop-1\"}");
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", QUEUE_KEY("u:warehouse:shop-1"), NULL), id);
    gateway_fixture_wait_for_log(fixture, "job.reenqueued");
    lease = gateway_play_take(fixture); /* the group is there too */
    assert_string_equal(lease.entry.job_id, id);
}

static void a_running_job_that_redis_lost_runs_again_and_its_first_run_is_over(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease first;
    struct job_queue_lease second;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-2", id);
    first = gateway_play_take(fixture);
    gateway_play_change_document(fixture, &first, "{\"state\":\"running\",\"worker\":\"worker-a\"}");
    lose_everything(fixture);
    gateway_play_wait_for_field(fixture, id, "state", "queued");
    gateway_fixture_wait_for_state(fixture, id, "queued"); /* though a run has written it since fence 0 */
    assert_int_equal(queue_fixture_beat(fixture->queue, &first, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_LOST);
    second = gateway_play_take(fixture);
    assert_string_equal(second.entry.job_id, id);
    assert_true(second.fence > first.fence);
}

static void a_scheduled_job_that_redis_lost_waits_again_for_its_time(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer =
        gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON,
                            "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-3\"},"
                            "\"run_at\":\"2100-01-01T00:00:00Z\"}");
    struct json *job = gateway_fixture_json(&answer);
    const char *id = json_value_get_text(job, "id");

    assert_int_equal(answer.status, 202);
    gateway_fixture_wait_for_state(fixture, id, "scheduled");
    lose_everything(fixture);
    gateway_play_wait_for_field(fixture, id, "state", "scheduled");
    assert_string_equal(queue_fixture_ask(fixture->queue, "ZSCORE", QUEUE_KEY("delay"), id, NULL), "4102444800000");
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
}

static void of_two_that_redis_lost_the_one_whose_place_is_taken_ends_superseded(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    char first[JOB_ID_BYTES];
    char second[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-4", first);
    lease = gateway_play_take(fixture);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"running\"}");
    lose_everything(fixture); /* as a failover would: the next one is taken before the upkeep comes by */
    gateway_fixture_submit(fixture, TYPE, "shop-4", second);
    gateway_fixture_wait_for_state(fixture, first, "superseded");
    assert_string_equal(queue_fixture_job_field(fixture->queue, first, "state"), "(nil)");
    gateway_play_assert_state(fixture, second, "queued");
}

static void a_cancel_that_did_not_get_through_is_carried_out(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct err err = {0};
    bool applied = false;
    char lost[JOB_ID_BYTES];
    char queued[JOB_ID_BYTES];
    char running[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-5", lost);
    gateway_fixture_wait_for_state(fixture, lost, "queued");
    assert_int_equal(job_store_request_cancel(gateway_fixture_store(fixture), lost, "test", &applied, &err), ERR_OK);
    assert_true(applied);
    lose_everything(fixture);
    gateway_fixture_wait_for_state(fixture, lost, "cancelled");
    assert_string_equal(queue_fixture_job_field(fixture->queue, lost, "state"), "(nil)");
    gateway_fixture_submit(fixture, TYPE, "shop-6", running);
    (void)gateway_play_take(fixture);
    gateway_fixture_submit(fixture, TYPE, "shop-7", queued);
    assert_int_equal(job_store_request_cancel(gateway_fixture_store(fixture), running, "test", &applied, &err), ERR_OK);
    assert_int_equal(job_store_request_cancel(gateway_fixture_store(fixture), queued, "test", &applied, &err), ERR_OK);
    gateway_play_wait_for_field(fixture, running, "cancel", "test"); /* its worker hears of it */
    gateway_play_wait_for_field(fixture, queued, "state", "cancelled");
    gateway_fixture_wait_for_state(fixture, queued, "cancelled");
}

static void a_document_follows_its_hash(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    struct json *document;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-8", id);
    lease = gateway_play_take(fixture); /* its worker never reached the store */
    gateway_fixture_wait_for_state(fixture, id, "running");
    wait_for_document_member(fixture, id, "worker", WORKER_A);
    gateway_play_finish(fixture, &lease, JOB_DEAD,
                        "{\"code\":\"no_data\",\"message\":\"nothing there\",\"transient\":false}", -1);
    gateway_fixture_wait_for_state(fixture, id, "dead");
    document = gateway_play_document(fixture, id);
    assert_string_equal(json_value_get_text(json_value_get(document, "error"), "message"), "nothing there");
    assert_non_null(json_value_get_text(document, "finished_at"));
    assert_int_equal(gateway_play_int(document, "attempt"), 1);
    json_value_destroy(document);
}

/* Under a load that the store does not keep up with, what would have said so was left out. */
static void a_document_that_was_never_told_of_its_queue_finds_out(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct json *changes = json_value_new_object();
    struct json *document;
    bool applied = false;
    struct err err;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-12", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_true(json_value_set_text(changes, "state", "accepted") && json_value_set_null(changes, "queued_at"));
    assert_int_equal(job_store_update(gateway_fixture_store(fixture), id, 0, changes, &applied, &err), ERR_OK);
    assert_true(applied);
    json_value_destroy(changes);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    document = gateway_play_document(fixture, id);
    assert_non_null(json_value_get_text(document, "queued_at"));
    json_value_destroy(document);
}

/* A gateway that died between opening a document and enqueueing it. */
static void a_document_opened_again_wins_over_its_ended_hash(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct json *document = NULL;
    struct err err = {0};
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-9", id);
    gateway_play_die(fixture);
    assert_int_equal(job_store_reopen(gateway_fixture_store(fixture), id, &document, &err), ERR_OK);
    json_value_destroy(document);
    gateway_play_wait_for_field(fixture, id, "gen", "1");
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_string_equal(gateway_play_take(fixture).entry.job_id, id);
}

static void gateways_side_by_side_enqueue_each_job_once(void **state)
{
    static const char *const settings[] = {"SETTLE_AFTER_S=0.3", "LEASE_S=0.4", "HEARTBEAT_S=0.1", NULL};
    struct gateway_fixture *fixture = *state;
    struct gateway_fixture other = {.queue = fixture->queue};
    char ids[MANY][JOB_ID_BYTES];
    char marker[JOB_ID_BYTES];
    char key[64];

    memcpy(other.store_url, fixture->store_url, sizeof other.store_url);
    assert_true(server_prepare(&other.gateway));
    gateway_fixture_start_gateway(&other, settings);
    gateway_fixture_wait_for_log(&other, "queue.ready");
    gateway_fixture_wait_for_log(&other, "store.ready");
    for (int i = 0; i < MANY; i++) {
        char shop[32];

        (void)snprintf(shop, sizeof shop, "shop-%d", 100 + i);
        gateway_fixture_submit(i % 2 == 0 ? fixture : &other, TYPE, shop, ids[i]);
    }
    for (int i = 0; i < MANY; i++)
        gateway_fixture_wait_for_state(fixture, ids[i], "queued");
    lose_everything(fixture);
    gateway_play_wait_for_stream(fixture, MANY);
    gateway_fixture_submit(fixture, TYPE, "shop-99", marker);
    gateway_fixture_wait_for_state(fixture, marker, "queued");
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), marker);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "DEL", key, NULL), 1);
    gateway_play_wait_for_field(fixture, marker, "state", "queued"); /* a round later */
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("open"), NULL), MANY + 1);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), MANY + 2);
    assert_int_equal(gateway_fixture_end_gateway(&other), 0);
    server_fini(&other.gateway);
}

/* Queues */

static void an_entry_that_was_lost_is_made_anew(void **state)
{
    struct gateway_fixture *fixture = *state;
    char sid[JOB_QUEUE_STREAM_ID_BYTES];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-10", id);
    (void)snprintf(sid, sizeof sid, "%s", queue_fixture_job_field(fixture->queue, id, "sid"));
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XDEL", QUEUE_KEY("s"), sid, NULL), 1);
    gateway_fixture_wait_for_log(fixture, "job.requeued");
    assert_string_equal(gateway_play_take(fixture).entry.job_id, id);
}

static void a_group_that_is_gone_is_made_anew(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-11", id);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XGROUP", "DESTROY", QUEUE_KEY("s"), "g", NULL), 1);
    gateway_fixture_wait_for_log(fixture, "queue.group_made");
    assert_string_equal(gateway_play_take(fixture).entry.job_id, id);
}

static void the_stream_is_trimmed_to_what_is_open(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    for (int i = 0; i < 3; i++) {
        char shop[32];

        (void)snprintf(shop, sizeof shop, "shop-%d", 12 + i);
        gateway_fixture_submit(fixture, TYPE, shop, id);
        gateway_play_die(fixture);
    }
    gateway_fixture_submit(fixture, TYPE, "shop-15", id);
    gateway_play_wait_for_stream(fixture, 1);
    gateway_play_die(fixture);
    gateway_play_wait_for_stream(fixture, 0);
}

static void a_consumer_that_is_gone_is_forgotten_but_not_one_with_a_job(void **state)
{
    struct gateway_fixture *fixture = *state;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-16", id);
    (void)gateway_play_take(fixture);
    (void)queue_fixture_read(fixture->queue, WORKER_B);
    for (;;) {
        struct redis_command command;
        struct redis_reply *reply;
        size_t count;

        redis_command_init(&command, "XINFO");
        redis_command_add(&command, "CONSUMERS");
        redis_command_add(&command, QUEUE_KEY("s"));
        redis_command_add(&command, "g");
        reply = queue_fixture_send(fixture->queue, &command);
        count = redis_reply_count(reply);
        if (count == 1)
            assert_string_equal(redis_reply_text(redis_reply_at(redis_reply_at(reply, 0), 1)), WORKER_A);
        redis_reply_destroy(reply);
        if (count == 1)
            return;
        assert_true(count == 2 && gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
}

static void what_is_due_and_has_no_hash_leaves_the_delay(void **state)
{
    struct gateway_fixture *fixture = *state;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    assert_int_equal(
        queue_fixture_ask_int(fixture->queue, "ZADD", QUEUE_KEY("delay"), "1", "01M83E583Z7ZMJ3KYDMHDHKP5N", NULL), 1);
    while (queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("delay"), NULL) != 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
}

/* In place of all, where there is no server; mongo_server_program has said so. */
static void upkeep_with_mongodb(void **state)
{
    (void)state;
    skip();
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest documents[] = {
        WITH_GATEWAY(a_queued_job_that_redis_lost_is_enqueued_again),
        WITH_GATEWAY(a_running_job_that_redis_lost_runs_again_and_its_first_run_is_over),
        WITH_GATEWAY(a_scheduled_job_that_redis_lost_waits_again_for_its_time),
        WITH_GATEWAY(of_two_that_redis_lost_the_one_whose_place_is_taken_ends_superseded),
        WITH_GATEWAY(a_cancel_that_did_not_get_through_is_carried_out),
        WITH_GATEWAY(a_document_follows_its_hash),
        WITH_GATEWAY(a_document_that_was_never_told_of_its_queue_finds_out),
        WITH_GATEWAY(a_document_opened_again_wins_over_its_ended_hash),
        WITH_GATEWAY(gateways_side_by_side_enqueue_each_job_once),
    };
    const struct CMUnitTest queues[] = {
        WITH_GATEWAY(an_entry_that_was_lost_is_made_anew),
        WITH_GATEWAY(a_group_that_is_gone_is_made_anew),
        WITH_GATEWAY(the_stream_is_trimmed_to_what_is_open),
        WITH_GATEWAY(a_consumer_that_is_gone_is_forgotten_but_not_one_with_a_job),
        WITH_GATEWAY(what_is_due_and_has_no_hash_leaves_the_delay),
    };
    const struct CMUnitTest skipped[] = {cmocka_unit_test(upkeep_with_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    if (GATEWAY_TEST_MONGO) /* the queues' part has nothing to do with the store */
        return cmocka_run_group_tests(documents, NULL, NULL);
    return cmocka_run_group_tests(documents, NULL, NULL) + cmocka_run_group_tests(queues, NULL, NULL);
}
