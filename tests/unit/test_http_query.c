#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/http_query.h"

static int set_up(void **state)
{
    *state = arena_create(4096);
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_destroy(*state);
    return 0;
}

static void pairs_are_decoded_in_their_order(void **state)
{
    struct http_query query;
    struct err err;

    assert_int_equal(http_query_parse(&query, *state, "state=running&q=a+b%20c%26&&flag&empty=&e=%C3%A9&x=1=2&", &err),
                     ERR_OK);
    assert_int_equal(query.count, 6);
    assert_string_equal(query.pairs[0].name, "state");
    assert_string_equal(http_query_get(&query, "state"), "running");
    assert_string_equal(http_query_get(&query, "q"), "a b c&");
    assert_string_equal(http_query_get(&query, "flag"), "");
    assert_string_equal(http_query_get(&query, "empty"), "");
    assert_string_equal(http_query_get(&query, "e"), "\xc3\xa9");
    assert_string_equal(http_query_get(&query, "x"), "1=2");
    assert_null(http_query_get(&query, "stat"));
    assert_int_equal(http_query_parse(&query, *state, "", &err), ERR_OK);
    assert_int_equal(query.count, 0);
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a=%", "two hexadecimal digits"},
        {"a=%4", "two hexadecimal digits"},
        {"a=%4g", "two hexadecimal digits"},
        {"%=1", "two hexadecimal digits"},
        {"a=%00", "a NUL"},
        {"a=%ff", "not UTF-8"},
        {"a=%c0%80", "not UTF-8"},
        {"a=%ed%a0%80", "not UTF-8"},
        {"=1", "no name"},
        {"a=1&%61=2", "\"a\" comes twice in"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_query query;
        struct err err = {0};

        assert_int_equal(http_query_parse(&query, *state, cases[i].text, &err), ERR_FORMAT);
        assert_non_null(strstr(err.message, cases[i].message));
    }
}

static void there_is_an_end_to_pairs_and_to_memory(void **state)
{
    char text[8192] = "";
    struct http_query query;
    struct err err;

    for (int i = 0; i <= HTTP_QUERY_MAX_PAIRS; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%sp%d=1", i > 0 ? "&" : "", i);
        assert_int_equal(http_query_parse(&query, *state, text, &err),
                         i < HTTP_QUERY_MAX_PAIRS ? ERR_OK : ERR_TOO_LARGE);
        arena_reset(*state);
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(http_query_parse(&query, *state, text, &err), ERR_TOO_LARGE);
}

static void a_segment_of_a_path_keeps_its_plus(void **state)
{
    const char *text;
    struct err err;

    assert_int_equal(http_query_decode_segment(&text, *state, "a+b%2Fc/rest", 7, &err), ERR_OK);
    assert_string_equal(text, "a+b/c");
    assert_int_equal(http_query_decode_segment(&text, *state, "%2F", 2, &err), ERR_FORMAT); /* cut within the escape */
    assert_null(text);
    assert_int_equal(http_query_decode_segment(&text, *state, "", 0, &err), ERR_OK);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pairs_are_decoded_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_an_end_to_pairs_and_to_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_of_a_path_keeps_its_plus, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
