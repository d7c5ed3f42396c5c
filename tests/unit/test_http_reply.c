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

static void a_streamed_answer_is_sent_in_chunks_and_ends_with_an_empty_one(void **state)
{
    struct http_reply reply = {.status = 200, .content_type = "text/event-stream"};
    struct http_reply_frame frame = {.request_id = "r-1", .keep_alive = true, .streamed = true};
    struct str out = {0};

    (void)state;
    assert_true(http_reply_print(&reply, &frame, &out));
    assert_non_null(strstr(out.text, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(out.text, "Content-Length"));
    assert_string_equal(strstr(out.text, "\r\n\r\n"), "\r\n\r\n");
    str_clear(&out);
    assert_true(http_reply_print_piece(&frame, "hello, dear world", 17, &out));
    assert_true(http_reply_print_piece(&frame, "", 0, &out)); /* would be taken for the end */
    assert_string_equal(out.text, "11\r\nhello, dear world\r\n");
    str_clear(&out);
    assert_true(http_reply_print_end(&frame, &out));
    assert_string_equal(out.text, "0\r\n\r\n");
    str_fini(&out);
    http_reply_fini(&reply);
}

static void a_client_of_http_1_0_gets_a_stream_as_it_is(void **state)
{
    struct http_reply reply = {.status = 200, .content_type = "text/event-stream"};
    struct http_reply_frame frame = {.request_id = "r-1", .http_1_0 = true, .streamed = true};
    struct str out = {0};

    (void)state;
    assert_true(http_reply_print(&reply, &frame, &out));
    assert_null(strstr(out.text, "Transfer-Encoding"));
    assert_null(strstr(out.text, "Content-Length"));
    assert_non_null(strstr(out.text, "\r\nConnection: close\r\n"));
    str_clear(&out);
    assert_true(http_reply_print_piece(&frame, "hello", 5, &out));
    assert_true(http_reply_print_end(&frame, &out));
    assert_string_equal(out.text, "hello");
    str_fini(&out);
    http_reply_fini(&reply);
}

static void the_stream_that_head_asks_for_has_no_pieces(void **state)
{
    struct http_reply_frame frame = {.request_id = "r-1", .keep_alive = true, .streamed = true, .head_only = true};
    struct str out = {0};

    (void)state;
    assert_true(http_reply_print_piece(&frame, "hello", 5, &out));
    assert_true(http_reply_print_end(&frame, &out));
    assert_int_equal(out.length, 0);
    str_fini(&out);
}

static void no_content_has_neither_body_nor_length(void **state)
{
    static const int statuses[] = {204, 304};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct http_reply reply = {.status = statuses[i]};
        struct str out = {0};

        str_append_text(&reply.body, "hello");
        print(&reply, false, true, &out);
        assert_null(strstr(out.text, "Content-Length"));
        assert_string_equal(strstr(out.text, "\r\n\r\n"), "\r\n\r\n");
        str_fini(&out);
        http_reply_fini(&reply);
    }
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
        cmocka_unit_test(a_streamed_answer_is_sent_in_chunks_and_ends_with_an_empty_one),
        cmocka_unit_test(a_client_of_http_1_0_gets_a_stream_as_it_is),
        cmocka_unit_test(the_stream_that_head_asks_for_has_no_pieces),
        cmocka_unit_test(no_content_has_neither_body_nor_length),
        cmocka_unit_test(a_value_cannot_start_a_header_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
