/* The gateway as clients of all kinds meet it: limits, order, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"

#define POST_HEAD "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" AS_JSON

static struct gateway_fixture *fixture_of(void **state)
{
    return *state;
}

static int set_up(void **state)
{
    static const char *const settings[] = {"REQUEST_TIMEOUT_S=0.5", "IDLE_TIMEOUT_S=1", NULL};
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, settings, false);
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

/* Sends raw bytes and expects an answer of that status and then the end of the connection. */
static void assert_last_answer(struct gateway_fixture *fixture, const char *bytes, size_t length, int status)
{
    struct http_probe probe;
    struct http_probe_answer answer;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    (void)http_probe_send(&probe, bytes, length); /* may be cut short by the answer */
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, status);
    assert_true(http_probe_is_closed(&probe));
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

static void health_answers_without_a_key(void **state)
{
    struct http_probe_answer answer = gateway_fixture_ask(fixture_of(state), "GET", "/health", NULL, NULL);
    char value[128];

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"status\":\"healthy\",\"service\":\"recommender\"}");
    assert_true(http_probe_header(&answer, "x-request-id", value, sizeof value));
    assert_true(http_probe_header(&answer, "x-content-type-options", value, sizeof value));
    assert_string_equal(value, "nosniff");
    http_probe_answer_fini(&answer);
}

static void a_wrong_key_is_401_and_leaves_nothing(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    const char *headers = "X-API-KEY: wrong\r\nContent-Type: application/json\r\n";

    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", headers, "{\"type\":\"warehouse\"}"), 401);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", NULL, "{\"type\":\"warehouse\"}"), 401);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 0);
    assert_false(gateway_fixture_log_holds(fixture, API_KEY));
}

static void malformed_json_is_400_and_names_the_place(void **state)
{
    struct http_probe_answer answer =
        gateway_fixture_ask(fixture_of(state), "POST", "/v1/jobs", AS_JSON, "{\"type\":\n \"warehouse\",}");
    struct json *problem = gateway_fixture_json(&answer);
    char type[64];

    assert_int_equal(answer.status, 400);
    assert_true(http_probe_header(&answer, "content-type", type, sizeof type));
    assert_string_equal(type, "application/problem+json");
    assert_non_null(strstr(json_value_get_text(problem, "detail"), "line 2"));
    json_value_destroy(problem);
    http_probe_answer_fini(&answer);
}

static void what_a_body_may_not_hold_is_refused_by_name(void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *detail;
    } cases[] = {
        {400, "", "JSON"},
        {400, "[]", "object"},
        {400, "\"x\"", "JSON"},
        {422, "{}", "type"},
        {422, "{\"type\":7}", "type"},
        {422, "{\"type\":\"bake\"}", "bake"},
        {422, "{\"type\":\"warehouse\",\"colour\":1}", "colour"},
        {422, "{\"type\":\"warehouse\",\"params\":{\"factors\":64}}", "factors"},
        {422, "{\"type\":\"homepage_and_similar_products\",\"params\":{\"factors\":\"many\"}}", "factors"},
        {422, "{\"type\":\"homepage_and_similar_products\",\"params\":{\"factors\":0}}", "factors"},
        {422, "{\"type\":\"warehouse\",\"params\":[]}", "param"},
        {422, "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"elsewhere\"}}", "elsewhere"},
        {422, "{\"type\":\"warehouse\",\"run_at\":\"tomorrow\"}", "run_at"},
        {422, "{\"type\":\"warehouse\",\"run_at\":5}", "run_at"},
        {422, "{\"type\":\"warehouse\",\"max_errors\":-1}", "max_errors"},
        {422, "{\"type\":\"warehouse\",\"max_errors\":1.5}", "max_errors"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_probe_answer answer =
            gateway_fixture_ask(fixture_of(state), "POST", "/v1/jobs", AS_JSON, cases[i].body);

        if (answer.status != cases[i].status || strstr(answer.body, cases[i].detail) == NULL)
            fail_msg("%s: %d %s", cases[i].body, answer.status, answer.body);
        http_probe_answer_fini(&answer);
    }
    assert_int_equal(queue_fixture_ask_int(fixture_of(state)->queue, "XLEN", QUEUE_KEY("s"), NULL), 0);
}

static void a_body_that_is_no_json_is_415(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    const char *form = WITH_KEY "Content-Type: application/x-www-form-urlencoded\r\n";

    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", form, "type=warehouse"), 415);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", WITH_KEY, "{}"), 415);
}

static void a_megabyte_is_413_before_it_was_read(void **state)
{
    enum { SIZE = 1024 * 1024 };
    char *bytes = malloc(SIZE + 1024);
    int head = snprintf(bytes, 1024, POST_HEAD "Content-Length: %d\r\n\r\n", SIZE);

    memset(bytes + head, 'x', SIZE);
    assert_last_answer(fixture_of(state), bytes, (size_t)head + SIZE, 413);
    head = snprintf(bytes, 1024, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n%x\r\n", SIZE);
    memset(bytes + head, 'x', SIZE);
    assert_last_answer(fixture_of(state), bytes, (size_t)head + SIZE, 413);
    free(bytes);
}

static void large_headers_are_431(void **state)
{
    char *bytes = malloc(40000);
    int head = snprintf(bytes, 40000, "GET /health HTTP/1.1\r\nHost: x\r\nX-Pad: %030000d\r\n\r\n", 0);

    assert_last_answer(fixture_of(state), bytes, (size_t)head, 431);
    free(bytes);
}

static void bytes_that_are_no_http_are_refused(void **state)
{
    assert_last_answer(fixture_of(state), "\x16\x03\x01\x02", 4, 501);
    assert_last_answer(fixture_of(state), "GET /health HTTP/1.1\r\n\r\n", 24, 400);
}

static void a_slow_request_is_408(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t begun_ms = gateway_fixture_now_ms();
    const char *start = POST_HEAD "Content-Length: 20\r\n\r\n{\"ty";

    assert_last_answer(fixture, start, strlen(start), 408);
    assert_true(gateway_fixture_now_ms() - begun_ms >= 450);
    assert_last_answer(fixture, "GET", 3, 408);
}

static void a_drip_of_bytes_does_not_hold_a_connection(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t begun_ms = gateway_fixture_now_ms();
    struct http_probe probe;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_send_text(&probe, "GET /health HTTP/1.1\r\nHost: x\r\n"));
    while (http_probe_send_text(&probe, "A: b\r\n")) { /* until the peer resets */
        assert_true(gateway_fixture_now_ms() - begun_ms < GATEWAY_WAIT_MS);
        gateway_fixture_pause();
    }
    http_probe_close(&probe);
}

static void an_idle_connection_is_closed(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t begun_ms = gateway_fixture_now_ms();
    struct http_probe probe;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_is_closed(&probe));
    assert_true(gateway_fixture_now_ms() - begun_ms >= 900);
    http_probe_close(&probe);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;
    char text[4096] = "";
    char value[64];

    /* The first one waits for Redis and the store; the second could be answered at once. */
    for (int i = 0; i < 20; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof text - used,
                       "GET %s HTTP/1.1\r\nHost: x\r\n" WITH_KEY "X-Request-Id: n%d\r\n\r\n",
                       i % 2 == 0 ? "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N" : "/health", i);
    }
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_send_text(&probe, text));
    for (int i = 0; i < 20; i++) {
        char expected[16];

        (void)snprintf(expected, sizeof expected, "n%d", i);
        assert_true(http_probe_receive(&probe, &answer, false));
        assert_int_equal(answer.status, i % 2 == 0 ? 404 : 200);
        assert_true(http_probe_header(&answer, "x-request-id", value, sizeof value));
        assert_string_equal(value, expected);
        http_probe_answer_fini(&answer);
    }
    http_probe_close(&probe);
}

static void more_pipelined_requests_than_the_buffer_holds_are_answered(void **state)
{
    enum { REQUESTS = 1000 };
    static const char one[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;
    char *text = calloc(REQUESTS, sizeof one);

    for (size_t i = 0; i < REQUESTS; i++)
        memcpy(text + i * (sizeof one - 1), one, sizeof one - 1);
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_send_text(&probe, text));
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(http_probe_receive(&probe, &answer, false));
        assert_int_equal(answer.status, 200);
        http_probe_answer_fini(&answer);
    }
    free(text);
    http_probe_close(&probe);
}

static void a_connection_is_kept_alive_until_the_client_says_close(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    for (int i = 0; i < 3; i++) {
        assert_true(http_probe_ask(&probe, "GET", "/health", i == 2 ? "Connection: close\r\n" : NULL, NULL));
        assert_true(http_probe_receive(&probe, &answer, false));
        assert_int_equal(answer.status, 200);
        http_probe_answer_fini(&answer);
    }
    assert_true(http_probe_is_closed(&probe));
    http_probe_close(&probe);
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "GET", "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N", WITH_KEY, NULL));
    assert_int_equal(shutdown(probe.fd, SHUT_WR), 0);
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 404);
    assert_true(http_probe_is_closed(&probe));
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

static void an_expectation_is_answered_before_the_body(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_send_text(&probe, POST_HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 100);
    http_probe_answer_fini(&answer);
    assert_true(http_probe_send_text(&probe, "{}"));
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 422);
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

static void a_chunked_body_is_read(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_send_text(
        &probe, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"type\":\r\n7\r\n\"bake\"}\r\n0\r\n\r\n"));
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 422);
    assert_non_null(strstr(answer.body, "bake"));
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

static void head_gives_the_length_without_the_body(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probe;
    struct http_probe_answer answer;
    char value[32];

    assert_true(http_probe_open(&probe, fixture->gateway.port));
    for (int i = 0; i < 2; i++) { /* the second shows that no body came behind the first */
        assert_true(http_probe_ask(&probe, "HEAD", "/health", NULL, NULL));
        assert_true(http_probe_receive(&probe, &answer, true));
        assert_int_equal(answer.status, 200);
        assert_true(http_probe_header(&answer, "content-length", value, sizeof value));
        assert_string_equal(value, "44");
        http_probe_answer_fini(&answer);
    }
    http_probe_close(&probe);
}

static void unknown_jobs_and_reports_are_404(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);

    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N", WITH_KEY, NULL),
                     404);
    assert_int_equal(
        gateway_fixture_status(fixture, "GET", "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N/report", WITH_KEY, NULL), 404);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/jobs/../x", WITH_KEY, NULL), 404);
    assert_int_equal(gateway_fixture_status(fixture, "PUT", "/v1/jobs", WITH_KEY, "{}"), 405);
}

/* With a gateway of its own, whose idle connections stay however long the test takes. */
static void connections_over_the_limit_are_turned_away(void **state)
{
    enum { LIMIT = 100 };
    static const char *const settings[] = {"MAX_CONNECTIONS=100", NULL};
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe probes[LIMIT + 1];
    struct http_probe_answer answer;

    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    gateway_fixture_start_gateway(fixture, settings);
    for (int i = 0; i < LIMIT; i++) {
        assert_true(http_probe_open(&probes[i], fixture->gateway.port));
        assert_true(http_probe_ask(&probes[i], "GET", "/health", NULL, NULL));
        assert_true(http_probe_receive(&probes[i], &answer, false));
        assert_int_equal(answer.status, 200);
        http_probe_answer_fini(&answer);
    }
    assert_true(http_probe_open(&probes[LIMIT], fixture->gateway.port));
    assert_true(http_probe_receive(&probes[LIMIT], &answer, false));
    assert_int_equal(answer.status, 503);
    assert_true(http_probe_is_closed(&probes[LIMIT]));
    http_probe_answer_fini(&answer);
    for (int i = 0; i <= LIMIT; i++)
        http_probe_close(&probes[i]);
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/health", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_answers_without_a_key),
        cmocka_unit_test(a_wrong_key_is_401_and_leaves_nothing),
        cmocka_unit_test(malformed_json_is_400_and_names_the_place),
        cmocka_unit_test(what_a_body_may_not_hold_is_refused_by_name),
        cmocka_unit_test(a_body_that_is_no_json_is_415),
        cmocka_unit_test(a_megabyte_is_413_before_it_was_read),
        cmocka_unit_test(large_headers_are_431),
        cmocka_unit_test(bytes_that_are_no_http_are_refused),
        cmocka_unit_test(a_slow_request_is_408),
        cmocka_unit_test(a_drip_of_bytes_does_not_hold_a_connection),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(more_pipelined_requests_than_the_buffer_holds_are_answered),
        cmocka_unit_test(a_connection_is_kept_alive_until_the_client_says_close),
        cmocka_unit_test(a_half_closed_client_still_gets_its_answer),
        cmocka_unit_test(an_expectation_is_answered_before_the_body),
        cmocka_unit_test(a_chunked_body_is_read),
        cmocka_unit_test(head_gives_the_length_without_the_body),
        cmocka_unit_test(unknown_jobs_and_reports_are_404),
        cmocka_unit_test(connections_over_the_limit_are_turned_away),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
