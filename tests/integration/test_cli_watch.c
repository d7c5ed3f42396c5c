/*
 * `recfleet watch` and `submit --watch`: progress, endings, interruptions, a gateway that goes and comes.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/cli_gateway.h"

enum { DONE = 0, FAILED = 1, LATER = 75, REFUSED = 77, INTERRUPTED = 130 };

/* A watched job of a shop, begun by a worker. The program has shown that it is queued. */
static struct job_queue_lease submit_watched(struct cli_gateway *fixture, struct cli_program *program,
                                             const struct cli_setup *setup, const char *shop)
{
    char param[64];

    (void)snprintf(param, sizeof param, "namespace=%s", shop);
    cli_program_start(program, setup, "submit", "cross_sell", "--watch", "--param", param, NULL);
    cli_program_wait_for(program, "  0 %");
    return cli_gateway_take(fixture);
}

static void beat(struct cli_gateway *fixture, const struct job_queue_lease *lease, double progress, const char *stage)
{
    assert_int_equal(queue_fixture_beat(fixture->gateway.queue, lease, WORKER_A, progress, stage), JOB_QUEUE_BEAT_OK);
}

static void a_job_is_followed_to_its_end(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->setup, "shop-1");

    cli_program_wait_for(&program, "\nrunning");
    beat(fixture, &lease, 0.25, "pairs");
    cli_program_wait_for(&program, " 25 %  pairs");
    beat(fixture, &lease, 0.75, "publish");
    cli_program_wait_for(&program, " 75 %  publish");
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{\"result\":{\"products\":3001}}");
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_assert_output(&program, "\nsucceeded after 2.0 s: products 3,001\n");
    assert_null(strchr(program.output.text, '\r'));
    gateway_fixture_wait_for_log(&fixture->gateway, "/v1/jobs/{id}/events"); /* it came by the stream */
    cli_program_fini(&program);
}

static void a_job_that_failed_is_told_with_its_error(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->setup, "shop-2");

    cli_gateway_finish(fixture, &lease, JOB_DEAD,
                       "{\"error\":{\"code\":\"no_data\",\"message\":\"nothing to train on\",\"transient\":false}}");
    assert_int_equal(cli_program_end(&program), FAILED);
    cli_program_assert_output(&program, ": nothing to train on\n");
    cli_program_fini(&program);
}

static void a_terminal_shows_a_bar(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->terminal, "shop-3");

    beat(fixture, &lease, 0.5, "pairs");
    cli_program_wait_for(&program, "████████████████████\033[0m\033[2m░░░░░░░░░░░░░░░░░░░░\033[0m  50 %  pairs");
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_assert_output(&program, "\r\033[K\033[32msucceeded\033[0m after");
    cli_program_fini(&program);
}

static void interrupting_ends_the_watching_alone(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->setup, "shop-4");

    assert_int_equal(kill(program.pid, SIGINT), 0);
    assert_int_equal(cli_program_end(&program), INTERRUPTED);
    cli_program_assert_error(&program, lease.entry.job_id);
    cli_program_fini(&program);
    beat(fixture, &lease, 0.5, "pairs"); /* it goes on */
}

static void a_wait_ends_when_asked_to(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->setup, "shop-5");

    cli_program_wait_for(&program, "\nrunning");
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    assert_int_equal(cli_program_end(&program), INTERRUPTED);
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "watch", lease.entry.job_id, "--timeout", "1", NULL),
                     LATER);
    cli_program_assert_error(&program, "the wait is over");
    cli_program_fini(&program);
}

static void a_gateway_that_comes_back_is_waited_for(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease = submit_watched(fixture, &program, &fixture->setup, "shop-6");

    cli_program_wait_for(&program, "\nrunning");
    assert_int_equal(gateway_fixture_end_gateway(&fixture->gateway), 0);
    cli_program_wait_for_error(&program, "Connection refused; trying again");
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    gateway_fixture_start_gateway(&fixture->gateway, NULL);
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_assert_output(&program, "succeeded after");
    cli_program_fini(&program);
}

static void what_is_not_there_is_not_waited_for(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_setup stranger = {.url = fixture->url, .key = "wrong"};
    struct cli_program program;

    assert_int_equal(cli_program_run(&program, &fixture->setup, "watch", "01JZWQ5T8X9C3M7V2K4N6P8R0S", NULL), FAILED);
    cli_program_assert_error(&program, "404");
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &stranger, "watch", "01JZWQ5T8X9C3M7V2K4N6P8R0S", NULL), REFUSED);
    cli_program_fini(&program);
}

static void json_is_a_line_a_change(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease;
    size_t lines = 0;

    cli_program_start(&program, &fixture->setup, "--json", "submit", "cross_sell", "--watch", "--param",
                      "namespace=shop-7", NULL);
    cli_program_wait_for(&program, "\"state\":\"queued\"");
    lease = cli_gateway_take(fixture);
    cli_program_wait_for(&program, "\"state\":\"running\"");
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    assert_int_equal(cli_program_end(&program), DONE);
    for (char *line = program.output.text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        struct json *value = NULL;

        assert_int_equal(json_value_parse(&value, line, (size_t)(end - line), NULL), ERR_OK);
        assert_string_equal(json_value_get_text(value, "id"), lease.entry.job_id);
        json_value_destroy(value);
        lines++;
    }
    assert_true(lines >= 3);
    cli_program_assert_output(&program, "\"state\":\"succeeded\"");
    cli_program_fini(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_job_is_followed_to_its_end, cli_gateway_clear),
        cmocka_unit_test_setup(a_job_that_failed_is_told_with_its_error, cli_gateway_clear),
        cmocka_unit_test_setup(a_terminal_shows_a_bar, cli_gateway_clear),
        cmocka_unit_test_setup(interrupting_ends_the_watching_alone, cli_gateway_clear),
        cmocka_unit_test_setup(a_wait_ends_when_asked_to, cli_gateway_clear),
        cmocka_unit_test_setup(a_gateway_that_comes_back_is_waited_for, cli_gateway_clear),
        cmocka_unit_test_setup(what_is_not_there_is_not_waited_for, cli_gateway_clear),
        cmocka_unit_test_setup(json_is_a_line_a_change, cli_gateway_clear),
    };

    return cmocka_run_group_tests(tests, cli_gateway_start, cli_gateway_stop);
}
