#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/id_table.h"

static uint32_t intern(struct id_table *table, const char *text)
{
    uint32_t index = UINT32_MAX;

    assert_int_equal(id_table_intern(table, text, strlen(text), &index, NULL), ERR_OK);
    return index;
}

static void equal_texts_share_an_index(void **state)
{
    struct id_table *table;

    (void)state;
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    assert_int_equal(intern(table, "b"), 0);
    assert_int_equal(intern(table, "a"), 1);
    assert_int_equal(intern(table, "b"), 0);
    assert_int_equal(id_table_count(table), 2);
    assert_string_equal(id_table_text(table, 0), "b");
    assert_string_equal(id_table_text(table, 1), "a");
    id_table_destroy(table);
}

static void only_the_given_length_counts(void **state)
{
    struct id_table *table;
    uint32_t index;

    (void)state;
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    assert_int_equal(id_table_intern(table, "abcdef", 3, &index, NULL), ERR_OK);
    assert_string_equal(id_table_text(table, index), "abc");
    assert_false(id_table_find(table, "abcdef", 6, &index));
    assert_false(id_table_find(table, "ab", 2, &index));
    assert_true(id_table_find(table, "abcd", 3, &index));
    assert_int_equal(index, 0);
    id_table_destroy(table);
}

static void the_empty_text_is_a_text(void **state)
{
    struct id_table *table;
    uint32_t index;

    (void)state;
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    assert_false(id_table_find(table, "", 0, &index));
    assert_int_equal(intern(table, ""), 0);
    assert_int_equal(intern(table, "x"), 1);
    assert_int_equal(intern(table, ""), 0);
    assert_string_equal(id_table_text(table, 0), "");
    id_table_destroy(table);
}

static void indices_survive_growth(void **state)
{
    enum { TEXTS = 20000 };
    struct id_table *table;
    char text[32];
    uint32_t index;

    (void)state;
    assert_int_equal(id_table_create(&table, NULL), ERR_OK);
    for (int i = 0; i < TEXTS; i++) {
        (void)snprintf(text, sizeof text, "customer-%d", i);
        assert_int_equal(intern(table, text), i);
    }
    for (int i = 0; i < TEXTS; i++) {
        (void)snprintf(text, sizeof text, "customer-%d", i);
        assert_true(id_table_find(table, text, strlen(text), &index));
        assert_int_equal(index, i);
        assert_string_equal(id_table_text(table, (uint32_t)i), text);
    }
    assert_int_equal(id_table_count(table), TEXTS);
    id_table_destroy(table);
}

/* As one by one: new and known texts in one call, some that begin alike, of all lengths. */
static void many_at_once_are_as_one_by_one(void **state)
{
    enum { TEXTS = 5000, MOST = 41 };
    static char bytes[TEXTS][MOST];
    struct id_text texts[TEXTS];
    uint32_t indices[TEXTS];
    struct id_table *many;
    struct id_table *single;
    size_t done = 0;

    (void)state;
    assert_int_equal(id_table_create(&many, NULL), ERR_OK);
    assert_int_equal(id_table_create(&single, NULL), ERR_OK);
    for (int i = 0; i < TEXTS; i++) {
        memset(bytes[i], 'x', MOST);
        (void)snprintf(bytes[i] + i % 30, 8, "%d", i * i % 1777);
        texts[i] = (struct id_text){.text = bytes[i], .length = (size_t)(i % MOST)};
    }
    for (size_t step = 0; done < TEXTS; step = (step + 1) % 70) {
        size_t count = TEXTS - done < step ? TEXTS - done : step;

        assert_int_equal(id_table_intern_many(many, texts + done, count, indices + done, NULL), ERR_OK);
        done += count;
    }
    for (int i = 0; i < TEXTS; i++) {
        uint32_t index;

        assert_int_equal(id_table_intern(single, texts[i].text, texts[i].length, &index, NULL), ERR_OK);
        assert_int_equal(indices[i], index);
        assert_memory_equal(id_table_text(many, index), texts[i].text, texts[i].length);
    }
    assert_int_equal(id_table_count(many), id_table_count(single));
    id_table_destroy(many);
    id_table_destroy(single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_share_an_index),     cmocka_unit_test(only_the_given_length_counts),
        cmocka_unit_test(the_empty_text_is_a_text),       cmocka_unit_test(indices_survive_growth),
        cmocka_unit_test(many_at_once_are_as_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
