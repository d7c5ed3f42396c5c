/* Jobs by HTTP: what the document, the HASH and the stream say after each request, and the route of old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_play.h"

static struct gateway_fixture *fixture_of(void **state)
{
    return *state;
}

static int set_up(void **state)
{
    static const char *const settings[] = {"LEGACY_WAIT_S=2", NULL};
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

static int clear(void **state)
{
    void *queue = fixture_of(state)->queue;

    return queue_fixture_clear(&queue);
}

static void document_stream_and_hash_agree_after_a_post(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct json *document = NULL;
    struct job_queue_entry entry;
    struct err err = {0};
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, "cross_sell", "shop-1", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_int_equal(job_store_get(gateway_fixture_store(fixture), id, &document, &err), ERR_OK);
    assert_string_equal(json_value_get_text(document, "type"), "cross_sell");
    assert_string_equal(json_value_get_text(document, "namespace"), "shop-1");
    assert_string_equal(json_value_get_text(document, "queue"), QUEUE);
    assert_string_equal(json_value_get_text(document, "requested_by"), "default");
    assert_non_null(json_value_get_text(document, "queued_at"));
    json_value_destroy(document);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "queued");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "type"), "cross_sell");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "client"), "default");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "args"),
                        "{\"params\":{\"namespace\":\"shop-1\"},\"namespace\":\"shop-1\"}");
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", QUEUE_KEY("u:cross_sell:shop-1"), NULL), id);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("open"), NULL), 1);
    entry = queue_fixture_read(fixture->queue, WORKER_A);
    assert_string_equal(entry.job_id, id);
    gateway_play_assert_state(fixture, id, "queued");
}

static void a_running_job_shows_its_progress(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct job_queue_lease lease;
    struct json *job;
    double progress = 0;
    int64_t attempt = 0;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, "homepage_and_similar_products", "shop-2", id);
    lease = gateway_play_take(fixture);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.25, "als"), JOB_QUEUE_BEAT_OK);
    job = gateway_play_job(fixture, id);
    assert_string_equal(json_value_get_text(job, "state"), "running");
    assert_string_equal(json_value_get_text(job, "stage"), "als");
    assert_string_equal(json_value_get_text(job, "worker"), WORKER_A);
    assert_true(json_value_get_double(job, "progress", &progress));
    assert_true(progress > 0.24 && progress < 0.26);
    assert_true(json_value_get_int64(job, "attempt", &attempt));
    assert_int_equal(attempt, 1);
    json_value_destroy(job);
    gateway_play_change_document(fixture, &lease, "{\"state\":\"succeeded\",\"result\":{\"users\":7},\"error\":null}");
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
    job = gateway_play_job(fixture, id);
    assert_string_equal(json_value_get_text(job, "state"), "succeeded");
    assert_true(json_value_get_int64(json_value_get(job, "result"), "users", &attempt));
    assert_int_equal(attempt, 7);
    json_value_destroy(job);
}

static void a_report_is_served_from_the_store(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe_answer answer;
    struct json *report = json_value_new_object();
    struct err err = {0};
    bool applied = false;
    char id[JOB_ID_BYTES];
    char path[64];

    gateway_fixture_submit(fixture, "warehouse", "shop-3", id);
    assert_true(json_value_set_text(report, "_id", id) && json_value_set_text(report, "type", "warehouse") &&
                json_value_set_text(report, "namespace", "shop-3") &&
                json_value_set_text(report, "created_at", "2026-01-01T00:00:00.000Z") &&
                json_value_set_text(report, "text", "what happened"));
    if (job_store_put_report(gateway_fixture_store(fixture), id, 5, report, &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(report);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/report", id);
    answer = gateway_fixture_ask(fixture, "GET", path, WITH_KEY, NULL);
    assert_int_equal(answer.status, 200);
    report = gateway_fixture_json(&answer);
    assert_string_equal(json_value_get_text(report, "text"), "what happened");
    assert_string_equal(json_value_get_text(report, "id"), id);
    assert_null(json_value_get(report, "_id"));
    json_value_destroy(report);
    http_probe_answer_fini(&answer);
}

static void a_second_job_of_a_live_type_and_shop_is_409_and_leaves_no_document(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe_answer answer;
    size_t before;
    char location[64];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, "warehouse", "shop-4", id);
    before = gateway_fixture_count(fixture, NULL);
    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON,
                                 "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-4\"}}");
    assert_int_equal(answer.status, 409);
    assert_true(http_probe_header(&answer, "location", location, sizeof location));
    assert_string_equal(location + strlen("/v1/jobs/"), id);
    http_probe_answer_fini(&answer);
    for (int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
         gateway_fixture_count(fixture, NULL) != before;) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    gateway_fixture_submit(fixture, "cross_sell", "shop-4", id); /* another type is another lock */
}

static void an_idempotency_key_gives_the_same_job_again(void **state)
{
    static const char key[] = AS_JSON "Idempotency-Key: order-1\r\n";
    static const char body[] = "{\"type\":\"cross_sell\",\"params\":{\"namespace\":\"shop-5\"}}";
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe_answer first = gateway_fixture_ask(fixture, "POST", "/v1/jobs", key, body);
    struct http_probe_answer second = gateway_fixture_ask(fixture, "POST", "/v1/jobs", key, body);
    struct json *job = gateway_fixture_json(&first);
    struct json *again = gateway_fixture_json(&second);
    char value[16];

    assert_int_equal(first.status, 202);
    assert_int_equal(second.status, 200);
    assert_string_equal(json_value_get_text(job, "id"), json_value_get_text(again, "id"));
    assert_true(http_probe_header(&second, "idempotent-replayed", value, sizeof value));
    assert_string_equal(value, "true");
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", key, "{\"type\":\"warehouse\"}"), 422);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 1);
    json_value_destroy(job);
    json_value_destroy(again);
    http_probe_answer_fini(&first);
    http_probe_answer_fini(&second);
}

static void a_scheduled_job_is_promoted_when_its_time_comes(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct clock_source clock = clock_system();
    struct http_probe_answer answer;
    struct json *job;
    char when[CLOCK_ISO8601_BYTES];
    char body[256];
    char id[JOB_ID_BYTES];

    clock_format_iso8601(when, clock_unix_ms(&clock) + 1500);
    (void)snprintf(body, sizeof body,
                   "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-6\"},\"run_at\":\"%s\"}", when);
    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON, body);
    assert_int_equal(answer.status, 202);
    job = gateway_fixture_json(&answer);
    assert_string_equal(json_value_get_text(job, "state"), "scheduled");
    (void)snprintf(id, sizeof id, "%s", json_value_get_text(job, "id"));
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "scheduled");
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 0);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 1);
    gateway_play_assert_state(fixture, id, "queued");
}

static void an_unchanged_job_is_304_for_who_has_it(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe_answer answer;
    struct http_probe_answer again;
    char path[64];
    char tag[80];
    char headers[256];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, "warehouse", "shop-7", id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    answer = gateway_fixture_ask(fixture, "GET", path, WITH_KEY, NULL);
    assert_true(http_probe_header(&answer, "etag", tag, sizeof tag));
    (void)snprintf(headers, sizeof headers, WITH_KEY "If-None-Match: %s\r\n", tag);
    again = gateway_fixture_ask(fixture, "GET", path, headers, NULL);
    if (again.status != 304)
        fail_msg("%s\nthen %d %s", answer.body, again.status, again.body);
    http_probe_answer_fini(&answer);
    http_probe_answer_fini(&again);
    (void)gateway_play_take(fixture);
    assert_int_equal(gateway_fixture_status(fixture, "GET", path, headers, NULL), 200);
}

static void a_preferred_wait_ends_at_the_next_state(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct job_queue_lease lease;
    struct http_probe probe;
    struct http_probe_answer answer;
    struct json *job;
    char path[64];
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, "warehouse", "shop-8", id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "GET", path, WITH_KEY "Prefer: wait=60\r\n", NULL));
    lease = gateway_play_take(fixture);
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1); /* two changes: it may have come after the first */
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 200);
    job = gateway_fixture_json(&answer);
    assert_string_not_equal(json_value_get_text(job, "state"), "queued");
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

/* GETs the route of old on its own connection and plays the worker meanwhile. */
static struct http_probe_answer train(struct gateway_fixture *fixture, enum job_state end, const char *changes,
                                      const char *error)
{
    struct http_probe probe;
    struct http_probe_answer answer;
    struct job_queue_lease lease;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "GET", LEGACY, WITH_KEY, NULL));
    while (queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    lease = gateway_play_take(fixture);
    if (changes != NULL)
        gateway_play_change_document(fixture, &lease, changes);
    gateway_play_finish(fixture, &lease, end, error, -1);
    assert_true(http_probe_receive(&probe, &answer, false));
    http_probe_close(&probe);
    return answer;
}

static void the_route_of_old_answers_when_the_model_is_trained(void **state)
{
    struct http_probe_answer answer = train(fixture_of(state), JOB_SUCCEEDED, "{\"state\":\"succeeded\"}", "");
    char value[128];

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"message\":\"Model trained and recommendations updated\"}");
    assert_true(http_probe_header(&answer, "deprecation", value, sizeof value));
    assert_true(http_probe_header(&answer, "link", value, sizeof value));
    assert_string_equal(value, "</v1/jobs>; rel=\"successor-version\"");
    http_probe_answer_fini(&answer);
}

static void a_business_error_is_400_in_the_words_of_old(void **state)
{
    struct http_probe_answer answer = train(
        fixture_of(state), JOB_DEAD,
        "{\"state\":\"dead\",\"error\":{\"code\":\"no_data\",\"message\":\"no interactions\",\"transient\":false}}",
        "");

    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.body, "{\"message\":\"no interactions\",\"exception\":null}");
    http_probe_answer_fini(&answer);
}

static void a_failure_is_500_without_its_detail(void **state)
{
    /* Known from the HASH alone: the worker could not write the document. */
    struct http_probe_answer answer =
        train(fixture_of(state), JOB_DEAD, NULL,
              "{\"code\":\"numeric\",\"message\":\"a secret detail\",\"transient\":false}");

    assert_int_equal(answer.status, 500);
    assert_string_equal(answer.body, "{\"message\":\"An error occurred while training the model\",\"exception\":null}");
    http_probe_answer_fini(&answer);
}

static void a_second_get_joins_the_live_job(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probes[2];
    struct http_probe_answer answer;
    struct job_queue_lease lease;

    for (int i = 0; i < 2; i++) {
        assert_true(http_probe_open(&probes[i], fixture->gateway.port));
        assert_true(http_probe_ask(&probes[i], "GET", LEGACY, WITH_KEY, NULL));
    }
    gateway_fixture_wait_for_log(fixture, "\"job.joined\"");
    lease = gateway_play_take(fixture);
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
    for (int i = 0; i < 2; i++) {
        assert_true(http_probe_receive(&probes[i], &answer, false));
        assert_int_equal(answer.status, 200);
        http_probe_answer_fini(&answer);
        http_probe_close(&probes[i]);
    }
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 1);
}

static void the_wait_ends_with_202_and_the_place_of_the_job(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t begun_ms = gateway_fixture_now_ms();
    struct http_probe_answer answer = gateway_fixture_ask(fixture, "GET", LEGACY, WITH_KEY, NULL);
    char location[64];

    assert_int_equal(answer.status, 202);
    assert_true(gateway_fixture_now_ms() - begun_ms >= 1900);
    assert_true(http_probe_header(&answer, "location", location, sizeof location));
    gateway_play_assert_state(fixture, location + strlen("/v1/jobs/"), "queued");
    http_probe_answer_fini(&answer);
    begun_ms = gateway_fixture_now_ms();
    assert_int_equal(gateway_fixture_status(fixture, "GET", LEGACY, WITH_KEY "Prefer: respond-async\r\n", NULL), 202);
    assert_true(gateway_fixture_now_ms() - begun_ms < 1500);
}

static void a_client_that_leaves_does_not_cancel(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    struct job_queue_lease lease;
    struct http_probe probe;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "GET", LEGACY, WITH_KEY, NULL));
    while (queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    http_probe_close(&probe);
    lease = gateway_play_take(fixture);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_OK);
    gateway_play_assert_state(fixture, lease.entry.job_id, "running");
    gateway_play_finish(fixture, &lease, JOB_SUCCEEDED, "", -1);
}

/* In place of all, where there is no server; mongo_server_program has said so. */
static void jobs_in_mongodb(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(document_stream_and_hash_agree_after_a_post, clear),
        cmocka_unit_test_setup(a_running_job_shows_its_progress, clear),
        cmocka_unit_test_setup(a_report_is_served_from_the_store, clear),
        cmocka_unit_test_setup(a_second_job_of_a_live_type_and_shop_is_409_and_leaves_no_document, clear),
        cmocka_unit_test_setup(an_idempotency_key_gives_the_same_job_again, clear),
        cmocka_unit_test_setup(a_scheduled_job_is_promoted_when_its_time_comes, clear),
        cmocka_unit_test_setup(an_unchanged_job_is_304_for_who_has_it, clear),
        cmocka_unit_test_setup(a_preferred_wait_ends_at_the_next_state, clear),
        cmocka_unit_test_setup(the_route_of_old_answers_when_the_model_is_trained, clear),
        cmocka_unit_test_setup(a_business_error_is_400_in_the_words_of_old, clear),
        cmocka_unit_test_setup(a_failure_is_500_without_its_detail, clear),
        cmocka_unit_test_setup(a_second_get_joins_the_live_job, clear),
        cmocka_unit_test_setup(the_wait_ends_with_202_and_the_place_of_the_job, clear),
        cmocka_unit_test_setup(a_client_that_leaves_does_not_cancel, clear),
    };

    const struct CMUnitTest skipped[] = {cmocka_unit_test(jobs_in_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
