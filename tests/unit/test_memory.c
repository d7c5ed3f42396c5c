#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/mem.h"

static void an_overflowing_product_is_refused(void **state)
{
    size_t product = 7;
    int *array = NULL;
    size_t capacity = 0;

    (void)state;
    assert_false(mem_multiply(&product, SIZE_MAX / 2, 3));
    assert_int_equal(product, 7);
    assert_true(mem_multiply(&product, 6, 7));
    assert_int_equal(product, 42);
    assert_true(mem_multiply(&product, SIZE_MAX, 0));
    assert_null(mem_zeroed(SIZE_MAX / 2, 8));
    assert_null(mem_aligned(SIZE_MAX / 2, 8));
    assert_int_equal(mem_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array, NULL), ERR_NO_MEMORY);
    assert_null(array);
}

static void zeroed_memory_is_zero_and_aligned_memory_aligned(void **state)
{
    char *zeroed = mem_zeroed(10, 10);
    void *aligned = mem_aligned(3, 5);
    void *none = mem_zeroed(0, 8);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    assert_non_null(none);
    free(zeroed);
    free(aligned);
    free(none);
}

static void a_growing_array_keeps_its_elements(void **state)
{
    int *array = NULL;
    size_t capacity = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mem_grow(&array, &capacity, (size_t)i + 1, sizeof *array, NULL), ERR_OK);
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_true(capacity < 2048);
    free(array);
}

static void an_arena_hands_out_up_to_its_cap(void **state)
{
    struct arena *arena = arena_create(100000);
    size_t handed_out = 0;
    char *last = NULL;

    (void)state;
    assert_non_null(arena);
    for (;;) {
        char *memory = arena_alloc(arena, 1000);

        if (memory == NULL)
            break;
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        memset(memory, 'x', 1000);
        assert_ptr_not_equal(memory, last);
        last = memory;
        handed_out += 1000;
    }
    assert_in_range(handed_out, 90000, 100000);
    assert_null(arena_alloc(arena, SIZE_MAX));
    arena_reset(arena);
    assert_non_null(arena_alloc(arena, 99000));
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void an_arena_copies_texts(void **state)
{
    struct arena *arena = arena_create(4096);
    char *copy = arena_dup(arena, "hello world", 5);

    (void)state;
    assert_string_equal(copy, "hello");
    assert_null(arena_dup(arena, "x", SIZE_MAX));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflowing_product_is_refused),
        cmocka_unit_test(zeroed_memory_is_zero_and_aligned_memory_aligned),
        cmocka_unit_test(a_growing_array_keeps_its_elements),
        cmocka_unit_test(an_arena_hands_out_up_to_its_cap),
        cmocka_unit_test(an_arena_copies_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
