/*
 * Symmetric systems in floats by the upper triangle, row-major: sums of products, the factors A = R' S R (S the signs
 * of the pivots, first all +1, then all -1, as a quasi-definite matrix has them: no pivoting), and solutions. For the
 * widest registers this CPU has. OpenBLAS is at its best with large matrices; a row's is small.
 *
 * A row of a matrix has `stride` floats, a multiple of SYSTEM_KERNELS_PAD, and those beyond its n are finite. What is
 * left of the diagonal has no meaning. Right-hand sides have room for `stride` floats too.
 */
#ifndef WORKER_ALS_CPU_SYSTEM_KERNELS_H
#define WORKER_ALS_CPU_SYSTEM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

enum { SYSTEM_KERNELS_PAD = 32 };

struct system_kernels {
    const char *name;

    /* out (n x n) += sum over j < count of left_j' right_j, whose rows have `stride` floats as out has. */
    void (*add_products)(float *out, size_t stride, size_t n, const float *left, const float *right, size_t count);

    /*
     * a (n x n) becomes R, its diagonal inverted. The first `positive` pivots are to be positive, the others negative.
     * False where a pivot i is not at least least[i] from 0; a is then undefined.
     */
    bool (*factor)(float *a, size_t stride, size_t n, size_t positive, const float *least);

    /* w = A^-1 w by what factor made. */
    void (*solve)(const float *r, size_t stride, size_t n, size_t positive, float *w);
};

extern const struct system_kernels system_kernels_plain;
extern const struct system_kernels system_kernels_avx2;   /* only where the CPU has AVX2 and FMA */
extern const struct system_kernels system_kernels_avx512; /* only where the CPU has AVX-512F */

/* The best for this CPU. */
const struct system_kernels *system_kernels_choose(void);

/* The stride of an n x n matrix. */
static inline size_t system_kernels_stride(size_t n)
{
    return (n + SYSTEM_KERNELS_PAD - 1) / SYSTEM_KERNELS_PAD * SYSTEM_KERNELS_PAD;
}

#endif
