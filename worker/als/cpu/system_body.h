/*
 * The sums of system_kernels.h for one width of registers. Included once by the file of each, which defines
 * TARGET (the attribute of its functions), LANES (floats in a register), BLOCK (matrix rows that two registers each are
 * summed for), vec (a register), and LOAD, STORE, SET1, SUM_LANES, ADD_PRODUCT(a, b, c): a b + c.
 */
#ifndef WORKER_ALS_CPU_SYSTEM_BODY_H
#define WORKER_ALS_CPU_SYSTEM_BODY_H

#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/system_kernels.h"

enum { STRIP = 2 * LANES }; /* matrix columns that are summed at a time */

_Static_assert(SYSTEM_KERNELS_PAD % STRIP == 0 && SYSTEM_KERNELS_PAD % BLOCK == 0, "sums read whole blocks");

/* What sums add to the first `rows` of BLOCK rows of out, with the sign +1 or -1. */
TARGET static inline __attribute__((always_inline)) void add_sums(float *out, size_t stride, size_t rows, float sign,
                                                                  vec (*sums)[2])
{
    ROW_KERNELS_UNROLL
    for (size_t i = 0; i < BLOCK; i++) {
        if (i < rows) {
            float *to = out + i * stride;

            STORE(to, ADD_PRODUCT(SET1(sign), sums[i][0], LOAD(to)));
            STORE(to + LANES, ADD_PRODUCT(SET1(sign), sums[i][1], LOAD(to + LANES)));
        }
    }
}

/* out (rows x STRIP) += sign * sum over j of left_j[0 .. rows)' right_j[0 .. STRIP) */
TARGET static void add_strip(float *out, size_t stride, size_t rows, const float *left, const float *right,
                             size_t count, float sign)
{
    vec sums[BLOCK][2];

    ROW_KERNELS_UNROLL
    for (size_t i = 0; i < BLOCK; i++)
        sums[i][0] = sums[i][1] = SET1(0);
    for (size_t j = 0; j < count; j++) {
        vec low = LOAD(right);
        vec high = LOAD(right + LANES);

        ROW_KERNELS_UNROLL
        for (size_t i = 0; i < BLOCK; i++) {
            vec one = SET1(left[i]);

            sums[i][0] = ADD_PRODUCT(one, low, sums[i][0]);
            sums[i][1] = ADD_PRODUCT(one, high, sums[i][1]);
        }
        left += stride;
        right += stride;
    }
    add_sums(out, stride, rows, sign, sums);
}

static inline size_t rows_of_block(size_t n, size_t first)
{
    return n - first < BLOCK ? n - first : BLOCK;
}

TARGET static void add_products(float *out, size_t stride, size_t n, const float *left, const float *right,
                                size_t count)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        for (size_t k = i / STRIP * STRIP; k < n; k += STRIP)
            add_strip(out + i * stride + k, stride, rows_of_block(n, i), left + i, right + k, count, 1);
    }
}

#endif
