#include "common/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_BYTES = 64 };

bool mem_multiply(size_t *product, size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *product = a * b;
    return true;
}

void *mem_zeroed(size_t count, size_t size)
{
    size_t bytes;

    if (!mem_multiply(&bytes, count, size))
        return NULL;
    return calloc(bytes > 0 ? bytes : 1, 1);
}

void *mem_aligned(size_t count, size_t size)
{
    size_t bytes;

    if (!mem_multiply(&bytes, count, size) || bytes > SIZE_MAX - CACHE_LINE_BYTES)
        return NULL;
    bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    return aligned_alloc(CACHE_LINE_BYTES, bytes > 0 ? bytes : CACHE_LINE_BYTES);
}

enum err_code mem_grow(void *array, size_t *capacity, size_t needed, size_t size, struct err *err)
{
    void *old;
    void *grown;
    size_t count;
    size_t bytes;

    if (needed <= *capacity)
        return ERR_OK;
    count = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    if (count < needed)
        count = needed;
    if (count < 16)
        count = 16;
    if (!mem_multiply(&bytes, count, size))
        return ERR_SET(err, ERR_NO_MEMORY, "an array of %zu x %zu bytes is too large", count, size);
    memcpy(&old, array, sizeof old); /* array is a T **: read and written as void * without aliasing it */
    grown = realloc(old, bytes);
    if (grown == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu bytes", bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = count;
    return ERR_OK;
}
