#include "worker/als/cpu/quantized.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "worker/als/cpu/row_kernels.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vnni")))

/* 8 rows by 2 groups: 16 sums of 16 lanes each in 16 registers; the packed side, which comes from farther, is read
 * less often than the rows. */
enum { ROWS = QUANTIZED_ROWS, GROUPS = 2, SUMS = ROWS * GROUPS, STEP_BYTES = QUANTIZED_GROUP * QUANTIZED_CELLS };

/* The four signed cells of a row at step k, in every lane. */
TARGET static inline __m512i spread_cells(const int8_t *cells, size_t k)
{
    int32_t four;

    memcpy(&four, cells + k * QUANTIZED_CELLS, sizeof four);
    return _mm512_set1_epi32(four);
}

TARGET static void multiply_block(const struct quantized *packed, size_t first, const struct quantized_row *rows,
                                  float *scores, size_t stride)
{
    size_t group_bytes = packed->depth * STEP_BYTES;
    const uint8_t *from = packed->cells + first / QUANTIZED_GROUP * group_bytes;
    __m512i sums[SUMS];

    ROW_KERNELS_UNROLL
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_si512();
    for (size_t k = 0; k < packed->depth; k++) {
        const __m512i right[GROUPS] = {_mm512_load_si512(from + k * STEP_BYTES),
                                       _mm512_load_si512(from + group_bytes + k * STEP_BYTES)};

        ROW_KERNELS_UNROLL
        for (size_t row = 0; row < ROWS; row++) {
            __m512i left = spread_cells(rows[row].cells, k);

            sums[row * GROUPS] = _mm512_dpbusd_epi32(sums[row * GROUPS], right[0], left);
            sums[row * GROUPS + 1] = _mm512_dpbusd_epi32(sums[row * GROUPS + 1], right[1], left);
        }
    }
    ROW_KERNELS_UNROLL
    for (size_t row = 0; row < ROWS; row++) {
        __m512i offset = _mm512_set1_epi32(128 * rows[row].sum); /* the packed cells are 128 too high */
        __m512 scale = _mm512_set1_ps(rows[row].scale);

        ROW_KERNELS_UNROLL
        for (size_t group = 0; group < GROUPS; group++) {
            __m512 product = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[row * GROUPS + group], offset));
            __m512 scales = _mm512_loadu_ps(packed->scale + first + group * QUANTIZED_GROUP);

            _mm512_storeu_ps(scores + row * stride + group * QUANTIZED_GROUP,
                             _mm512_mul_ps(product, _mm512_mul_ps(scale, scales)));
        }
    }
}

static void multiply_vnni(const struct quantized *packed, size_t first, size_t count, const struct quantized_row *rows,
                          float *scores, size_t stride)
{
    for (size_t j = 0; j < count; j += (size_t)GROUPS * QUANTIZED_GROUP)
        multiply_block(packed, first + j, rows, scores + j, stride);
}

TARGET static size_t select_vnni(const struct quantized *packed, size_t first, size_t count,
                                 const struct quantized_row *row, const float *scores, float sign, float threshold,
                                 int32_t *out, float *bounds)
{
    __m512 loss = _mm512_set1_ps(sign * row->loss);
    __m512 norm = _mm512_set1_ps(sign * row->norm);
    __m512 least = _mm512_set1_ps(threshold);
    __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    size_t selected = 0;

    for (size_t j = 0; j < count; j += QUANTIZED_GROUP) {
        __m512 bound = _mm512_loadu_ps(scores + j);
        __mmask16 mask;

        bound = _mm512_fmadd_ps(loss, _mm512_loadu_ps(packed->norm + first + j), bound);
        bound = _mm512_fmadd_ps(norm, _mm512_loadu_ps(packed->loss + first + j), bound);
        mask = _mm512_cmp_ps_mask(bound, least, _CMP_GE_OQ);
        if (mask == 0)
            continue;
        _mm512_mask_compressstoreu_epi32(out + selected, mask, _mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)j)));
        _mm512_mask_compressstoreu_ps(bounds + selected, mask, bound);
        selected += (size_t)__builtin_popcount(mask);
    }
    return selected;
}

const struct quantized_kernels quantized_kernels_vnni = {.multiply = multiply_vnni, .select = select_vnni};

#else

const struct quantized_kernels quantized_kernels_vnni = {.multiply = NULL, .select = NULL};

#endif
