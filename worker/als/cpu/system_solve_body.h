/*
 * The solutions of system_kernels.h for one width of registers; included by whoever includes system_body.h, after it.
 */
#ifndef WORKER_ALS_CPU_SYSTEM_SOLVE_BODY_H
#define WORKER_ALS_CPU_SYSTEM_SOLVE_BODY_H

#include "worker/als/cpu/system_kernels.h"

/* A register's worth of unknowns of R' a = w, from those before: w - R' a for them is made. */
static inline void solve_down(const float *r, size_t stride, size_t first, size_t end, float *w)
{
    for (size_t i = first; i < end; i++) {
        w[i] *= r[i * stride + i];
        for (size_t k = i + 1; k < end; k++)
            w[k] -= w[i] * r[i * stride + k];
    }
}

/* The same of R w = a. */
static inline void solve_up(const float *r, size_t stride, size_t first, size_t end, float *w)
{
    for (size_t i = end; i-- > first;) {
        w[i] *= r[i * stride + i];
        for (size_t k = first; k < i; k++)
            w[k] -= w[i] * r[k * stride + i];
    }
}

TARGET static inline void subtract_rows(const float *r, size_t stride, size_t first, size_t n, float *w)
{
    for (size_t k = first + LANES; k < n; k += LANES) {
        vec rest = LOAD(w + k);

        for (size_t i = first; i < first + LANES; i++)
            rest = ADD_PRODUCT(SET1(-w[i]), LOAD(r + i * stride + k), rest);
        STORE(w + k, rest);
    }
}

TARGET static inline float dot_from(const float *row, const float *w, size_t from, size_t n)
{
    vec sum = SET1(0);

    for (size_t k = from; k < n; k += LANES)
        sum = ADD_PRODUCT(LOAD(row + k), LOAD(w + k), sum);
    return SUM_LANES(sum);
}

TARGET static void solve(const float *r, size_t stride, size_t n, size_t positive, float *w)
{
    for (size_t k = n; k < system_kernels_stride(n); k++)
        w[k] = 0;
    for (size_t first = 0; first < n; first += LANES) {
        solve_down(r, stride, first, first + LANES < n ? first + LANES : n, w);
        subtract_rows(r, stride, first, n, w);
    }
    for (size_t i = positive; i < n; i++)
        w[i] = -w[i];
    for (size_t first = (n - 1) / LANES * LANES + LANES; n > 0 && first > 0;) {
        size_t end = first < n ? first : n;

        first -= LANES;
        for (size_t i = first; end < n && i < end; i++)
            w[i] -= dot_from(r + i * stride, w, end, n);
        solve_up(r, stride, first, end, w);
    }
}

#endif
