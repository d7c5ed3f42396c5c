/*
 * Rows of factors as 8-bit integers, each row with its scale, and what that loses. By it the product of two quantized
 * rows bounds that of the rows (Cauchy-Schwarz): with x = s_x q_x + r_x and y = s_y q_y + r_y,
 *
 *     |x.y - s_x s_y q_x.q_y| <= |r_x| |s_y q_y| + |x| |r_y|
 *
 * A pass over all pairs in 8 bits so tells the few that are worth 32. It takes AVX-512 VNNI to pay.
 */
#ifndef WORKER_ALS_CPU_QUANTIZED_H
#define WORKER_ALS_CPU_QUANTIZED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* The packed side lies as the kernel reads it: 16 rows side by side, four cells of each at a time. */
enum { QUANTIZED_GROUP = 16, QUANTIZED_CELLS = 4, QUANTIZED_ROWS = 8 };

/* The packed side, padded by zero rows to two groups and by zero cells to a multiple of four. */
struct quantized {
    size_t rows;    /* padded */
    size_t depth;   /* steps of QUANTIZED_CELLS cells */
    uint8_t *cells; /* step k of row i of group g: [((g * depth + k) * 16 + i) * 4 ..], q + 128 */
    float *scale;   /* rows */
    float *norm;    /* rows: |s q| */
    float *loss;    /* rows: |r| */
};

enum err_code quantized_init(struct quantized *out, const float *rows, size_t count, size_t factors,
                             struct err *err) MUST_CHECK;
void quantized_fini(struct quantized *quantized);

/* A row of the other side. */
struct quantized_row {
    int8_t *cells; /* depth * QUANTIZED_CELLS; the caller's */
    int32_t sum;   /* of the cells */
    float scale;
    float norm; /* |x| */
    float loss; /* |r| */
};

/* The row times `factor`. */
void quantized_row_set(struct quantized_row *out, const float *row, size_t factors, size_t depth, float factor);

/* The pass over all pairs. */
struct quantized_kernels {
    /* scores[i * stride + j] = s s q.q of rows[i] and packed row first + j, for QUANTIZED_ROWS rows and `count` packed
     * ones; first and count are multiples of two groups. */
    void (*multiply)(const struct quantized *packed, size_t first, size_t count, const struct quantized_row *rows,
                     float *scores, size_t stride);

    /* The packed rows first + j whose score may reach `threshold` (sign 1: the upper bound does; -1: the lower one
     * does): their j in out[count], how many there are, and in bounds[count] the bound. */
    size_t (*select)(const struct quantized *packed, size_t first, size_t count, const struct quantized_row *row,
                     const float *scores, float sign, float threshold, int32_t *out, float *bounds);
};

extern const struct quantized_kernels quantized_kernels_plain; /* slower than SGEMM */
extern const struct quantized_kernels quantized_kernels_vnni;  /* only where quantized_is_fast() */

/* Whether this CPU has AVX-512 VNNI. */
bool quantized_is_fast(void);

#endif
