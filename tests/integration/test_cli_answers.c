/*
 * The command line against a gateway that answers anything: pages, overviews, limits, and what is no gateway at all.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/canned_gateway.h"
#include "tests/integration/cli_fixture.h"

#define ID      "01JZWQ5T8X9C3M7V2K4N6P8R0S"
#define PROBLEM "Content-Type: application/problem+json\r\n"
#define JOB(number, state)                                                                                             \
    "{\"id\":\"01JZWQ5T8X9C3M7V2K4N6P8R" number "\",\"type\":\"cross_sell\",\"namespace\":\"toys\",\"state\":\"" state \
    "\",\"progress\":0.5,\"created_at\":\"2026-01-01T00:00:00Z\",\"error\":null,\"result\":{\"published\":1234}}"

enum { DONE = 0, FAILED = 1, USAGE = 64, UNAVAILABLE = 69, INTERNAL = 70, LATER = 75 };

static const char queue[] =
    "{\"queues\":[{\"queue\":\"train\",\"paused\":true,\"states\":{\"scheduled\":1,\"queued\":1234,"
    "\"running\":2,\"retrying\":0},\"oldest_queued_at\":\"2026-01-01T00:00:00Z\"}]}";
static const char workers[] =
    "{\"workers\":[{\"worker\":\"w-1\",\"host\":\"gpu-7f\",\"pid\":1,\"device\":\"cpu\",\"version\":\"0.1.0\",\"job\":"
    "null,"
    "\"state\":\"working\",\"queues\":\"train\",\"heartbeat_at\":\"2026-01-01T00:00:00Z\",\"started_at\":null}]}";

struct answers {
    struct canned_gateway gateway;
    struct cli_setup setup;
    struct cli_setup terminal;
};

static int setup(void **state)
{
    struct answers *answers = calloc(1, sizeof *answers);

    assert_non_null(answers);
    canned_gateway_start(&answers->gateway);
    answers->setup = (struct cli_setup){.url = answers->gateway.url, .key = "secret-key"};
    answers->terminal = answers->setup;
    answers->terminal.terminal = true;
    *state = answers;
    return 0;
}

static int teardown(void **state)
{
    struct answers *answers = *state;

    canned_gateway_stop(&answers->gateway);
    free(answers);
    return 0;
}

#define SET(answers, ...)                                                       \
    do {                                                                        \
        const struct canned_answer all[] = {__VA_ARGS__};                       \
                                                                                \
        canned_gateway_set(&(answers)->gateway, all, sizeof all / sizeof *all); \
    } while (false)

static void pages_are_followed(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers,
        {.request = "GET /v1/jobs?limit=100&state=dead&namespace=a%26b&cursor=x%2Fy ",
         .status = 200,
         .body = "{\"jobs\":[" JOB("03", "dead") "],\"next_cursor\":null}"},
        {.request = "GET /v1/jobs?limit=100&state=dead&namespace=a%26b ",
         .status = 200,
         .body = "{\"jobs\":[" JOB("01", "dead") "," JOB("02", "dead") "],\"next_cursor\":\"x/y\"}"});
    assert_int_equal(
        cli_program_run(&program, &answers->setup, "list", "--all", "--state", "dead", "--namespace", "a&b", NULL),
        DONE);
    cli_program_assert_output(&program, "01JZWQ5T8X9C3M7V2K4N6P8R01  dead");
    cli_program_assert_output(&program, "01JZWQ5T8X9C3M7V2K4N6P8R03  dead");
    cli_program_assert_output(&program, "published 1,234\n");
    cli_program_fini(&program);
    assert_true(canned_gateway_was_asked(&answers->gateway, "Authorization: Bearer secret-key\r\n"));
}

static void no_more_jobs_are_shown_than_were_asked_for(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/jobs?limit=1 ",
                  .status = 200,
                  .body = "{\"jobs\":[" JOB("01", "succeeded") "],\"next_cursor\":\"more\"}"});
    assert_int_equal(cli_program_run(&program, &answers->setup, "list", "--limit", "1", NULL), DONE);
    cli_program_fini(&program);
    assert_false(canned_gateway_was_asked(&answers->gateway, "cursor"));
    SET(answers, {.request = "GET /v1/jobs", .status = 200, .body = "{\"jobs\":[],\"next_cursor\":null}"});
    assert_int_equal(cli_program_run(&program, &answers->setup, "list", NULL), DONE);
    cli_program_assert_output(&program, "no such jobs\n");
    cli_program_fini(&program);
}

static void an_overview_is_shown_once_where_there_is_no_terminal(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/queue ", .status = 200, .body = queue},
        {.request = "GET /v1/workers ", .status = 200, .body = workers},
        {.request = "GET /v1/jobs?",
         .status = 200,
         .body = "{\"jobs\":[" JOB("01", "running") "],\"next_cursor\":null}"});
    assert_int_equal(cli_program_run(&program, &answers->setup, "top", NULL), DONE);
    cli_program_assert_output(&program, "train  paused   1,234        2         0          1  ");
    cli_program_assert_output(&program, "w-1     gpu-7f  cpu     working  -    train ");
    cli_program_assert_output(&program, "01JZWQ5T8X9C3M7V2K4N6P8R01  running");
    assert_null(strchr(program.output.text, '\033'));
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &answers->setup, "top", "--json", NULL), DONE);
    cli_program_assert_output(&program, "{\"queue\":{\"queues\":");
    cli_program_assert_output(&program, ",\"workers\":{\"workers\":");
    cli_program_fini(&program);
}

static void an_overview_gives_the_terminal_back(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/queue ", .status = 200, .body = queue},
        {.request = "GET /v1/workers ",
         .status = 503,
         .headers = PROBLEM,
         .body = "{\"detail\":\"the queue is away\"}"});
    cli_program_start(&program, &answers->terminal, "top", "--interval", "60", NULL);
    cli_program_wait_for(&program, "/v1/workers: 503: the queue is away");
    cli_program_wait_for(&program, "\033[J");
    cli_program_type(&program, "q");
    assert_int_equal(cli_program_end(&program), DONE);
    assert_memory_equal(program.output.text, "\033[?1049h", 8);
    cli_program_assert_output(&program, "\033[?7h\033[?25h\033[?1049l");
    cli_program_fini(&program);
    cli_program_start(&program, &answers->terminal, "top", "--interval", "60", NULL);
    cli_program_wait_for(&program, "\033[J");
    cli_program_type(&program, "\003"); /* ^C, as the terminal makes a signal of it */
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_assert_output(&program, "\033[?7h\033[?25h\033[?1049l");
    cli_program_fini(&program);
}

static void what_is_recommended_is_asked_for_as_it_is_written(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/recommendations/homepage/dXNlcg%3D%3D%2F ",
                  .status = 200,
                  .body = "{\"key\":\"dXNlcg==/\",\"products\":[12345,\"a-1\"],\"ttl_s\":7200}"});
    assert_int_equal(cli_program_run(&program, &answers->setup, "recommend", "homepage", "dXNlcg==/", NULL), DONE);
    cli_program_assert_output(&program, "lives for 2 h 00 min\n");
    cli_program_assert_output(&program, "  1. 12345\n  2. a-1\n");
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &answers->setup, "recommend", "sideways", "1", NULL), USAGE);
    cli_program_fini(&program);
}

static void a_queue_is_paused_by_its_name(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "POST /v1/queue/pause?queue=a%26b ", .status = 200, .body = queue},
        {.request = "POST /v1/queue/resume ", .status = 200, .body = queue});
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", "pause", "--queue", "a&b", NULL), DONE);
    cli_program_assert_output(&program, "train  paused ");
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", "resume", NULL), DONE);
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", "stop", NULL), USAGE);
    cli_program_fini(&program);
}

static void limits_and_faults_have_statuses_of_their_own(void **state)
{
    static const struct {
        int http;
        int status;
    } cases[] = {{429, LATER}, {503, UNAVAILABLE}, {500, INTERNAL}, {409, FAILED}, {422, FAILED}, {401, 77}, {403, 77}};
    struct answers *answers = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_program program;

        SET(answers, {.request = "GET /v1/queue ",
                      .status = cases[i].http,
                      .headers = PROBLEM "Retry-After: 30\r\n",
                      .body = "{\"detail\":\"because \\u001b[31mof this\"}"});
        assert_int_equal(cli_program_run(&program, &answers->setup, "queue", NULL), cases[i].status);
        cli_program_assert_error(&program, "because  [31mof this");
        assert_null(strstr(program.errors.text, "secret-key"));
        cli_program_fini(&program);
    }
}

static void what_is_no_gateway_is_named(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/queue ", .status = 200, .body = "<html>welcome</html>"});
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", NULL), INTERNAL);
    cli_program_assert_error(&program, "is this the gateway?");
    cli_program_fini(&program);
    SET(answers, {.request = "GET /v1/queue ", .status = 302, .headers = "Location: /login\r\n", .body = ""});
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", NULL), INTERNAL);
    cli_program_assert_error(&program, "302");
    cli_program_fini(&program);
    SET(answers, {.request = "GET /v1/queue ", .status = 200, .body = queue, .cut = 10});
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", NULL), UNAVAILABLE);
    cli_program_assert_error(&program, answers->gateway.url);
    cli_program_fini(&program);
    SET(answers, {.request = "GET /v1/queue ", .status = 200, .body = "", .kind = CANNED_CLOSED});
    assert_int_equal(cli_program_run(&program, &answers->setup, "queue", NULL), UNAVAILABLE);
    cli_program_fini(&program);
}

static void odd_members_do_no_harm(void **state)
{
    static const char members[] = "{\"queues\":[1,{}],\"workers\":[null],\"jobs\":[7,{}],\"next_cursor\":3}";
    static const char *const odd[] = {"[]", "{}", "null", members};
    static const char *const commands[] = {"queue", "workers", "list", "top"};
    struct answers *answers = *state;

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        SET(answers, {.request = "GET ", .status = 200, .body = odd[i]});
        for (size_t n = 0; n < sizeof commands / sizeof commands[0]; n++) {
            struct cli_program program;

            assert_int_equal(cli_program_run(&program, &answers->setup, commands[n], NULL), DONE);
            cli_program_fini(&program);
        }
    }
}

/* Until a text came so often; how long that took, in milliseconds. */
static int64_t await_count(struct answers *answers, const char *text, size_t count)
{
    int64_t waited_ms = 0;

    for (; canned_gateway_count(&answers->gateway, text) < count; waited_ms += 10) {
        if (waited_ms > CLI_WAIT_MS)
            fail_msg("\"%s\" did not come %zu times", text, count);
        (void)poll(NULL, 0, 10);
    }
    return waited_ms;
}

static void a_limit_is_waited_for_while_watching(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/jobs/" ID " ",
                  .status = 429,
                  .headers = PROBLEM "Retry-After: 2\r\n",
                  .body = "{\"detail\":\"too many\"}"});
    cli_program_start(&program, &answers->setup, "watch", ID, NULL);
    cli_program_wait_for_error(&program, "429: too many; trying again");
    SET(answers, {.request = "GET /v1/jobs/" ID " ", .status = 200, .body = JOB("0S", "succeeded")});
    assert_true(await_count(answers, "GET /v1/jobs/" ID " ", 1) > 1000); /* without the header: after half a second */
    assert_int_equal(cli_program_end(&program), DONE);
    cli_program_fini(&program);
}

static void a_gateway_without_streams_is_asked_again_and_again(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/jobs/" ID " ",
                  .status = 200,
                  .headers = "ETag: \"e1\"\r\n",
                  .body = JOB("0S", "running")});
    cli_program_start(&program, &answers->setup, "watch", ID, NULL);
    cli_program_wait_for(&program, "running    50 %");
    (void)await_count(answers, "If-None-Match: \"e1\"\r\n", 6); /* longer than until a stream would be tried again */
    assert_int_equal(canned_gateway_count(&answers->gateway, "GET /v1/jobs/" ID "/events "), 1);
    SET(answers, {.request = "GET /v1/jobs/" ID " ", .status = 200, .body = JOB("0S", "cancelled")});
    assert_int_equal(cli_program_end(&program), FAILED);
    cli_program_fini(&program);
}

static void an_event_of_another_state_is_looked_into_at_once(void **state)
{
    struct answers *answers = *state;
    struct cli_program program;

    SET(answers, {.request = "GET /v1/jobs/" ID " ", .status = 200, .body = JOB("0S", "queued")},
        {.request = "GET /v1/jobs/" ID "/events ",
         .status = 200,
         .headers = "Content-Type: text/event-stream\r\n",
         .body = "event: state\ndata: {\"state\":\"running\",\"stage\":\"pairs\",\"progress\":0.25}\n\n",
         .kind = CANNED_STREAM});
    cli_program_start(&program, &answers->setup, "watch", ID, NULL);
    (void)await_count(answers, "/events ", 1);
    assert_true(await_count(answers, "GET /v1/jobs/" ID " ", 2) < 3000); /* without the event: after 5 s */
    cli_program_fini(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_followed),
        cmocka_unit_test(no_more_jobs_are_shown_than_were_asked_for),
        cmocka_unit_test(an_overview_is_shown_once_where_there_is_no_terminal),
        cmocka_unit_test(an_overview_gives_the_terminal_back),
        cmocka_unit_test(what_is_recommended_is_asked_for_as_it_is_written),
        cmocka_unit_test(a_queue_is_paused_by_its_name),
        cmocka_unit_test(limits_and_faults_have_statuses_of_their_own),
        cmocka_unit_test(what_is_no_gateway_is_named),
        cmocka_unit_test(odd_members_do_no_harm),
        cmocka_unit_test(a_limit_is_waited_for_while_watching),
        cmocka_unit_test(a_gateway_without_streams_is_asked_again_and_again),
        cmocka_unit_test(an_event_of_another_state_is_looked_into_at_once),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
