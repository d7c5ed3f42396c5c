/*
 * The factors of system_kernels.h for one width of registers; included by whoever includes system_body.h, after it.
 */
#ifndef WORKER_ALS_CPU_SYSTEM_FACTOR_BODY_H
#define WORKER_ALS_CPU_SYSTEM_FACTOR_BODY_H

#include <math.h>

#include "worker/als/cpu/system_kernels.h"

/* Takes from BLOCK rows what the rows of R above them explain. */
TARGET static void reduce_rows(float *a, size_t stride, size_t n, size_t first, size_t positive)
{
    size_t plus = first < positive ? first : positive;

    for (size_t k = first / STRIP * STRIP; k < n && first > 0; k += STRIP) {
        float *out = a + first * stride + k;

        if (plus > 0)
            add_strip(out, stride, rows_of_block(n, first), a + first, a + k, plus, -1);
        if (first > plus)
            add_strip(out, stride, rows_of_block(n, first), a + plus * stride + first, a + plus * stride + k,
                      first - plus, 1);
    }
}

/* to[from .. n) += weight * row[from .. n), and some on the left of it */
TARGET static inline void add_row(float *to, const float *row, size_t from, size_t n, float weight)
{
    vec factor = SET1(weight);

    for (size_t k = from / LANES * LANES; k < n; k += LANES)
        STORE(to + k, ADD_PRODUCT(factor, LOAD(row + k), LOAD(to + k)));
}

/* Row i of R, from which those above have been taken; false where its pivot is too small. */
TARGET static bool finish_row(float *row, size_t i, size_t n, float sign, float least)
{
    float pivot = sign * row[i];
    float inverse;
    vec factor;

    if (!(pivot >= least && pivot > 0 && pivot < INFINITY))
        return false;
    inverse = 1 / sqrtf(pivot);
    factor = SET1(sign * inverse);
    for (size_t k = i / LANES * LANES; k < n; k += LANES)
        STORE(row + k, ADD_PRODUCT(factor, LOAD(row + k), SET1(0)));
    row[i] = inverse;
    return true;
}

TARGET static bool factor(float *a, size_t stride, size_t n, size_t positive, const float *least)
{
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t end = first + rows_of_block(n, first);

        reduce_rows(a, stride, n, first, positive);
        for (size_t i = first; i < end; i++) {
            float sign = i < positive ? 1 : -1;

            if (!finish_row(a + i * stride, i, n, sign, least[i]))
                return false;
            for (size_t below = i + 1; below < end; below++)
                add_row(a + below * stride, a + i * stride, below, n, -sign * a[i * stride + below]);
        }
    }
    return true;
}

#endif
