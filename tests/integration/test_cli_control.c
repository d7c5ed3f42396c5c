/*
 * The command line's cancel, retry, list, queue, workers, recommend and top against a real gateway.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_queue_control.h"
#include "tests/integration/cli_gateway.h"

enum { DONE = 0, FAILED = 1, REFUSED = 77 };

/* Runs recfleet with up to four words; its output holds the text (NULL: none is looked for). */
static void assert_run(struct cli_gateway *fixture, int status, const char *output, const char *first,
                       const char *second, const char *third, const char *fourth)
{
    struct cli_program program;
    int ended = cli_program_run(&program, &fixture->setup, first, second, third, fourth, NULL);

    if (ended != status)
        fail_msg("%s ends with %d, not %d: %s", first, ended, status,
                 program.errors.length > 0 ? program.errors.text : "");
    if (output != NULL)
        cli_program_assert_output(&program, output);
    cli_program_fini(&program);
}

static void submit(struct cli_gateway *fixture, const char *shop, char *id)
{
    gateway_fixture_submit(&fixture->gateway, "cross_sell", shop, id);
}

static void a_waiting_job_is_cancelled_and_queued_again(void **state)
{
    struct cli_gateway *fixture = *state;
    char id[JOB_ID_BYTES];
    char line[64];

    submit(fixture, "shop-1", id);
    (void)snprintf(line, sizeof line, "job %s cancelled\n", id);
    assert_run(fixture, DONE, line, "cancel", id, NULL, NULL);
    gateway_fixture_wait_for_state(&fixture->gateway, id, "cancelled");
    (void)snprintf(line, sizeof line, "job %s queued\n", id);
    assert_run(fixture, DONE, line, "retry", id, NULL, NULL);
    assert_run(fixture, FAILED, NULL, "retry", id, NULL, NULL);
}

static void a_running_jobs_worker_is_told(void **state)
{
    struct cli_gateway *fixture = *state;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-2", id);
    lease = cli_gateway_take(fixture);
    assert_run(fixture, DONE, "its worker is told", "cancel", id, NULL, NULL);
    assert_int_equal(queue_fixture_beat(fixture->gateway.queue, &lease, WORKER_A, 0.5, "pairs"), JOB_QUEUE_BEAT_CANCEL);
    assert_run(fixture, DONE, "to be cancelled", "status", id, NULL, NULL);
}

static void a_dead_job_is_retried_and_watched(void **state)
{
    struct cli_gateway *fixture = *state;
    struct job_queue_lease lease;
    struct cli_program program;
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-3", id);
    lease = cli_gateway_take(fixture);
    cli_gateway_finish(fixture, &lease, JOB_DEAD,
                       "{\"error\":{\"code\":\"no_data\",\"message\":\"nothing to train on\",\"transient\":false}}");
    assert_run(fixture, FAILED, NULL, "cancel", id, NULL, NULL);
    cli_program_start(&program, &fixture->setup, "retry", id, "--watch", NULL);
    cli_program_wait_for(&program, "\nqueued");
    lease = cli_gateway_take(fixture);
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{\"result\":{\"products\":12}}");
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_assert_output(&program, ": products 12\n");
    cli_program_fini(&program);
}

static void jobs_are_listed(void **state)
{
    struct cli_gateway *fixture = *state;
    char first[JOB_ID_BYTES];
    char second[JOB_ID_BYTES];
    struct cli_program program;

    submit(fixture, "shop-4", first);
    submit(fixture, "shop-5", second);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "list", "--namespace", "shop-4", NULL), DONE);
    cli_program_assert_output(&program, first);
    cli_program_assert_output(&program, "queued  cross_sell  shop-4  ");
    assert_null(strstr(program.output.text, second));
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "list", "--all", "--type", "cross_sell", NULL), DONE);
    assert_true(strstr(program.output.text, second) < strstr(program.output.text, first)); /* newest first */
    cli_program_fini(&program);
    assert_run(fixture, FAILED, NULL, "list", "--state", "asleep", NULL);
}

static void a_paused_queue_is_shown(void **state)
{
    struct cli_gateway *fixture = *state;
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-6", id);
    assert_run(fixture, DONE, QUEUE "   open       1        0         0          0  ", "queue", NULL, NULL, NULL);
    assert_run(fixture, DONE, QUEUE "   paused ", "queue", "pause", NULL, NULL);
    assert_string_equal(queue_fixture_ask(fixture->gateway.queue, "EXISTS", QUEUE_KEY("paused"), NULL), "1");
    assert_run(fixture, DONE, QUEUE "   open ", "queue", "resume", "--queue", QUEUE);
    assert_string_equal(queue_fixture_ask(fixture->gateway.queue, "EXISTS", QUEUE_KEY("paused"), NULL), "0");
    assert_run(fixture, FAILED, NULL, "queue", "pause", "--queue", "other");
}

static void workers_are_listed(void **state)
{
    const struct job_queue_worker worker = {.name = "gpu-7f-1",
                                            .host = "gpu-7f",
                                            .device = "cpu",
                                            .version = RECFLEET_VERSION,
                                            .job = "",
                                            .state = "working",
                                            .queues = QUEUE,
                                            .pid = 1,
                                            .started_ms = 1767225600000};
    struct cli_gateway *fixture = *state;
    struct redis_command command;

    assert_run(fixture, DONE, "no worker is there\n", "workers", NULL, NULL, NULL);
    job_queue_register_command(&command, QUEUE, &worker);
    redis_reply_destroy(queue_fixture_send(fixture->gateway.queue, &command));
    assert_run(fixture, DONE, "gpu-7f-1  gpu-7f  cpu     working  -    " QUEUE " ", "workers", NULL, NULL, NULL);
    assert_run(fixture, DONE, "gpu-7f-1", "top", NULL, NULL, NULL);
}

static void what_is_published_is_shown(void **state)
{
    struct cli_gateway *fixture = *state;
    struct queue_fixture *queue = fixture->gateway.queue;

    assert_string_equal(queue_fixture_ask(queue, "SELECT", "1", NULL), "OK");
    assert_string_equal(queue_fixture_ask(queue, "SET", "dXNlcg==", "[12345,7]", "EX", "7200", NULL), "OK");
    assert_string_equal(queue_fixture_ask(queue, "SELECT", "0", NULL), "OK");
    assert_run(fixture, DONE, "  1. 12345\n  2. 7\n", "recommend", "homepage", "dXNlcg==", "--namespace=shop-1");
    assert_run(fixture, FAILED, NULL, "recommend", "similar", "999", "--namespace=shop-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_waiting_job_is_cancelled_and_queued_again, cli_gateway_clear),
        cmocka_unit_test_setup(a_running_jobs_worker_is_told, cli_gateway_clear),
        cmocka_unit_test_setup(a_dead_job_is_retried_and_watched, cli_gateway_clear),
        cmocka_unit_test_setup(jobs_are_listed, cli_gateway_clear),
        cmocka_unit_test_setup(a_paused_queue_is_shown, cli_gateway_clear),
        cmocka_unit_test_setup(workers_are_listed, cli_gateway_clear),
        cmocka_unit_test_setup(what_is_published_is_shown, cli_gateway_clear),
    };

    return cmocka_run_group_tests(tests, cli_gateway_start, cli_gateway_stop);
}
