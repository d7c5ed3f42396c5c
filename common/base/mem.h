/*
 * Memory by count and size, with the product checked for overflow. All come from malloc and go to free().
 */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

/* *product = a * b; false on overflow (then *product is untouched). */
bool mem_multiply(size_t *product, size_t a, size_t b) MUST_CHECK;

/* count * size bytes, zeroed; NULL when out of memory or on overflow. A count of 0 gives a pointer that may be freed.
 */
void *mem_zeroed(size_t count, size_t size);

/* count * size bytes, not zeroed, aligned to 64 bytes (for SIMD and to keep threads off each other's cache lines). */
void *mem_aligned(size_t count, size_t size);

/*
 * Grows *array (of *capacity elements of `size` bytes) to hold at least `needed`, by doubling.
 * On failure the old array stays valid and owned by the caller.
 */
enum err_code mem_grow(void *array, size_t *capacity, size_t needed, size_t size, struct err *err) MUST_CHECK;

#endif
