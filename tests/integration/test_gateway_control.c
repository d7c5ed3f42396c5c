/* Cancelling and retrying by HTTP: what the answer, the document, the HASH and the worker see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_play.h"

#define TYPE    "warehouse"
#define UNKNOWN "01M83E583Z7ZMJ3KYDMHDHKP5N"

static int set_up(void **state)
{
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, NULL, GATEWAY_TEST_MONGO);
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static int clear(void **state)
{
    struct gateway_fixture *fixture = *state;
    void *queue = fixture->queue;

    return queue_fixture_clear(&queue);
}

static struct json *post_for_job(struct gateway_fixture *fixture, const char *id, const char *action, int status)
{
    struct http_probe_answer answer;
    struct json *job;
    char path[80];

    (void)snprintf(path, sizeof path, "/v1/jobs/%s/%s", id, action);
    answer = gateway_fixture_ask(fixture, "POST", path, WITH_KEY, NULL);
    if (answer.status != status)
        fail_msg("%s answers %d: %s", path, answer.status, answer.body);
    job = gateway_fixture_json(&answer);
    http_probe_answer_fini(&answer);
    return job;
}

static void assert_document_state(struct gateway_fixture *fixture, const char *id, const char *state)
{
    struct json *document = gateway_play_document(fixture, id);

    assert_string_equal(json_value_get_text(document, "state"), state);
    json_value_destroy(document);
}

/* Cancel */

static void a_queued_job_is_cancelled_at_once_and_frees_its_place(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct json *job;
    struct json *document;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    job = post_for_job(fixture, id, "cancel", 200);
    assert_string_equal(json_value_get_text(job, "state"), "cancelled");
    assert_non_null(json_value_get_text(job, "finished_at"));
    json_value_destroy(job);
    document = gateway_play_document(fixture, id); /* not behind the answer: with it */
    assert_string_equal(json_value_get_text(document, "state"), "cancelled");
    assert_string_equal(json_value_get_text(document, "cancel"), "default");
    json_value_destroy(document);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "cancelled");
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("open"), NULL), 0);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200); /* once more is as good */
    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
}

static void a_running_job_is_told_by_its_next_beat(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    struct json *job;
    bool asked = false;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-2", id);
    lease = gateway_play_take(fixture);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.1, "fetch"), JOB_QUEUE_BEAT_OK);
    job = post_for_job(fixture, id, "cancel", 202);
    assert_string_equal(json_value_get_text(job, "state"), "running");
    assert_true(json_value_get_bool(job, "cancel_requested", &asked));
    assert_true(asked);
    json_value_destroy(job);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.2, "fetch"), JOB_QUEUE_BEAT_CANCEL);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 202);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"cancelled\"}");
    gateway_play_finish(fixture, &lease, JOB_CANCELLED, "", -1);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
}

static void a_scheduled_and_a_retrying_job_leave_the_delay(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer;
    struct job_queue_lease lease;
    struct json *job;
    char id[JOB_ID_BYTES];

    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON,
                                 "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-3\"},"
                                 "\"run_at\":\"2100-01-01T00:00:00Z\"}");
    assert_int_equal(answer.status, 202);
    job = gateway_fixture_json(&answer);
    assert_int_equal(gateway_play_post(fixture, json_value_get_text(job, "id"), "cancel", NULL), 200);
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
    gateway_fixture_submit(fixture, TYPE, "shop-3", id);
    lease = gateway_play_take(fixture);
    gateway_play_finish(fixture, &lease, JOB_DEAD, "", 3600000);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "retrying");
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
    assert_document_state(fixture, id, "cancelled");
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("delay"), NULL), 0);
}

static void a_job_that_publishes_ends_as_it_would_have(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    struct json *document;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-4", id);
    lease = gateway_play_take(fixture);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.9, "publish"), JOB_QUEUE_BEAT_OK);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 409);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.95, "publish"), JOB_QUEUE_BEAT_OK);
    for (;;) { /* nor does its document say that it was cancelled */
        document = gateway_play_document(fixture, id);
        if (json_value_get_text(document, "cancel") == NULL)
            break;
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        json_value_destroy(document);
        gateway_fixture_pause();
    }
    json_value_destroy(document);
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
}

static void a_job_that_has_ended_is_409_and_an_unknown_one_404(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-5", id);
    lease = gateway_play_take(fixture);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"succeeded\"}");
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 409);
    assert_int_equal(gateway_play_post(fixture, id, "retry", NULL), 409);
    assert_int_equal(gateway_play_post(fixture, UNKNOWN, "cancel", NULL), 404);
    assert_int_equal(gateway_play_post(fixture, UNKNOWN, "retry", NULL), 404);
    assert_int_equal(gateway_play_post(fixture, "x", "cancel", NULL), 404);
}

static void a_job_that_redis_lost_is_cancelled_in_its_document(void **state)
{
    struct gateway_fixture *fixture = *state;
    char key[64];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-6", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "DEL", key, NULL), 1);
    assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
    assert_document_state(fixture, id, "cancelled");
}

/* Retry */

static void a_dead_job_is_run_again_from_the_start(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct job_queue_lease lease;
    struct json *job;
    char location[64];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-7", id);
    gateway_play_die(fixture);
    gateway_play_assert_state(fixture, id, "dead");
    assert_int_equal(gateway_play_post(fixture, id, "retry", location), 202);
    assert_string_equal(location + strlen("/v1/jobs/"), id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    job = gateway_play_job(fixture, id);
    assert_string_equal(json_value_get_text(job, "state"), "queued");
    assert_int_equal(gateway_play_int(job, "attempt"), 0);
    assert_int_equal(json_value_kind(json_value_get(job, "error")), JSON_KIND_NULL);
    assert_int_equal(json_value_kind(json_value_get(job, "finished_at")), JSON_KIND_NULL);
    json_value_destroy(job);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "gen"), "1");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "attempt"), "0");
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", QUEUE_KEY("u:warehouse:shop-7"), NULL), id);
    lease = gateway_play_take(fixture);
    assert_string_equal(lease.entry.job_id, id);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"succeeded\"}");
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
    gateway_play_assert_state(fixture, id, "succeeded");
}

static void a_cancelled_job_can_be_retried_at_once_and_again(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-8", id);
    for (int generation = 1; generation <= 3; generation++) {
        char text[8];

        assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
        assert_int_equal(gateway_play_post(fixture, id, "retry", NULL), 202);
        (void)snprintf(text, sizeof text, "%d", generation);
        assert_string_equal(queue_fixture_job_field(fixture->queue, id, "gen"), text);
        assert_int_equal(gateway_play_post(fixture, id, "retry", NULL), 409); /* it is live */
    }
    assert_string_equal(gateway_play_take(fixture).entry.job_id, id);
}

static void a_retry_is_refused_while_another_is_live_and_changes_nothing(void **state)
{
    static const char *const moved[] = {"fence", "generation"};
    struct gateway_fixture *fixture = *state;
    struct json *before;
    struct json *after;
    char *texts[2];
    char location[64];
    char live[JOB_ID_BYTES];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-9", id);
    gateway_play_die(fixture);
    gateway_fixture_submit(fixture, TYPE, "shop-9", live);
    before = gateway_play_document(fixture, id);
    assert_int_equal(gateway_play_post(fixture, id, "retry", location), 409);
    assert_string_equal(location + strlen("/v1/jobs/"), live);
    after = gateway_play_document(fixture, id);
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++) {
        json_value_remove(before, moved[i]);
        json_value_remove(after, moved[i]);
    }
    texts[0] = json_value_print(before, true, 0);
    texts[1] = json_value_print(after, true, 0);
    assert_string_equal(texts[0], texts[1]);
    for (int i = 0; i < 2; i++)
        free(texts[i]);
    json_value_destroy(before);
    json_value_destroy(after);
    assert_int_equal(gateway_play_post(fixture, live, "cancel", NULL), 200);
    assert_int_equal(gateway_play_post(fixture, id, "retry", NULL), 202); /* its turn now */
    gateway_fixture_wait_for_state(fixture, id, "queued");
}

/* The first request's key names the job that it made, whatever has become of it. */
static void a_retried_job_is_no_replay_of_its_first_request(void **state)
{
    static const char key[] = AS_JSON "Idempotency-Key: retry-1\r\n";
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer =
        gateway_fixture_ask(fixture, "POST", "/v1/jobs", key, JOB_BODY("warehouse", "shop-10"));
    struct json *job = gateway_fixture_json(&answer);
    const char *id = json_value_get_text(job, "id");

    assert_int_equal(answer.status, 202);
    gateway_play_die(fixture);
    assert_int_equal(gateway_play_post(fixture, id, "retry", NULL), 202);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", key, JOB_BODY("warehouse", "shop-10")), 200);
    assert_string_equal(gateway_play_take(fixture).entry.job_id, id);
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
}

/* In place of all, where there is no server; mongo_server_program has said so. */
static void control_with_mongodb(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_queued_job_is_cancelled_at_once_and_frees_its_place, clear),
        cmocka_unit_test_setup(a_running_job_is_told_by_its_next_beat, clear),
        cmocka_unit_test_setup(a_scheduled_and_a_retrying_job_leave_the_delay, clear),
        cmocka_unit_test_setup(a_job_that_publishes_ends_as_it_would_have, clear),
        cmocka_unit_test_setup(a_job_that_has_ended_is_409_and_an_unknown_one_404, clear),
        cmocka_unit_test_setup(a_job_that_redis_lost_is_cancelled_in_its_document, clear),
        cmocka_unit_test_setup(a_dead_job_is_run_again_from_the_start, clear),
        cmocka_unit_test_setup(a_cancelled_job_can_be_retried_at_once_and_again, clear),
        cmocka_unit_test_setup(a_retry_is_refused_while_another_is_live_and_changes_nothing, clear),
        cmocka_unit_test_setup(a_retried_job_is_no_replay_of_its_first_request, clear),
    };
    const struct CMUnitTest skipped[] = {cmocka_unit_test(control_with_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
