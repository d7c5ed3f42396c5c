/* Against strcmp in qsort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/id_order.h"

enum { TEXT_BYTES = 128 };

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Sorts all but every fifth, from the last to the first. */
static void assert_sorts(const struct id_table *table)
{
    size_t known = id_table_count(table);
    uint32_t *ids = calloc(known + 1, sizeof *ids);
    const char **texts = calloc(known + 1, sizeof *texts);
    size_t count = 0;

    assert_non_null(ids);
    assert_non_null(texts);
    for (size_t i = known; i-- > 0;) {
        if (i % 5 != 0)
            ids[count++] = (uint32_t)i;
    }
    for (size_t i = 0; i < count; i++)
        texts[i] = id_table_text(table, ids[i]);
    qsort(texts, count, sizeof *texts, compare_texts);
    assert_int_equal(id_order_sort(ids, count, table, NULL), ERR_OK);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(id_table_text(table, ids[i]), texts[i]);
    free(ids);
    free(texts);
}

static void add(struct id_table *table, const char *text)
{
    uint32_t index;

    assert_int_equal(id_table_intern(table, text, strlen(text), &index, NULL), ERR_OK);
}

static void few_texts_and_none(void **state)
{
    static const char *const texts[] = {"b", "", "a", "aa", "\xff", "B", "a b"};
    struct id_table *table;

    (void)state;
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    assert_sorts(table);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add(table, texts[i]);
    assert_sorts(table);
    id_table_destroy(table);
}

/* Of all lengths, of a few letters so that many share their first bytes, and of bytes above 127. */
static void texts_of_all_lengths_and_bytes(void **state)
{
    static const char *const letters[] = {"ab", "\x01\x7f\x80\xff", "0123456789"};
    uint32_t chance = 1;

    (void)state;
    for (size_t kind = 0; kind < sizeof letters / sizeof letters[0]; kind++) {
        struct id_table *table;

        assert_int_equal(id_table_create(&table, NULL), ERR_OK);
        for (int i = 0; i < 20000; i++) {
            char text[TEXT_BYTES] = "";
            size_t length = (chance >> 20) % 30;

            for (size_t k = 0; k < length; k++) {
                chance = chance * 1664525 + 1013904223;
                text[k] = letters[kind][(chance >> 24) % strlen(letters[kind])];
            }
            chance = chance * 1664525 + 1013904223;
            add(table, text);
        }
        assert_sorts(table);
        id_table_destroy(table);
    }
}

static void add_numbered(struct id_table *table, const char *before, int number, const char *after)
{
    char text[TEXT_BYTES];

    (void)snprintf(text, sizeof text, "%s%d%s", before, number, after);
    add(table, text);
}

/* The ids of many a shop differ in a few digits only; some so far behind that digits are given up for strcmp. */
static void texts_that_begin_alike(void **state)
{
    char zeros[TEXT_BYTES - 16];
    struct id_table *table;

    (void)state;
    memset(zeros, '0', sizeof zeros);
    zeros[sizeof zeros - 1] = '\0';
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    for (int i = 0; i < 3000; i++)
        add_numbered(table, "customer-number-", i * 7919 % 100003, "@shop");
    assert_sorts(table);
    for (int i = 0; i < 3000; i++)
        add_numbered(table, "", i * 7919 % 100003, "@a-long-name-of-a-shop.example");
    assert_sorts(table);
    for (size_t length = 0; length < sizeof zeros; length++)
        add(table, zeros + length);
    for (int i = 0; i < 3000; i++)
        add_numbered(table, zeros, i * 7919 % 100003, "");
    assert_sorts(table);
    id_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_texts_and_none),
        cmocka_unit_test(texts_of_all_lengths_and_bytes),
        cmocka_unit_test(texts_that_begin_alike),
    };

    return cmocka_run_group_tests_name("id_order", tests, NULL, NULL);
}
