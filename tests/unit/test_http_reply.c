#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/http_reply.h"

static void print(const struct http_reply *reply, bool head_only, bool keep_alive, struct str *out)
{
    struct http_reply_frame frame = {
        .request_id = "r-1", .unix_ms = 784111777000, .keep_alive = keep_alive, .head_only = head_only};

    str_clear(out);
    assert_true(http_reply_print(reply, &frame, out));
}

static void an_answer_has_its_length_date_and_safety_headers(void **state)
{
    struct http_reply reply = {.status = 200, .content_type = "text/plain"};
    struct str out = {0};

    (void)state;
    str_append_text(&reply.body, "hello");
    print(&reply, false, true, &out);
    assert_int_equal(strncmp(out.text, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_non_null(strstr(out.text, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    assert_non_null(strstr(out.text, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(out.text, "\r\nX-Request-Id: r-1\r\n"));
    assert_non_null(strstr(out.text, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_null(strstr(out.text, "Connection:"));
    assert_string_equal(strstr(out.text, "\r\n\r\n"), "\r\n\r\nhello");
    print(&reply, false, false, &out);
    assert_non_null(strstr(out.text, "\r\nConnection: close\r\n"));
    str_fini(&out);
    http_reply_fini(&reply);
}

static void an_answer_to_head_has_the_length_but_no_body(void **state)
{
    struct http_reply reply = {.status = 200, .content_type = "text/plain"};
    struct str out = {0};

    (void)state;
    str_append_text(&reply.body, "hello");
    print(&reply, true, true, &out);
    assert_non_null(strstr(out.text, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(strstr(out.text, "\r\n\r\n"), "\r\n\r\n");
    str_fini(&out);
    http_reply_fini(&reply);
}

static void a_value_cannot_start_a_header_of_its_own(void **state)
{
    struct http_reply reply = {.status = 200};

    (void)state;
    http_reply_add(&reply, "Location", "%s", "/x\r\nSet-Cookie: a=b");
    assert_string_equal(reply.headers.text, "Location: /xSet-Cookie: a=b\r\n");
    http_reply_fini(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_length_date_and_safety_headers),
        cmocka_unit_test(an_answer_to_head_has_the_length_but_no_body),
        cmocka_unit_test(a_value_cannot_start_a_header_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
