/*
 * Stable sorting of rows by 64-bit keys in linear time. Sorting by the last key first and the first key last orders by
 * several keys.
 */
#ifndef WORKER_PIPELINE_RADIX_H
#define WORKER_PIPELINE_RADIX_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* *out becomes 0, 1, 2 … count - 1, malloc'd. */
enum err_code radix_rows(uint32_t **out, size_t count, struct err *err) MUST_CHECK;

/* Reorders rows[count] so that keys[rows[i]] ascend; equal keys keep their order. */
enum err_code radix_sort(uint32_t *rows, const int64_t *keys, size_t count, struct err *err) MUST_CHECK;

#endif
