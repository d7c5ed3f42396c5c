/*
 * The HTTP client's requests that are no plain GET: method, headers, body, limits, and bodies that come in parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/http_client.h"
#include "tests/integration/canned_gateway.h"

enum { WAIT_MS = 100, MOST_WAITS = 200 };

struct asked {
    int ends;
    long status;
    struct err err;
    char body[256];
    char etag[64];
    char missing[8];
    bool has_missing;
    struct str parts;
};

static void on_end(void *context, const struct http_response *response, const struct err *err)
{
    struct asked *asked = context;

    asked->ends++;
    if (response == NULL) {
        asked->err = *err;
        return;
    }
    asked->status = response->status;
    (void)snprintf(asked->body, sizeof asked->body, "%s", response->body);
    assert_true(http_client_header(response, "etag", asked->etag, sizeof asked->etag));
    asked->has_missing = http_client_header(response, "X-Missing", asked->missing, sizeof asked->missing);
}

static void on_part(void *context, const char *bytes, size_t length)
{
    str_append(&((struct asked *)context)->parts, bytes, length);
}

static int setup(void **state)
{
    struct canned_gateway *gateway = calloc(1, sizeof *gateway);

    assert_non_null(gateway);
    canned_gateway_start(gateway);
    *state = gateway;
    return 0;
}

static int teardown(void **state)
{
    canned_gateway_stop(*state);
    free(*state);
    return 0;
}

static struct http_client *create(void)
{
    struct http_client_config config = {.bearer = "token"};
    struct http_client *client;

    assert_int_equal(http_client_create(&client, &config, NULL), ERR_OK);
    return client;
}

static void wait_for_end(struct http_client *client, const struct asked *asked)
{
    for (int i = 0; i < MOST_WAITS && asked->ends == 0; i++)
        assert_int_equal(http_client_wait(client, WAIT_MS, NULL), ERR_OK);
    assert_int_equal(asked->ends, 1);
}

static void method_headers_and_body_arrive(void **state)
{
    const char *const headers[] = {"Content-Type: application/json", "X-Own: yes", NULL};
    const struct canned_answer answer = {
        .request = "POST /a ", .status = 202, .headers = "ETag: one\r\nETag: two\r\n", .body = "{}"};
    struct canned_gateway *gateway = *state;
    struct http_client *client = create();
    struct asked asked = {0};
    char url[128];
    struct http_client_request request = {
        .method = "POST", .url = url, .headers = headers, .body = "{\"a\":1}", .body_size = 7};

    canned_gateway_set(gateway, &answer, 1);
    (void)snprintf(url, sizeof url, "%s/a", gateway->url);
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    wait_for_end(client, &asked);
    assert_int_equal(asked.status, 202);
    assert_string_equal(asked.body, "{}");
    assert_string_equal(asked.etag, "two");
    assert_false(asked.has_missing);
    assert_string_equal(asked.missing, "");
    assert_true(canned_gateway_was_asked(gateway, "Authorization: Bearer token\r\n"));
    assert_true(canned_gateway_was_asked(gateway, "Content-Type: application/json\r\n"));
    assert_true(canned_gateway_was_asked(gateway, "X-Own: yes\r\n"));
    assert_true(canned_gateway_was_asked(gateway, "\r\n\r\n{\"a\":1}"));
    http_client_destroy(client);
}

static void a_post_may_be_without_a_body(void **state)
{
    const struct canned_answer answer = {.request = "POST /a ", .status = 200, .headers = "ETag: e\r\n", .body = "x"};
    struct canned_gateway *gateway = *state;
    struct http_client *client = create();
    struct asked asked = {0};
    char url[128];
    struct http_client_request request = {.method = "POST", .url = url};

    canned_gateway_set(gateway, &answer, 1);
    (void)snprintf(url, sizeof url, "%s/a", gateway->url);
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    wait_for_end(client, &asked);
    assert_int_equal(asked.status, 200);
    http_client_destroy(client);
}

static void a_request_that_takes_too_long_is_given_up(void **state)
{
    const struct canned_answer answer = {.request = "GET /a ", .body = "", .kind = CANNED_SILENT};
    struct canned_gateway *gateway = *state;
    struct http_client *client = create();
    struct asked asked = {0};
    char url[128];
    struct http_client_request request = {.url = url, .timeout_ms = 200};

    canned_gateway_set(gateway, &answer, 1);
    (void)snprintf(url, sizeof url, "%s/a", gateway->url);
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    wait_for_end(client, &asked);
    assert_int_equal(asked.err.code, ERR_NETWORK);
    assert_non_null(strstr(asked.err.message, url));
    http_client_destroy(client);
}

static void a_body_comes_in_parts_until_it_is_dropped(void **state)
{
    const struct canned_answer answer = {
        .request = "GET /a ", .status = 200, .headers = "ETag: e\r\n", .body = "data: a\n\n", .kind = CANNED_STREAM};
    struct canned_gateway *gateway = *state;
    struct http_client *client = create();
    struct asked asked = {0};
    char url[128];
    struct http_client_request request = {.url = url, .on_chunk = on_part};

    canned_gateway_set(gateway, &answer, 1);
    (void)snprintf(url, sizeof url, "%s/a", gateway->url);
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    for (int i = 0; i < MOST_WAITS && asked.parts.length < 9; i++)
        assert_int_equal(http_client_wait(client, WAIT_MS, NULL), ERR_OK);
    assert_string_equal(asked.parts.text, "data: a\n\n");
    http_client_drop(client);
    assert_int_equal(asked.ends, 0);
    str_fini(&asked.parts);
    http_client_destroy(client);
}

static void a_refusal_is_no_part_of_a_stream(void **state)
{
    const struct canned_answer answer = {.request = "GET /a ", .status = 503, .headers = "ETag: e\r\n", .body = "away"};
    struct canned_gateway *gateway = *state;
    struct http_client *client = create();
    struct asked asked = {0};
    char url[128];
    struct http_client_request request = {.url = url, .on_chunk = on_part};

    canned_gateway_set(gateway, &answer, 1);
    (void)snprintf(url, sizeof url, "%s/a", gateway->url);
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    wait_for_end(client, &asked);
    assert_int_equal(asked.status, 503);
    assert_string_equal(asked.body, "away");
    assert_int_equal(asked.parts.length, 0);
    http_client_destroy(client);
}

static void what_cannot_be_reached_is_told_as_the_system_does(void **state)
{
    struct http_client *client = create();
    struct asked asked = {0};
    struct http_client_request request = {.method = "POST", .url = "http://127.0.0.1:1/a"};

    (void)state;
    assert_int_equal(http_client_send(client, &request, on_end, &asked, NULL), ERR_OK);
    wait_for_end(client, &asked);
    assert_int_equal(asked.err.code, ERR_NETWORK);
    assert_string_equal(asked.err.message, "POST http://127.0.0.1:1/a: Connection refused");
    http_client_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(method_headers_and_body_arrive),
        cmocka_unit_test(a_post_may_be_without_a_body),
        cmocka_unit_test(a_request_that_takes_too_long_is_given_up),
        cmocka_unit_test(a_body_comes_in_parts_until_it_is_dropped),
        cmocka_unit_test(a_refusal_is_no_part_of_a_stream),
        cmocka_unit_test(what_cannot_be_reached_is_told_as_the_system_does),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
