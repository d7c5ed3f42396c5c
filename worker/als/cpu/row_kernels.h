/*
 * The inner loops over a few gathered rows, for the widest registers this CPU has: AVX-512, AVX2, or plain C. Rows are
 * given by pointers, so that nothing is copied. OpenBLAS is at its best with large matrices; these are small.
 */
#ifndef WORKER_ALS_CPU_ROW_KERNELS_H
#define WORKER_ALS_CPU_ROW_KERNELS_H

#include <stddef.h>

/* Before a loop over registers: unless it is unrolled they are memory. */
#ifdef __clang__
#define ROW_KERNELS_UNROLL _Pragma("unroll")
#else
#define ROW_KERNELS_UNROLL _Pragma("GCC unroll 16")
#endif

struct row_kernels {
    const char *name;

    /* out[i * stride + j] = rows[i] . rows[j] for i <= j < count; each row has `width` floats. Nothing else of
     * out is written. */
    void (*gram)(float *out, size_t stride, const float *const *rows, size_t count, size_t width);

    /* out[k] += sum over j of weights[j] * rows[j][k] */
    void (*combine)(float *out, const float *const *rows, const float *weights, size_t count, size_t width);

    /* out[j] = x . rows[j] */
    void (*multiply)(float *out, const float *x, const float *const *rows, size_t count, size_t width);

    /* a . b of floats, summed in doubles */
    double (*dot)(const float *a, const float *b, size_t width);

    /* a . b */
    double (*dot_double)(const float *a, const double *b, size_t width);

    /* out += weight * a */
    void (*add_double)(double *out, const float *a, double weight, size_t width);
};

extern const struct row_kernels row_kernels_plain;
extern const struct row_kernels row_kernels_avx2;   /* only where the CPU has AVX2 and FMA */
extern const struct row_kernels row_kernels_avx512; /* only where the CPU has AVX-512F */

/* The best for this CPU. */
const struct row_kernels *row_kernels_choose(void);

#endif
