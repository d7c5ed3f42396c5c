/* The routes of the service of old: one GET runs a job, others join it, all are answered in the old words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"

#define CROSS_SELL "/train_cross_sell_model_by_http_request"
#define SEARCH     "/test_hyperparameter_optimization"

enum { SOON_MS = 4000 };

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct gateway_fixture));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static struct gateway_fixture *start(void **state, const char *const *settings)
{
    gateway_fixture_start(*state, settings, false);
    return *state;
}

static void ask(struct gateway_fixture *fixture, struct http_probe *probe, const char *path)
{
    assert_true(http_probe_open(probe, fixture->gateway.port));
    assert_true(http_probe_ask(probe, "GET", path, WITH_KEY, NULL));
}

/* The next job, which comes before the deadline, runs. */
static struct job_queue_lease take(struct gateway_fixture *fixture, enum job_type type)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    struct job_queue_entry entry = {0};
    struct job_queue_lease lease = {0};
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_started started;
    struct err err = {0};
    char unique[128];
    char *args = NULL;

    while (queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    entry = queue_fixture_read(fixture->queue, WORKER_A);
    (void)snprintf(unique, sizeof unique, "%s", queue_fixture_job_field(fixture->queue, entry.job_id, "uniq"));
    job_queue_start_command(&command, QUEUE, &entry, unique, WORKER_A, LEASE_MS, 0);
    reply = queue_fixture_send(fixture->queue, &command);
    assert_int_equal(job_queue_start_parse(reply, &started, &lease, &args, &err), ERR_OK);
    assert_int_equal(started, JOB_QUEUE_RUN);
    assert_int_equal(lease.type, type);
    lease.entry = entry;
    redis_reply_destroy(reply);
    free(args);
    return lease;
}

/* The document, then the queue, as a worker does. */
static void end(struct gateway_fixture *fixture, const struct job_queue_lease *lease, enum job_state state,
                const char *changes)
{
    struct json *value = NULL;
    struct err err = {0};
    bool applied = false;

    assert_int_equal(json_value_parse(&value, changes, strlen(changes), &err), ERR_OK);
    if (job_store_update(gateway_fixture_store(fixture), lease->entry.job_id, lease->fence, value, &applied, &err) !=
        ERR_OK)
        fail_msg("%s", err.message);
    assert_true(applied);
    json_value_destroy(value);
    assert_int_equal(queue_fixture_finish(fixture->queue, lease, state, -1), JOB_QUEUE_FINISH_OK);
}

static void assert_answer(struct http_probe *probe, int status, const char *body)
{
    struct http_probe_answer answer;
    char value[128];

    assert_true(http_probe_receive(probe, &answer, false));
    if (answer.status != status || strcmp(answer.body, body) != 0)
        fail_msg("%d %s", answer.status, answer.body);
    assert_true(http_probe_header(&answer, "deprecation", value, sizeof value));
    assert_true(http_probe_header(&answer, "link", value, sizeof value));
    assert_string_equal(value, "</v1/jobs>; rel=\"successor-version\"");
    http_probe_answer_fini(&answer);
    http_probe_close(probe);
}

static void cross_sell_is_trained_and_answered_at_its_end(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct job_queue_lease lease;
    int64_t begun_ms;

    ask(fixture, &probe, CROSS_SELL);
    lease = take(fixture, JOB_CROSS_SELL);
    begun_ms = gateway_fixture_now_ms();
    end(fixture, &lease, JOB_SUCCEEDED, "{\"state\":\"succeeded\"}");
    assert_answer(&probe, 200, "{\"message\":\"Model trained and recommendations updated\"}");
    assert_true(gateway_fixture_now_ms() - begun_ms < SOON_MS);
}

static void a_search_answers_what_it_found(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct job_queue_lease lease;

    ask(fixture, &probe, SEARCH);
    lease = take(fixture, JOB_HYPERPARAMETER_SEARCH);
    end(fixture, &lease, JOB_SUCCEEDED,
        "{\"state\":\"succeeded\",\"result\":{\"best_params\":{\"factors\":64},\"best_score\":0.25,"
        "\"all_results\":[1,2],\"test_info\":{\"users\":7}}}");
    assert_answer(&probe, 200,
                  "{\"message\":\"Hyperparameter optimization completed\",\"best_params\":{\"factors\":64},"
                  "\"best_score\":0.25,\"test_info\":{\"users\":7}}");
}

static void a_search_without_data_is_400_and_one_that_failed_500(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct job_queue_lease lease;

    ask(fixture, &probe, SEARCH);
    lease = take(fixture, JOB_HYPERPARAMETER_SEARCH);
    end(fixture, &lease, JOB_DEAD,
        "{\"state\":\"dead\",\"error\":{\"code\":\"no_data\",\"message\":\"no interactions\",\"transient\":false}}");
    assert_answer(&probe, 400, "{\"message\":\"no interactions\",\"exception\":null}");
    (void)queue_fixture_ask(fixture->queue, "DEL", QUEUE_KEY("s"), NULL);
    (void)queue_fixture_ask(fixture->queue, "XGROUP", "CREATE", QUEUE_KEY("s"), "g", "0", "MKSTREAM", NULL);
    ask(fixture, &probe, SEARCH);
    lease = take(fixture, JOB_HYPERPARAMETER_SEARCH);
    end(fixture, &lease, JOB_DEAD,
        "{\"state\":\"dead\",\"error\":{\"code\":\"numeric\",\"message\":\"a detail\",\"transient\":false}}");
    assert_answer(&probe, 500,
                  "{\"message\":\"An error occurred during hyperparameter optimization\",\"exception\":null}");
}

/* The worker could not reach the store: the queue alone knows of the end, but not what was found. */
static void a_search_whose_result_is_not_known_is_202(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct job_queue_lease lease;
    char body[256];

    ask(fixture, &probe, SEARCH);
    lease = take(fixture, JOB_HYPERPARAMETER_SEARCH);
    assert_int_equal(queue_fixture_finish(fixture->queue, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    (void)snprintf(body, sizeof body,
                   "{\"message\":\"The hyperparameters are being optimized\",\"job\":\"/v1/jobs/%s\"}",
                   lease.entry.job_id);
    assert_answer(&probe, 202, body);
}

static void who_will_not_wait_is_202_with_the_jobs_place(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    static const char *const preferences[] = {"respond-async", "wait=0", "respond-async, wait=10"};
    char first[64] = "";

    for (size_t i = 0; i < sizeof preferences / sizeof preferences[0]; i++) {
        struct http_probe_answer answer;
        char headers[128];
        char location[64];

        (void)snprintf(headers, sizeof headers, WITH_KEY "Prefer: %s\r\n", preferences[i]);
        answer = gateway_fixture_ask(fixture, "GET", CROSS_SELL, headers, NULL);
        assert_int_equal(answer.status, 202);
        assert_true(http_probe_header(&answer, "location", location, sizeof location));
        if (first[0] == '\0')
            (void)snprintf(first, sizeof first, "%s", location);
        assert_string_equal(location, first); /* all the same job */
        assert_int_equal(strncmp(location, "/v1/jobs/", strlen("/v1/jobs/")), 0);
        http_probe_answer_fini(&answer);
    }
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 1);
    assert_int_equal(gateway_fixture_count(fixture, NULL), 1);
}

static void a_get_that_joins_is_no_submission(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_SUBMIT=1", "RATE_LIMIT_READ=100", NULL};
    struct gateway_fixture *fixture = start(state, settings);
    const char *headers = WITH_KEY "Prefer: respond-async\r\n";
    struct http_probe_answer answer;
    struct job_queue_lease lease;

    assert_int_equal(gateway_fixture_status(fixture, "GET", CROSS_SELL, headers, NULL), 202);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gateway_fixture_status(fixture, "GET", CROSS_SELL, headers, NULL), 202);
    answer = gateway_fixture_ask(fixture, "GET", SEARCH, headers, NULL); /* the second submission of this hour */
    assert_int_equal(answer.status, 429);
    assert_non_null(strstr(answer.body, "\"exception\":null}"));
    http_probe_answer_fini(&answer);
    lease = take(fixture, JOB_CROSS_SELL);
    end(fixture, &lease, JOB_SUCCEEDED, "{\"state\":\"succeeded\"}");
    assert_int_equal(gateway_fixture_status(fixture, "GET", CROSS_SELL, headers, NULL), 429); /* nothing to join */
    assert_int_equal(gateway_fixture_count(fixture, NULL), 1);
}

/* As after a failover that lost the end of a run, but not its HASH. */
static void a_lock_that_a_finished_job_holds_is_no_live_run(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct http_probe_answer answer;
    struct job_queue_lease lease;
    char location[64];
    char unique[128];

    ask(fixture, &probe, CROSS_SELL);
    lease = take(fixture, JOB_CROSS_SELL);
    (void)snprintf(unique, sizeof unique, "%s", queue_fixture_job_field(fixture->queue, lease.entry.job_id, "uniq"));
    end(fixture, &lease, JOB_SUCCEEDED, "{\"state\":\"succeeded\"}");
    assert_answer(&probe, 200, "{\"message\":\"Model trained and recommendations updated\"}");
    (void)queue_fixture_ask(fixture->queue, "SET", unique, lease.entry.job_id, NULL);
    answer = gateway_fixture_ask(fixture, "GET", CROSS_SELL, WITH_KEY "Prefer: respond-async\r\n", NULL);
    assert_int_equal(answer.status, 202);
    assert_true(http_probe_header(&answer, "location", location, sizeof location));
    assert_null(strstr(location, lease.entry.job_id));
    http_probe_answer_fini(&answer);
}

static void a_client_that_leaves_does_not_cancel(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe leaving;
    struct http_probe staying;
    struct job_queue_lease lease;

    ask(fixture, &leaving, CROSS_SELL);
    lease = take(fixture, JOB_CROSS_SELL);
    ask(fixture, &staying, CROSS_SELL);
    gateway_fixture_wait_for_log(fixture, "job.joined");
    http_probe_close(&leaving);
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.5, "pairs"), JOB_QUEUE_BEAT_OK);
    end(fixture, &lease, JOB_SUCCEEDED, "{\"state\":\"succeeded\"}");
    assert_answer(&staying, 200, "{\"message\":\"Model trained and recommendations updated\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cross_sell_is_trained_and_answered_at_its_end),        TEST(a_search_answers_what_it_found),
        TEST(a_search_without_data_is_400_and_one_that_failed_500), TEST(a_search_whose_result_is_not_known_is_202),
        TEST(who_will_not_wait_is_202_with_the_jobs_place),         TEST(a_get_that_joins_is_no_submission),
        TEST(a_lock_that_a_finished_job_holds_is_no_live_run),      TEST(a_client_that_leaves_does_not_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
