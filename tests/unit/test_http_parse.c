#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/http_parse.h"

struct fixture {
    struct http_parse *parse;
    struct arena *arena;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    fixture->parse = http_parse_create();
    fixture->arena = arena_create(HTTP_PARSE_ARENA_BYTES);
    http_parse_begin(fixture->parse, fixture->arena);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    http_parse_destroy(fixture->parse);
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

/* Feeds a text in pieces of `step` bytes until something but MORE comes; *taken: bytes consumed. */
static enum http_parse_outcome feed(struct fixture *fixture, const char *text, size_t length, size_t step,
                                    size_t *taken)
{
    enum http_parse_outcome outcome = HTTP_PARSE_MORE;

    *taken = 0;
    while (outcome == HTTP_PARSE_MORE && *taken < length) {
        size_t piece = length - *taken < step ? length - *taken : step;
        size_t consumed;

        outcome = http_parse_feed(fixture->parse, text + *taken, piece, &consumed);
        *taken += consumed;
    }
    return outcome;
}

static void assert_refused(struct fixture *fixture, const char *text, int status)
{
    size_t taken;

    assert_int_equal(feed(fixture, text, strlen(text), SIZE_MAX, &taken), HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_status(fixture->parse), status);
    assert_non_null(http_parse_reason(fixture->parse));
}

static void a_request_is_the_same_in_pieces_of_any_size(void **state)
{
    static const char text[] =
        "POST /v1/jobs?a=b HTTP/1.1\r\nHost:  x \t\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhelloGET";
    struct fixture *fixture = *state;

    for (size_t step = 1; step < sizeof text; step++) {
        const struct http_request *request;
        size_t taken;

        arena_reset(fixture->arena);
        http_parse_begin(fixture->parse, fixture->arena);
        assert_int_equal(feed(fixture, text, sizeof text - 1, step, &taken), HTTP_PARSE_DONE);
        assert_string_equal(text + taken, "GET"); /* the next request stays with the caller */
        request = http_parse_request(fixture->parse);
        assert_string_equal(request->method, "POST");
        assert_string_equal(request->path, "/v1/jobs");
        assert_string_equal(request->query, "a=b");
        assert_string_equal(http_request_header(request, "host"), "x");
        assert_string_equal(http_request_header(request, "x-empty"), "");
        assert_string_equal(http_request_header(request, "content-length"), "5");
        assert_int_equal(request->header_count, 3);
        assert_int_equal(request->body_length, 5);
        assert_string_equal(request->body, "hello");
        assert_true(request->keep_alive);
    }
}

static void a_chunked_body_is_put_together_and_its_trailers_are_no_headers(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: y\r\n\r\n";
    struct fixture *fixture = *state;

    for (size_t step = 1; step < sizeof text; step++) {
        size_t taken;

        http_parse_begin(fixture->parse, fixture->arena);
        assert_int_equal(feed(fixture, text, sizeof text - 1, step, &taken), HTTP_PARSE_DONE);
        assert_int_equal(taken, sizeof text - 1);
        assert_string_equal(http_parse_request(fixture->parse)->body, "abcdefg");
        assert_null(http_request_header(http_parse_request(fixture->parse), "x-trailer"));
        arena_reset(fixture->arena);
    }
}

static void an_absolute_target_is_cut_to_its_path(void **state)
{
    static const char text[] = "GET http://shop.example:80/health?x HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *fixture = *state;
    size_t taken;

    assert_int_equal(feed(fixture, text, sizeof text - 1, 7, &taken), HTTP_PARSE_DONE);
    assert_string_equal(http_parse_request(fixture->parse)->path, "/health");
    assert_string_equal(http_parse_request(fixture->parse)->query, "x");
}

static void an_upgrade_is_declined_by_going_on_in_http_1_1(void **state)
{
#define UPGRADE "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    static const char *const texts[] = {"POST / HTTP/1.1\r\n" UPGRADE "Content-Length: 2\r\n\r\nokGET",
                                        "GET / HTTP/1.1\r\n" UPGRADE "\r\nGET",
                                        "POST / HTTP/1.1\r\n" UPGRADE "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET"};
    struct fixture *fixture = *state;
    size_t taken;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        http_parse_begin(fixture->parse, fixture->arena);
        assert_int_equal(feed(fixture, texts[i], strlen(texts[i]), SIZE_MAX, &taken), HTTP_PARSE_DONE);
        assert_string_equal(texts[i] + taken, "GET");
        assert_string_equal(http_parse_request(fixture->parse)->body, i == 0 ? "ok" : "");
    }
#undef UPGRADE
}

static void connections_close_when_the_client_says_so_or_speaks_1_0(void **state)
{
    struct fixture *fixture = *state;
    size_t taken;
    const char *text = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    assert_int_equal(feed(fixture, text, strlen(text), SIZE_MAX, &taken), HTTP_PARSE_DONE);
    assert_false(http_parse_request(fixture->parse)->keep_alive);
    http_parse_begin(fixture->parse, fixture->arena);
    text = "GET / HTTP/1.0\r\n\r\n";
    assert_int_equal(feed(fixture, text, strlen(text), SIZE_MAX, &taken), HTTP_PARSE_DONE);
    assert_false(http_parse_request(fixture->parse)->keep_alive);
    assert_true(http_parse_request(fixture->parse)->http_1_0);
}

static void an_expectation_is_told_once_and_only_with_a_body_to_come(void **state)
{
    struct fixture *fixture = *state;
    size_t taken;
    const char *head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

    assert_int_equal(feed(fixture, head, strlen(head), SIZE_MAX, &taken), HTTP_PARSE_MORE);
    assert_true(http_parse_take_expectation(fixture->parse));
    assert_false(http_parse_take_expectation(fixture->parse));
    assert_int_equal(feed(fixture, "ok", 2, SIZE_MAX, &taken), HTTP_PARSE_DONE);
    http_parse_begin(fixture->parse, fixture->arena);
    head = "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n";
    assert_int_equal(feed(fixture, head, strlen(head), SIZE_MAX, &taken), HTTP_PARSE_DONE);
    assert_false(http_parse_take_expectation(fixture->parse));
}

static void an_unknown_expectation_is_refused(void **state)
{
    assert_refused(*state, "POST / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n", 417);
}

static void a_large_body_is_refused_at_its_announcement(void **state)
{
    assert_refused(*state, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413);
}

static void a_body_of_exactly_the_limit_passes(void **state)
{
    struct fixture *fixture = *state;
    const char *head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n";
    char *body = malloc(HTTP_PARSE_MAX_BODY_BYTES);
    size_t taken;

    memset(body, 'x', HTTP_PARSE_MAX_BODY_BYTES);
    assert_int_equal(feed(fixture, head, strlen(head), SIZE_MAX, &taken), HTTP_PARSE_MORE);
    assert_int_equal(feed(fixture, body, HTTP_PARSE_MAX_BODY_BYTES, 1000, &taken), HTTP_PARSE_DONE);
    assert_int_equal(http_parse_request(fixture->parse)->body_length, HTTP_PARSE_MAX_BODY_BYTES);
    free(body);
}

static void a_large_chunked_body_is_refused_when_it_grows_too_large(void **state)
{
    struct fixture *fixture = *state;
    const char *head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[4096 + 16];
    enum http_parse_outcome outcome;
    size_t taken;
    int sent = 0;
    int length = snprintf(chunk, sizeof chunk, "1000\r\n%04096d\r\n", 0);

    outcome = feed(fixture, head, strlen(head), SIZE_MAX, &taken);
    while (outcome == HTTP_PARSE_MORE && sent++ < 100)
        outcome = feed(fixture, chunk, (size_t)length, SIZE_MAX, &taken);
    assert_int_equal(outcome, HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_status(fixture->parse), 413);
    assert_int_equal(sent, 17);
}

static void tiny_chunks_do_not_get_around_the_limit(void **state)
{
    struct fixture *fixture = *state;
    const char *head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[1024 + 16];
    enum http_parse_outcome outcome;
    size_t taken;
    int sent = 0;
    int length = snprintf(chunk, sizeof chunk, "1;%01000d\r\nx\r\n", 0); /* an extension of 1,000 bytes */

    outcome = feed(fixture, head, strlen(head), SIZE_MAX, &taken);
    while (outcome == HTTP_PARSE_MORE && sent++ < 2000)
        outcome = feed(fixture, chunk, (size_t)length, SIZE_MAX, &taken);
    assert_int_equal(outcome, HTTP_PARSE_REFUSED);
    assert_true(sent < 600);
}

static void large_headers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char line[2048];
    enum http_parse_outcome outcome;
    size_t taken;
    int sent = 0;
    int length = snprintf(line, sizeof line, "X-Pad: %01000d\r\n", 0);
    const char *head = "GET / HTTP/1.1\r\nHost: x\r\n";

    outcome = feed(fixture, head, strlen(head), SIZE_MAX, &taken);
    while (outcome == HTTP_PARSE_MORE && sent++ < 100)
        outcome = feed(fixture, line, (size_t)length, SIZE_MAX, &taken);
    assert_int_equal(outcome, HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_status(fixture->parse), 431);
    assert_int_equal(sent, 17);
}

static void endless_blank_lines_are_refused(void **state)
{
    struct fixture *fixture = *state;
    enum http_parse_outcome outcome = HTTP_PARSE_MORE;
    size_t taken;
    int sent = 0;

    while (outcome == HTTP_PARSE_MORE && sent++ < 20000)
        outcome = feed(fixture, "\r\n", 2, SIZE_MAX, &taken);
    assert_int_equal(outcome, HTTP_PARSE_REFUSED);
    assert_true(sent < 9000);
}

static void too_many_headers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    enum http_parse_outcome outcome;
    size_t taken;
    int sent = 0;
    const char *head = "GET / HTTP/1.1\r\nHost: x\r\n";

    outcome = feed(fixture, head, strlen(head), SIZE_MAX, &taken);
    while (outcome == HTTP_PARSE_MORE && sent++ < 1000)
        outcome = feed(fixture, "A: b\r\n", 6, SIZE_MAX, &taken);
    assert_int_equal(outcome, HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_status(fixture->parse), 431);
    assert_true(sent >= HTTP_PARSE_MAX_HEADERS - 1 && sent <= HTTP_PARSE_MAX_HEADERS + 1);
}

static void a_request_without_or_with_two_hosts_is_refused(void **state)
{
    assert_refused(*state, "GET / HTTP/1.1\r\n\r\n", 400);
    http_parse_begin(((struct fixture *)*state)->parse, ((struct fixture *)*state)->arena);
    assert_refused(*state, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
}

static void what_could_smuggle_a_request_is_refused(void **state)
{
    static const char *const texts[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET a/b HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        http_parse_begin(fixture->parse, fixture->arena);
        assert_refused(fixture, texts[i], 400);
    }
}

static void a_transfer_coding_that_is_not_known_is_refused(void **state)
{
    assert_refused(*state, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
}

static void what_is_no_http_1_is_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"hello\r\n\r\n", 501},
        {"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 0},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 501},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t taken;

        http_parse_begin(fixture->parse, fixture->arena);
        assert_int_equal(feed(fixture, cases[i].text, strlen(cases[i].text), SIZE_MAX, &taken), HTTP_PARSE_REFUSED);
        if (cases[i].status != 0)
            assert_int_equal(http_parse_status(fixture->parse), cases[i].status);
    }
}

static void no_bytes_make_the_parser_misbehave(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = 88172645463325252u;
    char bytes[512];

    for (int round = 0; round < 3000; round++) {
        const char *head = round % 3 == 0 ? "" : "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
        size_t taken;

        for (size_t i = 0; i < sizeof bytes; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[i] = "\r\n: aA0f;\t/?%\0\x80,GETH"[random % 21];
        }
        arena_reset(fixture->arena);
        http_parse_begin(fixture->parse, fixture->arena);
        if (feed(fixture, head, strlen(head), 16, &taken) == HTTP_PARSE_MORE)
            (void)feed(fixture, bytes, sizeof bytes, 1 + random % 64, &taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_the_same_in_pieces_of_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chunked_body_is_put_together_and_its_trailers_are_no_headers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_absolute_target_is_cut_to_its_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upgrade_is_declined_by_going_on_in_http_1_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_close_when_the_client_says_so_or_speaks_1_0, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expectation_is_told_once_and_only_with_a_body_to_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_expectation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_body_is_refused_at_its_announcement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_of_exactly_the_limit_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_chunked_body_is_refused_when_it_grows_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tiny_chunks_do_not_get_around_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_headers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(endless_blank_lines_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_headers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_without_or_with_two_hosts_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_could_smuggle_a_request_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_transfer_coding_that_is_not_known_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_http_1_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_bytes_make_the_parser_misbehave, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
