#include "worker/pipeline/radix.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { DIGITS = 8, DIGIT_VALUES = 256 };

enum err_code radix_rows(uint32_t **out, size_t count, struct err *err)
{
    uint32_t *rows = mem_zeroed(count, sizeof *rows);

    *out = rows;
    if (rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows", count);
    for (size_t i = 0; i < count; i++)
        rows[i] = (uint32_t)i;
    return ERR_OK;
}

struct buffers {
    uint64_t *keys;
    uint32_t *rows;
};

/* One pass over one byte of the keys; false when all have the same byte and nothing moved. */
static bool sort_digit(struct buffers *to, const struct buffers *from, const size_t *digit_counts, unsigned digit,
                       size_t count)
{
    size_t starts[DIGIT_VALUES];
    size_t sum = 0;

    for (size_t value = 0; value < DIGIT_VALUES; value++) {
        if (digit_counts[value] == count)
            return false;
        starts[value] = sum;
        sum += digit_counts[value];
    }
    for (size_t i = 0; i < count; i++) {
        size_t place = starts[(from->keys[i] >> (digit * 8)) & 0xff]++;

        to->keys[place] = from->keys[i];
        to->rows[place] = from->rows[i];
    }
    return true;
}

static void sort_all(struct buffers *from, struct buffers *to, size_t (*digit_counts)[DIGIT_VALUES], size_t count)
{
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (sort_digit(to, from, digit_counts[digit], digit, count)) {
            struct buffers swapped = *from;

            *from = *to;
            *to = swapped;
        }
    }
}

enum err_code radix_sort(uint32_t *rows, const int64_t *keys, size_t count, struct err *err)
{
    size_t digit_counts[DIGITS][DIGIT_VALUES] = {0};
    uint64_t *key_memory = mem_aligned(count, 2 * sizeof *key_memory);
    uint32_t *row_memory = mem_zeroed(count, sizeof *row_memory);
    struct buffers from = {.keys = key_memory, .rows = rows};
    struct buffers to = {.keys = key_memory + count, .rows = row_memory};

    if (key_memory == NULL || row_memory == NULL) {
        free(key_memory);
        free(row_memory);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to sort %zu rows", count);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t key = (uint64_t)keys[rows[i]] ^ (UINT64_C(1) << 63); /* negative keys come first */

        from.keys[i] = key;
        for (unsigned digit = 0; digit < DIGITS; digit++)
            digit_counts[digit][(key >> (digit * 8)) & 0xff]++;
    }
    sort_all(&from, &to, digit_counts, count);
    if (from.rows != rows && count > 0)
        memcpy(rows, from.rows, count * sizeof *rows);
    free(key_memory);
    free(row_memory);
    return ERR_OK;
}
