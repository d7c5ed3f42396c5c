#include "worker/als/cpu/row_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))

/* Dot products of 2 rows with 4: 8 sums in 8 of the 16 registers, 6 loads for 8 multiply-adds. */
enum { LEFT = 2, RIGHT = 4, LANES = 8, SUMS = LEFT * RIGHT };

/* Lane i of the result is the sum of the lanes of sums[i]. */
TARGET static inline __m256 sum_lanes(const __m256 *sums)
{
    __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(sums[0], sums[1]), _mm256_hadd_ps(sums[2], sums[3]));
    __m256 high = _mm256_hadd_ps(_mm256_hadd_ps(sums[4], sums[5]), _mm256_hadd_ps(sums[6], sums[7]));

    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
}

/* dots[i * 4 + j] = a[i] . b[j] */
TARGET static void dot_block(float *dots, const float *const *a, const float *const *b, size_t width)
{
    __m256 sums[SUMS];
    size_t k = 0;

    ROW_KERNELS_UNROLL
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (; k + LANES <= width; k += LANES) {
        const __m256 left[LEFT] = {_mm256_loadu_ps(a[0] + k), _mm256_loadu_ps(a[1] + k)};

        ROW_KERNELS_UNROLL
        for (int j = 0; j < RIGHT; j++) {
            __m256 right = _mm256_loadu_ps(b[j] + k);

            sums[j] = _mm256_fmadd_ps(left[0], right, sums[j]);
            sums[RIGHT + j] = _mm256_fmadd_ps(left[1], right, sums[RIGHT + j]);
        }
    }
    _mm256_storeu_ps(dots, sum_lanes(sums));
    for (; k < width; k++) {
        for (int i = 0; i < SUMS; i++)
            dots[i] += a[i / RIGHT][k] * b[i % RIGHT][k];
    }
}

/* `block` rows from `first` on, the last again where there are fewer. */
static void take_rows(const float **block, size_t block_rows, const float *const *rows, size_t first, size_t count)
{
    for (size_t i = 0; i < block_rows; i++)
        block[i] = rows[first + i < count ? first + i : count - 1];
}

TARGET static void gram_avx2(float *out, size_t stride, const float *const *rows, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i += LEFT) {
        const float *left[LEFT];

        take_rows(left, LEFT, rows, i, count);
        for (size_t j = i / RIGHT * RIGHT; j < count; j += RIGHT) {
            const float *right[RIGHT];
            float dots[SUMS];

            take_rows(right, RIGHT, rows, j, count);
            dot_block(dots, left, right, width);
            for (size_t r = i; r < i + LEFT && r < count; r++) {
                for (size_t c = r > j ? r : j; c < j + RIGHT && c < count; c++)
                    out[r * stride + c] = dots[(r - i) * RIGHT + (c - j)];
            }
        }
    }
}

/* Four rows at a time, so that out is read and written less. */
TARGET static void combine_avx2(float *out, const float *const *rows, const float *weights, size_t count, size_t width)
{
    for (size_t j = 0; j < count; j += RIGHT) {
        const float *four[RIGHT];
        float weight[RIGHT];
        size_t k = 0;

        take_rows(four, RIGHT, rows, j, count);
        for (size_t i = 0; i < RIGHT; i++)
            weight[i] = j + i < count ? weights[j + i] : 0;
        for (; k + LANES <= width; k += LANES) {
            __m256 sum = _mm256_loadu_ps(out + k);

            for (size_t i = 0; i < RIGHT; i++)
                sum = _mm256_fmadd_ps(_mm256_set1_ps(weight[i]), _mm256_loadu_ps(four[i] + k), sum);
            _mm256_storeu_ps(out + k, sum);
        }
        for (; k < width; k++) {
            for (size_t i = 0; i < RIGHT; i++)
                out[k] += weight[i] * four[i][k];
        }
    }
}

TARGET static inline float sum_floats(__m256 sums)
{
    float lanes[LANES];

    _mm256_storeu_ps(lanes, sums);
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/* Four rows at a time, since each alone would wait for memory. */
TARGET static void multiply_avx2(float *out, const float *x, const float *const *rows, size_t count, size_t width)
{
    for (size_t j = 0; j < count; j += RIGHT) {
        const float *four[RIGHT];
        __m256 sums[RIGHT] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
        size_t whole = width - width % LANES;

        take_rows(four, RIGHT, rows, j, count);
        for (size_t k = 0; k < whole; k += LANES) {
            __m256 left = _mm256_loadu_ps(x + k);

            ROW_KERNELS_UNROLL
            for (size_t i = 0; i < RIGHT; i++)
                sums[i] = _mm256_fmadd_ps(left, _mm256_loadu_ps(four[i] + k), sums[i]);
        }
        for (size_t i = 0; i < RIGHT && j + i < count; i++) {
            out[j + i] = sum_floats(sums[i]);
            for (size_t k = whole; k < width; k++)
                out[j + i] += x[k] * four[i][k];
        }
    }
}

enum { DOUBLES = 4 };

/* Four floats as doubles. */
#define LOAD_DOUBLES(from) _mm256_cvtps_pd(_mm_loadu_ps(from))

TARGET static inline double sum_doubles(__m256d sums)
{
    double lanes[DOUBLES];

    _mm256_storeu_pd(lanes, sums);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

TARGET static double dot_avx2(const float *a, const float *b, size_t width)
{
    __m256d even = _mm256_setzero_pd();
    __m256d odd = _mm256_setzero_pd();
    double rest = 0;
    size_t k = 0;

    for (; k + 2 * DOUBLES <= width; k += 2 * DOUBLES) {
        even = _mm256_fmadd_pd(LOAD_DOUBLES(a + k), LOAD_DOUBLES(b + k), even);
        odd = _mm256_fmadd_pd(LOAD_DOUBLES(a + k + DOUBLES), LOAD_DOUBLES(b + k + DOUBLES), odd);
    }
    for (; k < width; k++)
        rest += (double)a[k] * (double)b[k];
    return sum_doubles(_mm256_add_pd(even, odd)) + rest;
}

TARGET static double dot_double_avx2(const float *a, const double *b, size_t width)
{
    __m256d even = _mm256_setzero_pd();
    __m256d odd = _mm256_setzero_pd();
    double rest = 0;
    size_t k = 0;

    for (; k + 2 * DOUBLES <= width; k += 2 * DOUBLES) {
        even = _mm256_fmadd_pd(LOAD_DOUBLES(a + k), _mm256_loadu_pd(b + k), even);
        odd = _mm256_fmadd_pd(LOAD_DOUBLES(a + k + DOUBLES), _mm256_loadu_pd(b + k + DOUBLES), odd);
    }
    for (; k < width; k++)
        rest += (double)a[k] * b[k];
    return sum_doubles(_mm256_add_pd(even, odd)) + rest;
}

TARGET static void add_double_avx2(double *out, const float *a, double weight, size_t width)
{
    __m256d factor = _mm256_set1_pd(weight);
    size_t k = 0;

    for (; k + DOUBLES <= width; k += DOUBLES)
        _mm256_storeu_pd(out + k, _mm256_fmadd_pd(factor, LOAD_DOUBLES(a + k), _mm256_loadu_pd(out + k)));
    for (; k < width; k++)
        out[k] += weight * (double)a[k];
}

const struct row_kernels row_kernels_avx2 = {.name = "avx2",
                                             .gram = gram_avx2,
                                             .combine = combine_avx2,
                                             .multiply = multiply_avx2,
                                             .dot = dot_avx2,
                                             .dot_double = dot_double_avx2,
                                             .add_double = add_double_avx2};

#else

const struct row_kernels row_kernels_avx2 = {.name = "none"};

#endif
