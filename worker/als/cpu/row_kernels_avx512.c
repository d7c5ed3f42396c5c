#include "worker/als/cpu/row_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))

/* Dot products of 4 rows with 4: 16 sums in 16 registers, 8 loads for 16 multiply-adds. */
enum { BLOCK = 4, LANES = 16, SUMS = BLOCK * BLOCK };

/* Lane i of the result is the sum of the lanes of sums[i]. */
TARGET static inline __m512 sum_lanes(const __m512 *sums)
{
    __m512 quads[BLOCK]; /* of each four sums: in every 128 bits the four partial sums, one a lane */
    __m512 halves[2];

    ROW_KERNELS_UNROLL
    for (int i = 0; i < BLOCK; i++) {
        const __m512 *four = sums + i * BLOCK;
        __m512 low01 = _mm512_add_ps(_mm512_unpacklo_ps(four[0], four[1]), _mm512_unpackhi_ps(four[0], four[1]));
        __m512 low23 = _mm512_add_ps(_mm512_unpacklo_ps(four[2], four[3]), _mm512_unpackhi_ps(four[2], four[3]));

        quads[i] = _mm512_add_ps(_mm512_shuffle_ps(low01, low23, _MM_SHUFFLE(1, 0, 1, 0)),
                                 _mm512_shuffle_ps(low01, low23, _MM_SHUFFLE(3, 2, 3, 2)));
    }
    ROW_KERNELS_UNROLL
    for (int i = 0; i < 2; i++)
        halves[i] = _mm512_add_ps(_mm512_shuffle_f32x4(quads[2 * i], quads[2 * i + 1], _MM_SHUFFLE(2, 0, 2, 0)),
                                  _mm512_shuffle_f32x4(quads[2 * i], quads[2 * i + 1], _MM_SHUFFLE(3, 1, 3, 1)));
    return _mm512_add_ps(_mm512_shuffle_f32x4(halves[0], halves[1], _MM_SHUFFLE(2, 0, 2, 0)),
                         _mm512_shuffle_f32x4(halves[0], halves[1], _MM_SHUFFLE(3, 1, 3, 1)));
}

/* The lanes that `left` cells fill. */
static inline __mmask16 mask_of(size_t left)
{
    size_t unfilled = left < LANES ? LANES - left : 0;

    return (__mmask16)(0xffffU >> unfilled);
}

/* The cells k .. k + 15 of four rows, those that mask names. */
#define LOAD_FOUR(to, from, k, mask)                                                                \
    const __m512 to[BLOCK] = {                                                                      \
        _mm512_maskz_loadu_ps(mask, (from)[0] + (k)), _mm512_maskz_loadu_ps(mask, (from)[1] + (k)), \
        _mm512_maskz_loadu_ps(mask, (from)[2] + (k)), _mm512_maskz_loadu_ps(mask, (from)[3] + (k))}

TARGET static inline __attribute__((always_inline)) void add_products(__m512 *sums, const __m512 *left,
                                                                      const __m512 *right)
{
    ROW_KERNELS_UNROLL
    for (int i = 0; i < BLOCK; i++) {
        ROW_KERNELS_UNROLL
        for (int j = 0; j < BLOCK; j++)
            sums[i * BLOCK + j] = _mm512_fmadd_ps(left[i], right[j], sums[i * BLOCK + j]);
    }
}

/* dots[i * 4 + j] = a[i] . b[j] */
TARGET static void dot_block(float *dots, const float *const *a, const float *const *b, size_t width)
{
    const float *from_a[BLOCK] = {a[0], a[1], a[2], a[3]};
    const float *from_b[BLOCK] = {b[0], b[1], b[2], b[3]};
    __m512 sums[SUMS];
    size_t k = 0;

    ROW_KERNELS_UNROLL
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_ps();
    for (; k + LANES <= width; k += LANES) {
        LOAD_FOUR(left, from_a, k, 0xffff);
        LOAD_FOUR(right, from_b, k, 0xffff);

        add_products(sums, left, right);
    }
    if (k < width) {
        __mmask16 mask = mask_of(width - k);
        LOAD_FOUR(left, from_a, k, mask);
        LOAD_FOUR(right, from_b, k, mask);

        add_products(sums, left, right);
    }
    _mm512_storeu_ps(dots, sum_lanes(sums));
}

/* Four rows from `first` on, the last again where there are fewer. */
static void take_rows(const float **four, const float *const *rows, size_t first, size_t count)
{
    for (size_t i = 0; i < BLOCK; i++)
        four[i] = rows[first + i < count ? first + i : count - 1];
}

TARGET static void gram_avx512(float *out, size_t stride, const float *const *rows, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i += BLOCK) {
        const float *left[BLOCK];

        take_rows(left, rows, i, count);
        for (size_t j = i; j < count; j += BLOCK) {
            const float *right[BLOCK];
            float dots[SUMS];

            take_rows(right, rows, j, count);
            dot_block(dots, left, right, width);
            for (size_t r = i; r < i + BLOCK && r < count; r++) {
                for (size_t c = r > j ? r : j; c < j + BLOCK && c < count; c++)
                    out[r * stride + c] = dots[(r - i) * BLOCK + (c - j)];
            }
        }
    }
}

/* Four rows at a time, so that out is read and written less. */
TARGET static void combine_avx512(float *out, const float *const *rows, const float *weights, size_t count,
                                  size_t width)
{
    for (size_t j = 0; j < count; j += BLOCK) {
        const float *four[BLOCK];
        __m512 weight[BLOCK];

        take_rows(four, rows, j, count);
        for (size_t i = 0; i < BLOCK; i++)
            weight[i] = _mm512_set1_ps(j + i < count ? weights[j + i] : 0);
        for (size_t k = 0; k < width; k += LANES) {
            __mmask16 mask = mask_of(width - k);
            __m512 sum = _mm512_maskz_loadu_ps(mask, out + k);

            for (size_t i = 0; i < BLOCK; i++)
                sum = _mm512_fmadd_ps(weight[i], _mm512_maskz_loadu_ps(mask, four[i] + k), sum);
            _mm512_mask_storeu_ps(out + k, mask, sum);
        }
    }
}

/* Four rows at a time, since each alone would wait for memory. */
TARGET static void multiply_avx512(float *out, const float *x, const float *const *rows, size_t count, size_t width)
{
    for (size_t j = 0; j < count; j += BLOCK) {
        const float *four[BLOCK];
        __m512 sums[BLOCK] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};

        take_rows(four, rows, j, count);
        for (size_t k = 0; k < width; k += LANES) {
            __mmask16 mask = mask_of(width - k);
            __m512 left = _mm512_maskz_loadu_ps(mask, x + k);

            ROW_KERNELS_UNROLL
            for (size_t i = 0; i < BLOCK; i++)
                sums[i] = _mm512_fmadd_ps(left, _mm512_maskz_loadu_ps(mask, four[i] + k), sums[i]);
        }
        for (size_t i = 0; i < BLOCK && j + i < count; i++)
            out[j + i] = _mm512_reduce_add_ps(sums[i]);
    }
}

enum { DOUBLES = 8 };

/* Eight floats as doubles. */
#define LOAD_DOUBLES(from) _mm512_cvtps_pd(_mm256_loadu_ps(from))

TARGET static inline double sum_doubles(__m512d sums)
{
    return _mm512_reduce_add_pd(sums);
}

TARGET static double dot_avx512(const float *a, const float *b, size_t width)
{
    __m512d even = _mm512_setzero_pd();
    __m512d odd = _mm512_setzero_pd();
    double rest = 0;
    size_t k = 0;

    for (; k + 2 * DOUBLES <= width; k += 2 * DOUBLES) {
        even = _mm512_fmadd_pd(LOAD_DOUBLES(a + k), LOAD_DOUBLES(b + k), even);
        odd = _mm512_fmadd_pd(LOAD_DOUBLES(a + k + DOUBLES), LOAD_DOUBLES(b + k + DOUBLES), odd);
    }
    for (; k < width; k++)
        rest += (double)a[k] * (double)b[k];
    return sum_doubles(_mm512_add_pd(even, odd)) + rest;
}

TARGET static double dot_double_avx512(const float *a, const double *b, size_t width)
{
    __m512d even = _mm512_setzero_pd();
    __m512d odd = _mm512_setzero_pd();
    double rest = 0;
    size_t k = 0;

    for (; k + 2 * DOUBLES <= width; k += 2 * DOUBLES) {
        even = _mm512_fmadd_pd(LOAD_DOUBLES(a + k), _mm512_loadu_pd(b + k), even);
        odd = _mm512_fmadd_pd(LOAD_DOUBLES(a + k + DOUBLES), _mm512_loadu_pd(b + k + DOUBLES), odd);
    }
    for (; k < width; k++)
        rest += (double)a[k] * b[k];
    return sum_doubles(_mm512_add_pd(even, odd)) + rest;
}

TARGET static void add_double_avx512(double *out, const float *a, double weight, size_t width)
{
    __m512d factor = _mm512_set1_pd(weight);
    size_t k = 0;

    for (; k + DOUBLES <= width; k += DOUBLES)
        _mm512_storeu_pd(out + k, _mm512_fmadd_pd(factor, LOAD_DOUBLES(a + k), _mm512_loadu_pd(out + k)));
    for (; k < width; k++)
        out[k] += weight * (double)a[k];
}

const struct row_kernels row_kernels_avx512 = {.name = "avx512",
                                               .gram = gram_avx512,
                                               .combine = combine_avx512,
                                               .multiply = multiply_avx512,
                                               .dot = dot_avx512,
                                               .dot_double = dot_double_avx512,
                                               .add_double = add_double_avx512};

#else

const struct row_kernels row_kernels_avx512 = {.name = "none"};

#endif
