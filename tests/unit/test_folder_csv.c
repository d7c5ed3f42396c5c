#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/connect/folder_csv.h"

/* Reads one record; its fields, each in brackets, must be `expected`. */
static void check_record(const char *text, bool last, const char *expected, size_t used, size_t lines)
{
    struct folder_csv csv = {.separator = ','};
    struct str shown = {0};

    assert_int_equal(folder_csv_read(&csv, text, strlen(text), last), FOLDER_CSV_RECORD);
    for (size_t i = 0; i < csv.count; i++)
        str_append_format(&shown, "[%.*s]", (int)csv.fields[i].length, csv.fields[i].text);
    assert_string_equal(shown.text, expected);
    assert_int_equal(csv.used, used);
    assert_int_equal(csv.lines, lines);
    str_fini(&shown);
    folder_csv_fini(&csv);
}

static void check_outcome(const char *text, bool last, enum folder_csv_outcome expected)
{
    struct folder_csv csv = {.separator = ','};

    assert_int_equal(folder_csv_read(&csv, text, strlen(text), last), expected);
    folder_csv_fini(&csv);
}

static void plain_fields_end_at_separators_and_line_ends(void **state)
{
    (void)state;
    check_record("a,b,c\nd,e,f\n", false, "[a][b][c]", 6, 1);
    check_record("a,b,c\r\nd", false, "[a][b][c]", 7, 1);
    check_record("a,,\n", false, "[a][][]", 4, 1);
    check_record("\nx", false, "[]", 1, 1);
    check_record("a b, c \n", false, "[a b][ c ]", 8, 1);
    check_record("a\"b,5\"\n", false, "[a\"b][5\"]", 7, 1); /* only a quote at the beginning quotes */
    check_record("a\rb,c\n", false, "[a\rb][c]", 6, 1);
}

static void quoted_fields_hold_separators_line_ends_and_quotes(void **state)
{
    (void)state;
    check_record("\"a,b\",c\n", false, "[a,b][c]", 8, 1);
    check_record("\"a\nb\r\nc\",d\r\nrest", false, "[a\nb\r\nc][d]", 12, 3);
    check_record("\"say \"\"hi\"\"\",\"\",\"\"\"\"\n", false, "[say \"hi\"][][\"]", 21, 1);
    check_record("x,\"y\"\n", false, "[x][y]", 6, 1);
}

static void the_last_record_needs_no_line_end(void **state)
{
    (void)state;
    check_record("a,b", true, "[a][b]", 3, 0);
    check_record("a,\"b\"", true, "[a][b]", 5, 0);
    check_record("a,b\r", true, "[a][b]", 4, 0);
    check_record("a,\"b\"\r", true, "[a][b]", 6, 0);
    check_record("a,", true, "[a][]", 2, 0);
}

static void what_may_go_on_is_unfinished(void **state)
{
    static const char *const texts[] = {"", "a", "a,", "a,b\r", "\"a", "\"a\"", "\"a\"\"", "\"a\"\r", "a,\"b\n\nc"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_outcome(texts[i], false, FOLDER_CSV_UNFINISHED);
    check_outcome("\"never closed\n1,2\n", true, FOLDER_CSV_UNFINISHED);
}

static void text_behind_a_closing_quote_is_refused(void **state)
{
    (void)state;
    check_outcome("\"a\"b,c\n", false, FOLDER_CSV_QUOTES);
    check_outcome("\"a\" ,c\n", false, FOLDER_CSV_QUOTES);
    check_outcome("\"a\nb\"x", true, FOLDER_CSV_QUOTES);
}

static void fields_are_at_most_256(void **state)
{
    char text[FOLDER_CSV_MAX_FIELDS + 2];
    struct folder_csv csv = {.separator = ','};

    (void)state;
    memset(text, ',', sizeof text);
    text[FOLDER_CSV_MAX_FIELDS - 1] = '\n';
    assert_int_equal(folder_csv_read(&csv, text, FOLDER_CSV_MAX_FIELDS, false), FOLDER_CSV_RECORD);
    assert_int_equal(csv.count, FOLDER_CSV_MAX_FIELDS);
    text[FOLDER_CSV_MAX_FIELDS - 1] = ',';
    text[FOLDER_CSV_MAX_FIELDS] = '\n';
    assert_int_equal(folder_csv_read(&csv, text, FOLDER_CSV_MAX_FIELDS + 1, false), FOLDER_CSV_TOO_MANY_FIELDS);
    folder_csv_fini(&csv);
}

static void a_record_after_a_bad_one_is_read_whole(void **state)
{
    struct folder_csv csv = {.separator = ','};

    (void)state;
    assert_int_equal(folder_csv_read(&csv, "\"a\"b\n", 5, true), FOLDER_CSV_QUOTES);
    assert_int_equal(folder_csv_read(&csv, "\"c\",d\n", 6, true), FOLDER_CSV_RECORD);
    assert_int_equal(csv.count, 2);
    assert_memory_equal(csv.fields[0].text, "c", 1);
    assert_memory_equal(csv.fields[1].text, "d", 1);
    folder_csv_fini(&csv);
}

static void the_separator_is_told_by_the_header(void **state)
{
    static const struct {
        const char *header;
        char separator;
    } cases[] = {{"a,b;c\n", ','}, {"a;b\n1,2\n", ';'}, {"a\tb", '\t'}, {"a;b\tc", ';'}, {"a", ','}, {"", ','}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(folder_csv_guess_separator(cases[i].header, strlen(cases[i].header)), cases[i].separator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_fields_end_at_separators_and_line_ends),
        cmocka_unit_test(quoted_fields_hold_separators_line_ends_and_quotes),
        cmocka_unit_test(the_last_record_needs_no_line_end),
        cmocka_unit_test(what_may_go_on_is_unfinished),
        cmocka_unit_test(text_behind_a_closing_quote_is_refused),
        cmocka_unit_test(fields_are_at_most_256),
        cmocka_unit_test(a_record_after_a_bad_one_is_read_whole),
        cmocka_unit_test(the_separator_is_told_by_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
