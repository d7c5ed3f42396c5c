/* What a worker tells of its jobs on METRICS_LISTEN. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"
#include "tests/support/http_probe.h"
#include "tests/support/metrics_text.h"

#define HOMEPAGE "homepage_and_similar_products"
#define RUNS(outcome) \
    "recfleet_worker_job_runs_total{type=\"" HOMEPAGE "\",namespace=\"" WORKER_SHOP "\",outcome=\"" outcome "\"}"

enum { SETTING_BYTES = 64 };

/* Runs worker `i` with /metrics on a free port. */
static int run_watched(struct worker_fixture *fixture, int i, const char *setting)
{
    char listen[SETTING_BYTES];
    const char *const settings[] = {listen, setting, NULL};
    int port = server_free_port();

    (void)snprintf(listen, sizeof listen, "METRICS_LISTEN=127.0.0.1:%d", port);
    worker_fixture_run(fixture, i, settings);
    worker_fixture_wait_for_log(fixture, i, "metrics.listening");
    return port;
}

static bool has(int port, const char *sample, double *value)
{
    struct http_probe_answer answer;
    char problem[256];
    bool found;
    int line;

    if (!http_probe_once(port, "GET", "/metrics", NULL, NULL, &answer))
        fail_msg("no answer of /metrics");
    assert_int_equal(answer.status, 200);
    if (!metrics_text_check(answer.body, &line, problem, sizeof problem))
        fail_msg("line %d: %s\n%s", line, problem, answer.body);
    found = metrics_text_value(answer.body, sample, value);
    http_probe_answer_fini(&answer);
    return found;
}

static void wait_for_value(int port, const char *sample, double wanted)
{
    int64_t deadline_ms = worker_fixture_now_ms() + WORKER_WAIT_MS;
    double value = -1;

    while (!has(port, sample, &value) || value < wanted || value > wanted) {
        if (worker_fixture_now_ms() > deadline_ms)
            fail_msg("%s is %g, not %g", sample, value, wanted);
        worker_fixture_pause();
    }
}

static void submit(struct worker_fixture *fixture, const char *more, char *id)
{
    char params[160];

    (void)snprintf(params, sizeof params, "{\"now\":%lld%s}", (long long)fixture->now_s, more);
    worker_fixture_submit(fixture, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, params, id);
}

static void a_run_is_counted_with_its_stages(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    double value;
    int port = run_watched(fixture, 0, NULL);

    assert_true(has(port, "recfleet_worker_busy", &value));
    assert_float_equal(value, 0, 0);
    submit(fixture, "", id);
    worker_fixture_wait_for_document(fixture, id, "succeeded");
    wait_for_value(port, RUNS("succeeded"), 1);
    wait_for_value(port, "recfleet_worker_busy", 0);
    assert_true(has(port, "recfleet_worker_stage_duration_seconds_count{type=\"" HOMEPAGE "\",stage=\"als\"}", &value));
    assert_float_equal(value, 1, 0);
    assert_true(has(port, "recfleet_worker_stage_duration_seconds_sum{type=\"" HOMEPAGE "\",stage=\"fetch\"}", &value));
    assert_true(value > 0 && value < 60);
    assert_true(has(port, "recfleet_worker_job_run_duration_seconds_count{type=\"" HOMEPAGE "\"}", &value));
    assert_float_equal(value, 1, 0);
    assert_true(has(port, "recfleet_build_info{program=\"worker\",version=\"" RECFLEET_VERSION "\"}", &value));
    assert_true(has(port, "recfleet_queue_up", &value));
    assert_float_equal(value, 1, 0);
}

static void a_child_that_was_killed_is_told_and_tried_again(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    int port = run_watched(fixture, 0, NULL);

    submit(fixture, ",\"iterations\":60,\"factors\":32", id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    wait_for_value(port, "recfleet_worker_busy", 1);
    assert_int_equal(kill(worker_fixture_child(fixture, 0), SIGKILL), 0);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    wait_for_value(port, "recfleet_worker_children_killed_total{signal=\"SIGKILL\"}", 1);
    wait_for_value(port, "recfleet_worker_retries_total", 1);
    wait_for_value(port, RUNS("retrying"), 1);
    wait_for_value(port, RUNS("succeeded"), 1);
}

static void a_lease_that_was_lost_is_told(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char key[64];
    int port = run_watched(fixture, 0, NULL);

    submit(fixture, ",\"iterations\":200,\"factors\":32", id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "HSET", key, "fence", "9999999999999", NULL), 0);
    wait_for_value(port, "recfleet_worker_leases_lost_total", 1);
    wait_for_value(port, RUNS("lost"), 1);
}

static void a_reconnect_is_counted(void **state)
{
    struct worker_fixture *fixture = *state;
    int64_t deadline_ms = worker_fixture_now_ms() + WORKER_WAIT_MS;
    int port = run_watched(fixture, 0, NULL);
    double value = 0;

    worker_fixture_wait_for_log(fixture, 0, "queue.ready");
    (void)queue_fixture_ask(fixture->queue, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL);
    while (!has(port, "recfleet_redis_reconnects_total", &value) || value < 1) {
        assert_true(worker_fixture_now_ms() < deadline_ms);
        worker_fixture_pause();
    }
}

/* Training goes on without. */
static void a_port_that_is_taken_is_a_warning(void **state)
{
    struct worker_fixture *fixture = *state;
    char listen[SETTING_BYTES];
    const char *const settings[] = {listen, NULL};
    char id[JOB_ID_BYTES];
    int port = run_watched(fixture, 0, NULL);

    (void)snprintf(listen, sizeof listen, "METRICS_LISTEN=127.0.0.1:%d", port);
    worker_fixture_run(fixture, 1, settings);
    worker_fixture_wait_for_log(fixture, 1, "metrics.not_served");
    assert_int_equal(kill(fixture->workers[0].pid, SIGTERM), 0);
    assert_int_equal(worker_fixture_await_end(fixture, 0), 0);
    submit(fixture, ",\"publish\":false", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_is_counted_with_its_stages, worker_fixture_clear,
                                        worker_fixture_end_workers),
        cmocka_unit_test_setup_teardown(a_child_that_was_killed_is_told_and_tried_again, worker_fixture_clear,
                                        worker_fixture_end_workers),
        cmocka_unit_test_setup_teardown(a_lease_that_was_lost_is_told, worker_fixture_clear,
                                        worker_fixture_end_workers),
        cmocka_unit_test_setup_teardown(a_reconnect_is_counted, worker_fixture_clear, worker_fixture_end_workers),
        cmocka_unit_test_setup_teardown(a_port_that_is_taken_is_a_warning, worker_fixture_clear,
                                        worker_fixture_end_workers),
    };

    return cmocka_run_group_tests(tests, worker_fixture_start, worker_fixture_stop);
}
