#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/connect/page_overlap.h"

enum { MOST = 64, ROUNDS = 2000 };

#define COUNT(array)             (sizeof(array) / sizeof((array)[0]))
#define OVERLAP_OF(before, page) overlap_of(before, COUNT(before), page, COUNT(page))

/* -1: the page does not meet. */
static int overlap_of(const int64_t *before, size_t before_count, const int64_t *page, size_t page_count)
{
    size_t scratch[MOST];
    size_t overlap = 99;

    if (!page_overlap_find(before, before_count, page, page_count, scratch, &overlap))
        return -1;
    return (int)overlap;
}

static void the_end_that_begins_the_page_is_known(void **state)
{
    const int64_t before[] = {9, 8, 7, 6, 5};

    (void)state;
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){6, 5, 4, 3})), 2);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){5, 4})), 1);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){9, 8, 7, 6, 5})), 5);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){5})), 1);
}

static void a_page_with_no_row_in_common_does_not_meet(void **state)
{
    const int64_t before[] = {9, 8, 7};

    (void)state;
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){5, 4})), -1);
    assert_int_equal(overlap_of(before, 3, before, 0), -1);
    assert_int_equal(overlap_of(before, 0, before, 3), -1);
}

static void of_repeated_rows_the_longest_end_counts(void **state)
{
    const int64_t before[] = {5, 1, 2, 1, 2};

    (void)state;
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){1, 2, 1, 2, 1, 2, 0})), 4);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){1, 2, 0})), 2);
}

static void rows_that_come_again_behind_the_page_are_new(void **state)
{
    const int64_t before[] = {9, 8, 7, 6};

    (void)state; /* 7, 6 were served twice by the shop itself */
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6, 7, 6, 5})), 2);
}

static void rows_deleted_at_the_end_of_the_page_before_still_let_it_meet(void **state)
{
    const int64_t before[] = {9, 8, 7, 6, 5, 4};

    (void)state;
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){8, 7, 6, 3, 2})), 3); /* 5 and 4 are gone */
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){8, 6, 3, 2})), 2);    /* 7 too */
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){8, 7})), 2);
}

static void rows_at_the_head_may_push_the_page_before_back_into_the_page(void **state)
{
    const int64_t before[] = {5, 4, 3};

    (void)state;
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6, 5, 4, 3})), 5);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6, 5, 4, 3, 2, 1})), 5);
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6, 5, 4})), 4); /* 3 comes on the next page */
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6, 4, 2})), 3); /* 5 and 3 are gone */
    assert_int_equal(OVERLAP_OF(before, ((const int64_t[]){7, 6})), -1);
}

/* A list is paged while rows come at its head and go anywhere: what the overlap says to be new is what was not seen. */
static void no_row_is_lost_or_told_twice_in_random_lists(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t before[MOST];
        int64_t page[MOST];
        size_t count = 20 + (size_t)(rand() % 20);
        size_t begin = 1 + (size_t)(rand() % (int)(count - 1));
        size_t page_count = 0;
        size_t known = 0;
        int overlap;

        for (size_t i = 0; i < count; i++)
            before[i] = (int64_t)(1000 - i);
        for (size_t i = begin; i < count; i++) {
            if (rand() % 4 == 0)
                continue; /* deleted */
            page[page_count++] = before[i];
            known++;
        }
        for (int64_t id = 900; id > 890; id--)
            page[page_count++] = id;
        overlap = overlap_of(before, count, page, page_count);
        assert_int_equal(overlap, known == 0 ? -1 : (int)known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_that_begins_the_page_is_known),
        cmocka_unit_test(a_page_with_no_row_in_common_does_not_meet),
        cmocka_unit_test(of_repeated_rows_the_longest_end_counts),
        cmocka_unit_test(rows_that_come_again_behind_the_page_are_new),
        cmocka_unit_test(rows_deleted_at_the_end_of_the_page_before_still_let_it_meet),
        cmocka_unit_test(rows_at_the_head_may_push_the_page_before_back_into_the_page),
        cmocka_unit_test(no_row_is_lost_or_told_twice_in_random_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
