/* A cross-sell by way of a real gateway and a real worker: the old route, and the command line. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/cli_fixture.h"
#include "tests/integration/gateway_fixture.h"
#include "tests/integration/worker_fixture.h"

#define OLD_ROUTE "/train_cross_sell_model_by_http_request"

/* The gateway's Redis and store are the worker's. */
struct scene {
    struct worker_fixture *worker;
    struct gateway_fixture gateway;
    char url[64];
    struct cli_setup cli;
};

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    void *worker = NULL;

    if (scene == NULL || worker_fixture_start(&worker) != 0)
        return -1;
    scene->worker = worker;
    *state = scene;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;
    void *worker = scene->worker;

    free(scene);
    return worker_fixture_stop(&worker);
}

static int clear(void **state)
{
    struct scene *scene = *state;
    static const char *const settings[] = {"API_NAMESPACE=" WORKER_SHOP, NULL};
    void *worker = scene->worker;

    if (worker_fixture_clear(&worker) != 0)
        return -1;
    scene->gateway = (struct gateway_fixture){.queue = scene->worker->queue};
    (void)snprintf(scene->gateway.store_url, sizeof scene->gateway.store_url, "%.200s", scene->worker->store_url);
    assert_true(server_prepare(&scene->gateway.gateway));
    gateway_fixture_start_gateway(&scene->gateway, settings);
    gateway_fixture_wait_for_log(&scene->gateway, "queue.ready");
    gateway_fixture_wait_for_log(&scene->gateway, "store.ready");
    (void)snprintf(scene->url, sizeof scene->url, "http://127.0.0.1:%d", scene->gateway.gateway.port);
    scene->cli = (struct cli_setup){.url = scene->url, .key = API_KEY};
    worker_fixture_run(scene->worker, 0, NULL);
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    void *worker = scene->worker;
    int status = gateway_fixture_end_gateway(&scene->gateway);

    server_fini(&scene->gateway.gateway);
    job_store_close(scene->gateway.store);
    return worker_fixture_end_workers(&worker) == 0 && status == 0 ? 0 : -1;
}

static void assert_trained(struct http_probe *probe)
{
    struct http_probe_answer answer;

    assert_true(http_probe_receive(probe, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"message\":\"Model trained and recommendations updated\"}");
    http_probe_answer_fini(&answer);
    http_probe_close(probe);
}

static void the_old_route_runs_a_job_that_another_caller_joins(void **state)
{
    struct scene *scene = *state;
    struct http_probe first;
    struct http_probe second;
    struct http_probe_answer answer;
    const char *value;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    assert_true(cms_server_control(&scene->worker->cms, "{\"fault\":{\"kind\":\"slow\",\"ms\":400}}"));
    assert_true(http_probe_open(&first, scene->gateway.gateway.port));
    assert_true(http_probe_ask(&first, "GET", OLD_ROUTE, WITH_KEY, NULL));
    while (queue_fixture_ask_int(scene->gateway.queue, "ZCARD", QUEUE_KEY("open"), NULL) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    assert_true(http_probe_open(&second, scene->gateway.gateway.port));
    assert_true(http_probe_ask(&second, "GET", OLD_ROUTE, WITH_KEY, NULL));
    gateway_fixture_wait_for_log(&scene->gateway, "job.joined");
    assert_trained(&first);
    assert_trained(&second);
    assert_int_equal(gateway_fixture_count(&scene->gateway, NULL), 1);
    answer = gateway_fixture_ask(&scene->gateway, "GET", "/v1/recommendations/cross-sell/7", WITH_KEY, NULL);
    assert_int_equal(answer.status, 200);
    value = worker_fixture_target(scene->worker, 3, "GET", "7", NULL);
    if (strstr(answer.body, value) == NULL)
        fail_msg("%s is not in %s", value, answer.body);
    http_probe_answer_fini(&answer);
}

static void what_cannot_be_made_is_a_business_error_there(void **state)
{
    struct scene *scene = *state;
    struct http_probe_answer answer;

    assert_true(cms_server_control(&scene->worker->cms, "{\"catalogue\":0.0}"));
    answer = gateway_fixture_ask(&scene->gateway, "GET", OLD_ROUTE, WITH_KEY, NULL);
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.body, "{\"message\":\"Products are required.\",\"exception\":null}");
    http_probe_answer_fini(&answer);
}

static void the_command_line_submits_reports_and_recommends(void **state)
{
    struct scene *scene = *state;
    struct cli_program program;
    char id[JOB_ID_BYTES];
    char first[32];

    assert_int_equal(cli_program_run(&program, &scene->cli, "submit", "cross_sell", "--watch", NULL), 0);
    cli_program_assert_output(&program, "products 90, published 90");
    (void)snprintf(id, sizeof id, "%s", strstr(program.output.text, "job ") + strlen("job "));
    cli_program_fini(&program);

    assert_int_equal(cli_program_run(&program, &scene->cli, "report", id, NULL), 0);
    cli_program_assert_output(&program, "cross_sell: succeeded");
    cli_program_assert_output(&program, "pairs ");
    cli_program_assert_output(&program, "product_pairs ");
    cli_program_assert_output(&program, "cross_sell_keys 90");
    cli_program_fini(&program);

    assert_int_equal(cli_program_run(&program, &scene->cli, "report", id, "--text", NULL), 0);
    cli_program_assert_output(&program, "looked at or bought together with");
    cli_program_fini(&program);

    assert_int_equal(cli_program_run(&program, &scene->cli, "recommend", "cross-sell", "7", NULL), 0);
    cli_program_assert_output(&program, "cross-sell 7  key 7\n");
    (void)snprintf(first, sizeof first, "  1. %lld\n",
                   strtoll(worker_fixture_target(scene->worker, 3, "GET", "7", NULL) + 1, NULL, 10));
    cli_program_assert_output(&program, first);
    cli_program_fini(&program);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_old_route_runs_a_job_that_another_caller_joins),
        TEST(what_cannot_be_made_is_a_business_error_there),
        TEST(the_command_line_submits_reports_and_recommends),
    };

    return cmocka_run_group_tests_name("cross_sell_gateway", tests, start, stop);
}
