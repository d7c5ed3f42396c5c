#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/http_request.h"

static struct http_request with(const struct http_header *headers, size_t count)
{
    return (struct http_request){
        .method = "GET", .path = "/", .query = "", .body = "", .headers = headers, .header_count = count};
}

static bool wants_html(const char *accept)
{
    const struct http_header header = {"Accept", accept};
    struct http_request request = with(&header, 1);

    return http_request_wants_html(&request);
}

static int wait_s(const char *prefer)
{
    const struct http_header header = {"prefer", prefer};
    struct http_request request = with(&header, 1);

    return http_request_wait_s(&request);
}

static void headers_are_found_in_any_case_and_the_first_counts(void **state)
{
    const struct http_header headers[] = {{"X-Api-Key", "a"}, {"x-api-key", "b"}};
    struct http_request request = with(headers, 2);

    (void)state;
    assert_string_equal(http_request_header(&request, "X-API-KEY"), "a");
    assert_null(http_request_header(&request, "x-api"));
}

static void tokens_are_found_in_any_element_of_any_header(void **state)
{
    const struct http_header headers[] = {{"Prefer", "return=minimal , wait=10"}, {"Prefer", "Respond-Async"}};
    struct http_request request = with(headers, 2);

    (void)state;
    assert_non_null(http_request_token(&request, "prefer", "respond-async"));
    assert_string_equal(http_request_token(&request, "prefer", "wait"), "=10");
    assert_null(http_request_token(&request, "prefer", "respond"));
    assert_null(http_request_token(&request, "prefer", "minimal"));
}

static void browsers_get_html_and_probes_do_not(void **state)
{
    struct http_request none = with(NULL, 0);

    (void)state;
    assert_true(wants_html("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
    assert_true(wants_html("application/json, text/html;q=0.5"));
    assert_false(wants_html("text/html;q=0, */*"));
    assert_false(wants_html("*/*"));
    assert_false(wants_html("application/json"));
    assert_false(wants_html("text/html5"));
    assert_false(http_request_wants_html(&none));
}

static void a_wait_is_a_number_of_seconds_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(wait_s("wait=30"), 30);
    assert_int_equal(wait_s("respond-async, wait=5"), 5);
    assert_int_equal(wait_s("wait=999999"), 3600);
    assert_int_equal(wait_s("wait=99999999999999999999999"), 3600);
    assert_int_equal(wait_s("wait=-1"), -1);
    assert_int_equal(wait_s("wait=x"), -1);
    assert_int_equal(wait_s("wait"), -1);
    assert_int_equal(wait_s("respond-async"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_in_any_case_and_the_first_counts),
        cmocka_unit_test(tokens_are_found_in_any_element_of_any_header),
        cmocka_unit_test(browsers_get_html_and_probes_do_not),
        cmocka_unit_test(a_wait_is_a_number_of_seconds_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
