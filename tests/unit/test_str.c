#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/str.h"

static void a_buffer_grows_and_stays_terminated(void **state)
{
    struct str str = {0};
    char *text;

    (void)state;
    for (int i = 0; i < 100; i++)
        str_append_format(&str, "%d,", i);
    assert_int_equal(strlen(str.text), str.length);
    assert_true(strncmp(str.text, "0,1,2,", 6) == 0);
    str_clear(&str);
    assert_string_equal(str.text, "");
    str_append_char(&str, 'x');
    text = str_take(&str);
    assert_string_equal(text, "x");
    assert_null(str.text);
    free(text);
    text = str_take(&str);
    assert_string_equal(text, "");
    free(text);
}

static size_t plain_length(const char *text, size_t length)
{
    size_t plain = 0;

    while (plain < length && text[plain] >= ' ' && (unsigned char)text[plain] < 0x80 && text[plain] != '"' &&
           text[plain] != '\\')
        plain++;
    return plain;
}

/* Each byte in each place, with each other byte behind it. */
static void what_needs_no_escape_is_found_eight_bytes_at_once(void **state)
{
    char text[20];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (int next = 0; next < 256; next++) {
            for (size_t at = 0; at + 1 < sizeof text; at++) {
                memset(text, 'x', sizeof text);
                text[at] = (char)byte;
                text[at + 1] = (char)next;
                assert_int_equal(str_plain_length(text, sizeof text), plain_length(text, sizeof text));
            }
        }
    }
    for (size_t length = 0; length <= 16; length++)
        assert_int_equal(str_plain_length("a text of plain bytes", length), length);
}

static void a_copy_is_cut_to_what_fits(void **state)
{
    char out[5];

    (void)state;
    str_copy(out, sizeof out, "ab");
    assert_string_equal(out, "ab");
    str_copy(out, sizeof out, "abcd");
    assert_string_equal(out, "abcd");
    str_copy(out, sizeof out, "abcdef");
    assert_string_equal(out, "abcd");
    str_copy(out, 1, "a");
    assert_string_equal(out, "");
}

static void json_text_is_escaped(void **state)
{
    struct str str = {0};

    (void)state;
    str_append_json(&str, "a\"b\\c\n\x01", 7);
    assert_string_equal(str.text, "\"a\\\"b\\\\c\\u000a\\u0001\"");
    str_clear(&str);
    str_append_json(&str, "\xc3\xa4\xf0\x9f\x98\x80", 6);
    assert_string_equal(str.text, "\"\xc3\xa4\xf0\x9f\x98\x80\"");
    str_fini(&str);
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    static const char *const broken[] = {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"};
    struct str str = {0};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        str_clear(&str);
        str_append_json(&str, broken[i], strlen(broken[i]));
        assert_true(strstr(str.text, "\xef\xbf\xbd") != NULL);
        assert_null(strstr(str.text, broken[i]));
    }
    str_fini(&str);
}

static void plain_text_and_escapes_may_alternate(void **state)
{
    struct str str = {0};

    (void)state;
    str_append_json(&str, "", 0);
    assert_string_equal(str.text, "\"\"");
    str_clear(&str);
    str_append_json(&str, "plain \xc3\xa4\t\x7f\xff end", 15);
    assert_string_equal(str.text, "\"plain \xc3\xa4\\u0009\x7f\xef\xbf\xbd end\"");
    str_fini(&str);
}

/* Each length leaves another room behind what is there. */
static void a_format_fits_whatever_room_is_left(void **state)
{
    (void)state;
    for (int used = 0; used < 40; used++) {
        for (int length = 0; length < 40; length++) {
            struct str str = {0};
            char expected[96];

            str_append_format(&str, "%0*d", used > 0 ? used : 1, 1);
            str_append_format(&str, "%.*s|%d", length, "the quick brown fox jumps over the lazy dog", 42);
            (void)snprintf(expected, sizeof expected, "%0*d%.*s|%d", used > 0 ? used : 1, 1, length,
                           "the quick brown fox jumps over the lazy dog", 42);
            assert_string_equal(str.text, expected);
            assert_int_equal(str.length, strlen(expected));
            str_fini(&str);
        }
    }
}

static void whole_numbers_are_printed(void **state)
{
    static const int64_t numbers[] = {0, 7, -1, 10, -1234567890123, INT64_MAX, INT64_MIN};
    struct str str = {0};

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char expected[32];

        str_clear(&str);
        str_append_int(&str, numbers[i]);
        (void)snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_string_equal(str.text, expected);
    }
    str_fini(&str);
}

static void room_is_made_in_one_go(void **state)
{
    struct str str = {0};
    const char *text;

    (void)state;
    str_reserve(&str, 1000);
    assert_int_equal(str.length, 0);
    text = str.text;
    for (int i = 0; i < 1000; i++)
        str_append_char(&str, 'x');
    assert_ptr_equal(str.text, text);
    str_fini(&str);
    str_reserve(&str, SIZE_MAX);
    assert_true(str.failed);
    str_fini(&str);
}

static void only_whole_numbers_are_numbers(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "1x", "+1", "0x10", "9223372036854775808", "--1", "-"};
    int64_t value;

    (void)state;
    assert_true(str_to_int64("-9223372036854775808", &value));
    assert_true(value == INT64_MIN);
    assert_true(str_to_int64("0042", &value));
    assert_int_equal(value, 42);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(str_to_int64(bad[i], &value));
    assert_false(str_to_int64(NULL, &value));
}

static void only_finite_reals_are_reals(void **state)
{
    static const char *const bad[] = {"", "nan", "inf", "1e999", " 1", "1,5", "+1"};
    double value;

    (void)state;
    assert_true(str_to_double("-.5e1", &value));
    assert_true(value == -5.0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(str_to_double(bad[i], &value));
}

static void truth_is_read_in_any_case(void **state)
{
    bool value;

    (void)state;
    assert_true(str_to_bool("TRUE", &value) && value);
    assert_true(str_to_bool("off", &value) && !value);
    assert_false(str_to_bool("maybe", &value));
}

static void bytes_become_hexadecimal(void **state)
{
    char out[7];

    (void)state;
    str_hex(out, "\x00\xab\xff", 3);
    assert_string_equal(out, "00abff");
    assert_true(str_starts_with("redis://x", "redis://"));
    assert_false(str_starts_with("red", "redis://"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
        cmocka_unit_test(what_needs_no_escape_is_found_eight_bytes_at_once),
        cmocka_unit_test(a_copy_is_cut_to_what_fits),
        cmocka_unit_test(json_text_is_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(plain_text_and_escapes_may_alternate),
        cmocka_unit_test(a_format_fits_whatever_room_is_left),
        cmocka_unit_test(whole_numbers_are_printed),
        cmocka_unit_test(room_is_made_in_one_go),
        cmocka_unit_test(only_whole_numbers_are_numbers),
        cmocka_unit_test(only_finite_reals_are_reals),
        cmocka_unit_test(truth_is_read_in_any_case),
        cmocka_unit_test(bytes_become_hexadecimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
