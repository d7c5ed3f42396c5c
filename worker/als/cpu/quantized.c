#include "worker/als/cpu/quantized.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { MOST = 127, OFFSET = 128, PADDING = 2 * QUANTIZED_GROUP };

/* Norms are taken a little larger, for what floats lose behind them. */
static const double SLACK = 1 + 1e-5;

/* One row's cells by `write`, and its numbers. */
struct numbers {
    float scale;
    double norm;      /* |x| */
    double quantized; /* |s q| */
    double loss;      /* |r| */
    int32_t sum;
};

static struct numbers quantize(int8_t *cells, const float *row, size_t factors, float factor)
{
    struct numbers numbers = {0};
    float largest = 0;

    for (size_t k = 0; k < factors; k++)
        largest = fmaxf(largest, fabsf(factor * row[k]));
    numbers.scale = largest / MOST;
    for (size_t k = 0; k < factors; k++) {
        double value = (double)factor * (double)row[k];
        double cell = numbers.scale > 0 ? nearbyint(value / (double)numbers.scale) : 0;
        double rest;

        cell = cell > MOST ? MOST : (cell < -MOST ? -MOST : cell);
        rest = value - (double)numbers.scale * cell;
        cells[k] = (int8_t)cell;
        numbers.sum += (int32_t)cell;
        numbers.norm += value * value;
        numbers.quantized += (double)numbers.scale * cell * (double)numbers.scale * cell;
        numbers.loss += rest * rest;
    }
    numbers.norm = sqrt(numbers.norm) * SLACK;
    numbers.quantized = sqrt(numbers.quantized) * SLACK;
    numbers.loss = sqrt(numbers.loss) * SLACK + 1e-6 * numbers.norm; /* and for what sums of floats lose */
    return numbers;
}

static void pack(struct quantized *out, size_t row, const int8_t *cells)
{
    size_t group = row / QUANTIZED_GROUP;
    uint8_t *to = out->cells + (group * out->depth * QUANTIZED_GROUP + row % QUANTIZED_GROUP) * QUANTIZED_CELLS;

    for (size_t k = 0; k < out->depth; k++) {
        for (size_t cell = 0; cell < QUANTIZED_CELLS; cell++)
            to[k * QUANTIZED_GROUP * QUANTIZED_CELLS + cell] = (uint8_t)(cells[k * QUANTIZED_CELLS + cell] + OFFSET);
    }
}

enum err_code quantized_init(struct quantized *out, const float *rows, size_t count, size_t factors, struct err *err)
{
    size_t padded = (count + PADDING - 1) / PADDING * PADDING;
    size_t depth = (factors + QUANTIZED_CELLS - 1) / QUANTIZED_CELLS;
    int8_t *cells = mem_zeroed(depth * QUANTIZED_CELLS, sizeof *cells);
    size_t bytes;

    *out = (struct quantized){.rows = padded, .depth = depth};
    if (mem_multiply(&bytes, padded, depth * QUANTIZED_CELLS)) {
        out->cells = mem_aligned(bytes, 1);
        out->scale = mem_zeroed(padded, sizeof *out->scale);
        out->norm = mem_zeroed(padded, sizeof *out->norm);
        out->loss = mem_zeroed(padded, sizeof *out->loss);
    }
    if (cells == NULL || out->cells == NULL || out->scale == NULL || out->norm == NULL || out->loss == NULL) {
        free(cells);
        quantized_fini(out);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates x %zu cells", count, factors);
    }
    memset(out->cells, OFFSET, bytes);
    for (size_t row = 0; row < count; row++) {
        struct numbers numbers = quantize(cells, rows + row * factors, factors, 1);

        pack(out, row, cells);
        out->scale[row] = numbers.scale;
        out->norm[row] = (float)numbers.quantized;
        out->loss[row] = (float)numbers.loss;
    }
    free(cells);
    return ERR_OK;
}

void quantized_fini(struct quantized *quantized)
{
    free(quantized->cells);
    free(quantized->scale);
    free(quantized->norm);
    free(quantized->loss);
    memset(quantized, 0, sizeof *quantized);
}

void quantized_row_set(struct quantized_row *out, const float *row, size_t factors, size_t depth, float factor)
{
    struct numbers numbers;

    memset(out->cells, 0, depth * QUANTIZED_CELLS);
    numbers = quantize(out->cells, row, factors, factor);
    out->sum = numbers.sum;
    out->scale = numbers.scale;
    out->norm = (float)numbers.norm;
    out->loss = (float)numbers.loss;
}

/* Row `row` of the packed side times a row of the other. */
static int32_t multiply_cells(const struct quantized *packed, size_t row, const struct quantized_row *other)
{
    const uint8_t *from =
        packed->cells +
        (row / QUANTIZED_GROUP * packed->depth * QUANTIZED_GROUP + row % QUANTIZED_GROUP) * QUANTIZED_CELLS;
    int32_t sum = -OFFSET * other->sum;

    for (size_t k = 0; k < packed->depth; k++) {
        for (size_t cell = 0; cell < QUANTIZED_CELLS; cell++)
            sum += from[k * QUANTIZED_GROUP * QUANTIZED_CELLS + cell] * other->cells[k * QUANTIZED_CELLS + cell];
    }
    return sum;
}

static void multiply_plain(const struct quantized *packed, size_t first, size_t count, const struct quantized_row *rows,
                           float *scores, size_t stride)
{
    for (size_t i = 0; i < QUANTIZED_ROWS; i++) {
        for (size_t j = 0; j < count; j++)
            scores[i * stride + j] =
                (float)multiply_cells(packed, first + j, &rows[i]) * (rows[i].scale * packed->scale[first + j]);
    }
}

static size_t select_plain(const struct quantized *packed, size_t first, size_t count, const struct quantized_row *row,
                           const float *scores, float sign, float threshold, int32_t *out, float *bounds)
{
    size_t selected = 0;

    for (size_t j = 0; j < count; j++) {
        float bound = scores[j] + sign * (row->loss * packed->norm[first + j] + row->norm * packed->loss[first + j]);

        if (bound < threshold)
            continue;
        out[selected] = (int32_t)j;
        bounds[selected++] = bound;
    }
    return selected;
}

const struct quantized_kernels quantized_kernels_plain = {.multiply = multiply_plain, .select = select_plain};

bool quantized_is_fast(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}
