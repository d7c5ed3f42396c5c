/*
 * The command line against a real gateway: what each command prints, and its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/cli_gateway.h"

enum { DONE = 0, FAILED = 1, USAGE = 64, UNAVAILABLE = 69, LATER = 75, REFUSED = 77, CONFIG = 78 };

static const char report[] =
    "{\"type\":\"cross_sell\",\"namespace\":\"shop-1\",\"created_at\":\"2026-01-01T00:00:00.000Z\",\"seconds\":2.0,"
    "\"stages\":[{\"name\":\"fetch\",\"seconds\":1.5,\"rows_in\":1000,\"rows_out\":990,\"dropped\":{\"duplicate\":10},"
    "\"notes\":null}],\"loss\":[0.5,0.25],\"warnings\":[],\"published\":true,\"published_counts\":{\"keys\":1234},"
    "\"text\":\"what happened\\nline by line\"}";

/* Submits a cross_sell of a shop; its id to id[JOB_ID_BYTES]. */
static void submit(struct cli_gateway *fixture, const char *shop, char *id)
{
    struct cli_program program;
    char param[64];

    (void)snprintf(param, sizeof param, "namespace=%s", shop);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "submit", "cross_sell", "--param", param, NULL), DONE);
    cli_gateway_read_id(&program, "job ", id);
    cli_program_fini(&program);
}

static void assert_run(const struct cli_setup *setup, int status, const char *output, const char *error,
                       const char *const *words)
{
    struct cli_program program;
    int ended;

    cli_program_start(&program, setup, words[0], words[1], words[1] != NULL ? words[2] : NULL,
                      words[1] != NULL && words[2] != NULL ? words[3] : NULL, NULL);
    ended = cli_program_end(&program);
    if (ended != status)
        fail_msg("%s ends with %d, not %d: %s", words[0], ended, status,
                 program.errors.length > 0 ? program.errors.text : "");
    if (output != NULL)
        cli_program_assert_output(&program, output);
    if (error != NULL)
        cli_program_assert_error(&program, error);
    cli_program_fini(&program);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL, NULL, NULL, NULL})

static void a_submitted_job_is_shown(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    assert_int_equal(cli_program_run(&program, &fixture->setup, "submit", "homepage_and_similar_products", "--param",
                                     "factors=64", "--param=publish=false", "--param", "namespace=shop-1", NULL),
                     DONE);
    cli_program_assert_output(&program, " queued\n");
    cli_gateway_read_id(&program, "job ", id);
    cli_program_fini(&program);
    assert_string_equal(
        queue_fixture_job_field(fixture->gateway.queue, id, "args"),
        "{\"params\":{\"factors\":64,\"publish\":false,\"namespace\":\"shop-1\"},\"namespace\":\"shop-1\"}");
    lease = cli_gateway_take(fixture);
    assert_int_equal(queue_fixture_beat(fixture->gateway.queue, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_OK);
    assert_run(&fixture->setup, DONE, "███████████████░░░░░░░░░░░░░░░  50 %  als\n", NULL, WORDS("status", id));
    assert_run(&fixture->setup, DONE, "params     factors 64, publish no, namespace shop-1\n", NULL,
               WORDS("status", id));
}

static void json_is_what_the_gateway_answered(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    struct http_probe_answer answer;
    char path[64];
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-2", id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    answer = gateway_fixture_ask(&fixture->gateway, "GET", path, WITH_KEY, NULL);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "--json", "status", id, NULL), DONE);
    assert_int_equal(program.output.length, answer.body_length + 1);
    assert_memory_equal(program.output.text, answer.body, answer.body_length);
    cli_program_fini(&program);
    http_probe_answer_fini(&answer);
    assert_run(&fixture->setup, FAILED, "urn:recfleet:problem:not_found", "404",
               WORDS("status", "01JZWQ5T8X9C3M7V2K4N6P8R0S", "--json"));
}

static void a_live_job_of_the_shop_is_named(void **state)
{
    struct cli_gateway *fixture = *state;
    char id[JOB_ID_BYTES];
    char hint[64];

    submit(fixture, "shop-3", id);
    (void)snprintf(hint, sizeof hint, "recfleet watch %s", id);
    assert_run(&fixture->setup, FAILED, NULL, hint, WORDS("submit", "cross_sell", "--param", "namespace=shop-3"));
}

static void a_key_makes_a_job_once(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_program program;
    char first[JOB_ID_BYTES];
    char second[JOB_ID_BYTES];

    assert_int_equal(cli_program_run(&program, &fixture->setup, "submit", "cross_sell", "--idempotency-key", "once",
                                     "--param", "namespace=shop-4", NULL),
                     DONE);
    cli_gateway_read_id(&program, "job ", first);
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "submit", "cross_sell", "--idempotency-key", "once",
                                     "--param", "namespace=shop-4", NULL),
                     DONE);
    cli_program_assert_output(&program, "(this key made it before)");
    cli_gateway_read_id(&program, "job ", second);
    cli_program_fini(&program);
    assert_string_equal(first, second);
    assert_run(&fixture->setup, USAGE, NULL, "1 to 255 bytes", WORDS("submit", "cross_sell", "--idempotency-key", ""));
}

static void a_job_may_run_later(void **state)
{
    struct cli_gateway *fixture = *state;

    assert_run(&fixture->setup, DONE, " scheduled\n", NULL,
               WORDS("submit", "warehouse", "--run-at=+2h", "--param=namespace=shop-1"));
    assert_run(&fixture->setup, USAGE, NULL, "--run-at soon", WORDS("submit", "warehouse", "--run-at", "soon"));
}

static void wrong_usage_is_told_before_anything_is_sent(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_setup nowhere = fixture->setup;

    nowhere.url = "http://127.0.0.1:1";
    assert_run(&nowhere, USAGE, NULL, "nope", WORDS("nope"));
    assert_run(&nowhere, USAGE, NULL, "there are homepage_and_similar_products", WORDS("submit", "nope"));
    assert_run(&nowhere, USAGE, NULL, "factors must be",
               WORDS("submit", "homepage_and_similar_products", "--param", "factors=0"));
    assert_run(&nowhere, USAGE, NULL, "no parameter", WORDS("submit", "cross_sell", "--param", "factors=8"));
    assert_run(&nowhere, USAGE, NULL, "NAME=VALUE", WORDS("submit", "cross_sell", "--param", "publish"));
    assert_run(&nowhere, USAGE, NULL, "--max-errors", WORDS("submit", "cross_sell", "--max-errors", "11"));
    assert_run(&nowhere, USAGE, NULL, "no id of a job", WORDS("status", "1234"));
    assert_run(&nowhere, USAGE, "usage: recfleet", NULL, WORDS("--json"));
    assert_run(&nowhere, DONE, "--run-at TIME", NULL, WORDS("help", "submit"));
    assert_run(&nowhere, DONE, "--run-at TIME", NULL, WORDS("submit", "--help"));
    assert_run(&nowhere, DONE, "recfleet " RECFLEET_VERSION "\n", NULL, WORDS("--version"));
}

static void errors_say_what_and_where(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_setup setup = fixture->setup;

    setup.url = "http://127.0.0.1:1/";
    assert_run(&setup, UNAVAILABLE, NULL, "GET http://127.0.0.1:1/v1/workers: Connection refused", WORDS("workers"));
    setup.url = "ftp://127.0.0.1";
    assert_run(&setup, CONFIG, NULL, "ftp://127.0.0.1", WORDS("workers"));
    setup.url = "http://user:secret@127.0.0.1";
    assert_run(&setup, CONFIG, NULL, "must not hold a password", WORDS("workers"));
    setup.url = fixture->url;
    setup.key = "wrong";
    assert_run(&setup, REFUSED, NULL, "401: Unauthorized", WORDS("status", "01JZWQ5T8X9C3M7V2K4N6P8R0S"));
    setup.key = NULL;
    assert_run(&setup, REFUSED, NULL, "set RECFLEET_API_KEY", WORDS("status", "01JZWQ5T8X9C3M7V2K4N6P8R0S"));
    assert_run(&fixture->setup, FAILED, NULL, "there is no job", WORDS("status", "01JZWQ5T8X9C3M7V2K4N6P8R0S"));
    assert_run(&fixture->setup, CONFIG, NULL, "/no/such/file", WORDS("workers", "--env-file", "/no/such/file"));
}

static void settings_come_from_a_file(void **state)
{
    struct cli_gateway *fixture = *state;
    struct cli_setup setup = {.url = NULL};
    char path[SERVER_TEXT_BYTES + 16];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/cli.env", fixture->gateway.gateway.folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "RECFLEET_URL=%s\nAPI_KEY=" API_KEY "\n", fixture->url);
    assert_int_equal(fclose(file), 0);
    assert_run(&setup, FAILED, NULL, "there is no job",
               WORDS("status", "01JZWQ5T8X9C3M7V2K4N6P8R0S", "--env-file", path));
}

static void a_report_is_shown(void **state)
{
    struct cli_gateway *fixture = *state;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-5", id);
    assert_run(&fixture->setup, FAILED, NULL, "no report", WORDS("report", id));
    lease = cli_gateway_take(fixture);
    cli_gateway_report(fixture, &lease, report);
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    assert_run(&fixture->setup, DONE, "fetch    1.500  ████████████████████  1,000  990  10 duplicate\n", NULL,
               WORDS("report", id));
    assert_run(&fixture->setup, DONE, "what happened\nline by line\n", NULL, WORDS("report", id, "--text"));
    assert_run(&fixture->setup, DONE, "\"rows_in\":1000", NULL, WORDS("report", id, "--json"));
}

static void two_reports_are_compared(void **state)
{
    struct cli_gateway *fixture = *state;
    struct job_queue_lease lease;
    char a[JOB_ID_BYTES];
    char b[JOB_ID_BYTES];

    submit(fixture, "shop-7", a);
    lease = cli_gateway_take(fixture);
    cli_gateway_report(fixture, &lease, report);
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    submit(fixture, "shop-8", b);
    assert_run(&fixture->setup, FAILED, NULL, b, WORDS("compare", a, b)); /* there is no report of it yet */
    lease = cli_gateway_take(fixture);
    cli_gateway_report(fixture, &lease, report);
    cli_gateway_finish(fixture, &lease, JOB_SUCCEEDED, "{}");
    assert_run(&fixture->setup, DONE, "published_counts.keys  1,234  1,234       0\n", NULL, WORDS("compare", a, b));
    assert_run(&fixture->setup, DONE, "usage: recfleet compare A B\n", NULL, WORDS("help", "compare"));
    assert_run(&fixture->setup, DONE, "{\"a\":{\"id\":", NULL, WORDS("compare", a, b, "--json"));
    assert_run(&fixture->setup, USAGE, NULL, "compare needs A B", WORDS("compare", a));
    assert_run(&fixture->setup, USAGE, NULL, "is no id of a job", WORDS("compare", a, "yesterday"));
}

static void colour_is_for_terminals_that_want_it(void **state)
{
    struct cli_gateway *fixture = *state;
    const char *const no_colour[] = {"NO_COLOR=1", NULL};
    struct cli_setup setup = fixture->terminal;
    struct cli_program program;
    char id[JOB_ID_BYTES];

    submit(fixture, "shop-6", id);
    assert_int_equal(cli_program_run(&program, &fixture->terminal, "status", id, NULL), DONE);
    cli_program_assert_output(&program, "\033[36mqueued\033[0m");
    cli_program_fini(&program);
    setup.settings = no_colour;
    assert_int_equal(cli_program_run(&program, &setup, "status", id, NULL), DONE);
    assert_null(strchr(program.output.text, '\033'));
    cli_program_fini(&program);
    assert_int_equal(cli_program_run(&program, &fixture->setup, "status", id, NULL), DONE);
    assert_null(strchr(program.output.text, '\033'));
    cli_program_fini(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_submitted_job_is_shown, cli_gateway_clear),
        cmocka_unit_test_setup(json_is_what_the_gateway_answered, cli_gateway_clear),
        cmocka_unit_test_setup(a_live_job_of_the_shop_is_named, cli_gateway_clear),
        cmocka_unit_test_setup(a_key_makes_a_job_once, cli_gateway_clear),
        cmocka_unit_test_setup(a_job_may_run_later, cli_gateway_clear),
        cmocka_unit_test_setup(wrong_usage_is_told_before_anything_is_sent, cli_gateway_clear),
        cmocka_unit_test_setup(errors_say_what_and_where, cli_gateway_clear),
        cmocka_unit_test_setup(settings_come_from_a_file, cli_gateway_clear),
        cmocka_unit_test_setup(a_report_is_shown, cli_gateway_clear),
        cmocka_unit_test_setup(two_reports_are_compared, cli_gateway_clear),
        cmocka_unit_test_setup(colour_is_for_terminals_that_want_it, cli_gateway_clear),
    };

    return cmocka_run_group_tests(tests, cli_gateway_start, cli_gateway_stop);
}
