#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/cache_csv.h"

#define HEADER "id,action,user_uid,created,product_id\n"

static enum err_code read_text(struct interactions *rows, const char *text, struct err *err)
{
    assert_int_equal(interactions_init(rows, NULL), ERR_OK);
    return cache_csv_read(rows, text, strlen(text), err);
}

static const char *user_of(const struct interactions *rows, size_t row)
{
    return id_table_text(rows->users, rows->user[row]);
}

static void assert_refused(const char *text, const char *place)
{
    struct interactions rows;
    struct err err = {0};

    assert_int_equal(read_text(&rows, text, &err), ERR_FORMAT);
    assert_non_null(strstr(err.message, place));
    interactions_fini(&rows);
}

static void texts_survive_writing_and_reading(void **state)
{
    static const char *const users[] = {
        "NA",   "null", "nan",          "None", "0",   "a,b", "say \"hi\"", "two\nlines", "\r\ntail", " spaces ", "\"",
        "\"\"", ",",    "Grüße 🙂", "-1",   "1e5", "'",   "a\"b,c\"",   "\xff\xfe",   "=1+1",     "\t"};
    struct interactions rows;
    struct interactions again;
    struct str text = {0};

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(interactions_init(&again, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        assert_int_equal(interactions_add(&rows, (int64_t)i, (enum action)(i % ACTION_COUNT), users[i],
                                          strlen(users[i]), (int64_t)(100 + i), (int64_t)(i * i), NULL),
                         ERR_OK);
    assert_int_equal(cache_csv_write(&text, &rows, NULL, NULL), ERR_OK);
    assert_int_equal(cache_csv_read(&again, text.text, text.length, NULL), ERR_OK);
    assert_int_equal(again.count, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        assert_int_equal(again.activity_id[i], i);
        assert_int_equal(again.action[i], i % ACTION_COUNT);
        assert_string_equal(user_of(&again, i), users[i]);
        assert_int_equal(again.created[i], 100 + i);
        assert_int_equal(again.product_id[i], i * i);
    }
    str_fini(&text);
    interactions_fini(&rows);
    interactions_fini(&again);
}

static void numbers_of_all_64_bits_survive(void **state)
{
    static const int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1, 1234567890123456789};
    struct interactions rows;
    struct interactions again;
    struct str text = {0};

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(interactions_init(&again, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(interactions_add(&rows, numbers[i], ACTION_PURCHASE, "u", 1, numbers[i], numbers[i], NULL),
                         ERR_OK);
    assert_int_equal(cache_csv_write(&text, &rows, NULL, NULL), ERR_OK);
    assert_int_equal(cache_csv_read(&again, text.text, text.length, NULL), ERR_OK);
    for (size_t i = 0; i < rows.count; i++) {
        assert_true(again.activity_id[i] == numbers[i]);
        assert_true(again.created[i] == numbers[i]);
        assert_true(again.product_id[i] == numbers[i]);
    }
    str_fini(&text);
    interactions_fini(&rows);
    interactions_fini(&again);
}

static void only_the_rows_to_keep_are_written(void **state)
{
    const unsigned char keep[] = {0, 1, 0};
    struct interactions rows;
    struct str text = {0};

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(interactions_add(&rows, i, ACTION_CONTENT_VIEW, "u,v", 3, 10, 20, NULL), ERR_OK);
    assert_int_equal(cache_csv_write(&text, &rows, keep, NULL), ERR_OK);
    assert_string_equal(text.text, HEADER "1,content_view,\"u,v\",10,20\n");
    str_fini(&text);
    interactions_fini(&rows);
}

static void other_writers_forms_are_read(void **state)
{
    struct interactions rows;

    (void)state;
    assert_int_equal(read_text(&rows,
                               "x,product_id,\"created\",user_uid,action,id\r\n"
                               "\"a\"\"b\",38420.0,1700000000.0,\"u\"\"1\"\"\",purchase,7.0\r\n"
                               ",\"5\",6,NA,\"add_to_cart\",-8\r\n"
                               ",5,6,NA,add_to_cart,-00000000000000000000000000000009\r\n",
                               NULL),
                     ERR_OK);
    assert_int_equal(rows.count, 3);
    assert_int_equal(rows.activity_id[0], 7);
    assert_int_equal(rows.created[0], 1700000000);
    assert_int_equal(rows.product_id[0], 38420);
    assert_int_equal(rows.action[0], ACTION_PURCHASE);
    assert_string_equal(user_of(&rows, 0), "u\"1\"");
    assert_int_equal(rows.activity_id[1], -8);
    assert_int_equal(rows.product_id[1], 5);
    assert_string_equal(user_of(&rows, 1), "NA");
    assert_int_equal(rows.activity_id[2], -9);
    interactions_fini(&rows);
}

static void a_table_of_no_rows_is_read(void **state)
{
    struct interactions rows;

    (void)state;
    assert_int_equal(read_text(&rows, HEADER, NULL), ERR_OK);
    assert_int_equal(rows.count, 0);
    interactions_fini(&rows);
}

static void a_header_without_a_column_is_refused(void **state)
{
    (void)state;
    assert_refused("", "header");
    assert_refused("id,action,user_uid,created\n1,purchase,u,1\n", "header");
    assert_refused("\"id,action,user_uid,created,product_id\n", "header");
}

static void damaged_lines_are_refused_with_their_number(void **state)
{
    static const char *const lines[] = {"1,purchase,u,5",
                                        "1,purchase,u,5,6,7",
                                        "1,search,u,5,6",
                                        "1,purchase,,5,6",
                                        "x,purchase,u,5,6",
                                        "1,purchase,u,,6",
                                        "1,purchase,u,5,6.5",
                                        "1,purchase,u,5,",
                                        "1,purchase,u,5,-",
                                        "1,purchase,u,5,.0",
                                        "1,purchase,\"u,5,6",
                                        "1,purchase,\"u\"v,5,6",
                                        "1,purchase,u,5,6\rmore",
                                        "99999999999999999999,purchase,u,5,6",
                                        "9999999999999999999,purchase,u,5,6",
                                        "9223372036854775808,purchase,u,5,6",
                                        "-9223372036854775809,purchase,u,5,6"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(text, sizeof text, HEADER "1,purchase,u,5,6\n%s\n", lines[i]);
        assert_refused(text, "line 3");
    }
}

static void a_nul_in_a_user_is_refused(void **state)
{
    static const char text[] = HEADER "1,purchase,u\0v,5,6\n";
    struct interactions rows;

    (void)state;
    assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
    assert_int_equal(cache_csv_read(&rows, text, sizeof text - 1, NULL), ERR_FORMAT);
    interactions_fini(&rows);
}

/* Any cut of a table either is refused or ends at a line: no row is made up of half a line's digits but the last one's,
 * for which the digest in the marker stands. */
static void every_cut_is_refused_or_gives_whole_rows(void **state)
{
    static const char text[] = HEADER "1,purchase,\"a,b\",5,6\n2,content_view,\"c\"\"d\",7,8\n";
    struct interactions rows;

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *copy = malloc(size + 1); /* exactly so large, so that a sanitizer sees a read behind it */

        assert_non_null(copy);
        memcpy(copy, text, size);
        assert_int_equal(interactions_init(&rows, NULL), ERR_OK);
        if (cache_csv_read(&rows, copy, size, NULL) == ERR_OK && rows.count > 0)
            assert_string_equal(user_of(&rows, 0), "a,b");
        assert_in_range(rows.count, 0, 2);
        interactions_fini(&rows);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_survive_writing_and_reading),
        cmocka_unit_test(numbers_of_all_64_bits_survive),
        cmocka_unit_test(only_the_rows_to_keep_are_written),
        cmocka_unit_test(other_writers_forms_are_read),
        cmocka_unit_test(a_table_of_no_rows_is_read),
        cmocka_unit_test(a_header_without_a_column_is_refused),
        cmocka_unit_test(damaged_lines_are_refused_with_their_number),
        cmocka_unit_test(a_nul_in_a_user_is_refused),
        cmocka_unit_test(every_cut_is_refused_or_gives_whole_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
