/* GET /v1/reports/compare on a real gateway: two reports of the store side by side, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_store.h"
#include "tests/integration/gateway_fixture.h"

#define FIRST  "01JZWQ5T8X9C3M7V2K4N6P8R0S"
#define SECOND "01JZWQ5T8X9C3M7V2K4N6P8R0T"
#define NOBODY "01JZWQ5T8X9C3M7V2K4N6P8R0V"

static void put_report(struct gateway_fixture *fixture, const char *id, const char *text)
{
    struct json *report;
    struct err err = {0};
    bool applied = false;

    assert_int_equal(json_value_parse(&report, text, strlen(text), &err), ERR_OK);
    assert_true(json_value_set_text(report, "_id", id) && json_value_set_text(report, "type", "warehouse") &&
                json_value_set_text(report, "namespace", "shop-1") &&
                json_value_set_text(report, "created_at", "2026-01-01T00:00:00.000Z"));
    if (job_store_put_report(gateway_fixture_store(fixture), id, 5, report, &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(report);
}

static int set_up(void **state)
{
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, NULL, GATEWAY_TEST_MONGO);
    put_report(fixture, FIRST,
               "{\"stages\":[{\"name\":\"fetch\",\"seconds\":1.5,\"rows_in\":10,\"rows_out\":9}],\"loss\":[],"
               "\"warehouse\":{\"interactions\":9}}");
    put_report(fixture, SECOND,
               "{\"stages\":[{\"name\":\"fetch\",\"seconds\":2.5,\"rows_in\":10,\"rows_out\":10}],\"loss\":[],"
               "\"warehouse\":{\"interactions\":10}}");
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static void two_reports_are_answered_side_by_side(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer =
        gateway_fixture_ask(fixture, "GET", "/v1/reports/compare?a=" FIRST "&b=" SECOND, WITH_KEY, NULL);
    const struct json *count;
    struct json *made;
    int64_t change = 0;

    assert_int_equal(answer.status, 200);
    made = gateway_fixture_json(&answer);
    assert_string_equal(json_value_get_text(json_value_get(made, "a"), "id"), FIRST);
    assert_string_equal(json_value_get_text(json_value_get(made, "b"), "id"), SECOND);
    count = json_value_at(json_value_get(made, "counts"), 0);
    assert_string_equal(json_value_get_text(count, "name"), "warehouse.interactions");
    assert_true(json_value_get_int64(count, "change", &change) && change == 1);
    assert_int_equal(json_value_count(json_value_get(made, "stages")), 1);
    json_value_destroy(made);
    http_probe_answer_fini(&answer);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/reports/compare?b=" FIRST "&a=" FIRST, WITH_KEY, NULL),
                     200);
}

static void what_cannot_be_compared_says_why(void **state)
{
    struct gateway_fixture *fixture = *state;
    static const struct {
        int status;
        const char *path;
        const char *headers;
        const char *text;
    } cases[] = {
        {404, "/v1/reports/compare?a=" FIRST "&b=" NOBODY, WITH_KEY, "no report of job " NOBODY},
        {404, "/v1/reports/compare?a=" NOBODY "&b=" FIRST, WITH_KEY, "no report of job " NOBODY},
        {400, "/v1/reports/compare", WITH_KEY, "a must be the id of a job"},
        {400, "/v1/reports/compare?a=" FIRST, WITH_KEY, "b must be the id of a job"},
        {400, "/v1/reports/compare?a=" FIRST "&b=yesterday", WITH_KEY, "b must be the id of a job, and is none"},
        {400, "/v1/reports/compare?a=" FIRST "&b=" SECOND "&c=3", WITH_KEY, "only"},
        {400, "/v1/reports/compare?a=" FIRST "&a=" SECOND, WITH_KEY, "twice"},
        {401, "/v1/reports/compare?a=" FIRST "&b=" SECOND, NULL, "key"},
        {405, "/v1/reports/compare", WITH_KEY, "is not for this path"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_probe_answer answer = gateway_fixture_ask(fixture, cases[i].status == 405 ? "POST" : "GET",
                                                              cases[i].path, cases[i].headers, NULL);

        if (answer.status != cases[i].status || strstr(answer.body, cases[i].text) == NULL)
            fail_msg("%s: %d %s", cases[i].path, answer.status, answer.body);
        http_probe_answer_fini(&answer);
    }
}

static void reports_in_mongodb(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_reports_are_answered_side_by_side),
        cmocka_unit_test(what_cannot_be_compared_says_why),
    };
    const struct CMUnitTest skipped[] = {cmocka_unit_test(reports_in_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
