#include "worker/als/cpu/row_kernels.h"

static float dot_float(const float *a, const float *b, size_t width)
{
    enum { LANES = 8 };
    float lanes[LANES] = {0};
    float sum = 0;
    size_t k = 0;

    for (; k + LANES <= width; k += LANES) {
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] += a[k + lane] * b[k + lane];
    }
    for (; k < width; k++)
        sum += a[k] * b[k];
    for (size_t lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    return sum;
}

static void gram_plain(float *out, size_t stride, const float *const *rows, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j < count; j++)
            out[i * stride + j] = dot_float(rows[i], rows[j], width);
    }
}

static void combine_plain(float *out, const float *const *rows, const float *weights, size_t count, size_t width)
{
    for (size_t j = 0; j < count; j++) {
        for (size_t k = 0; k < width; k++)
            out[k] += weights[j] * rows[j][k];
    }
}

static void multiply_plain(float *out, const float *x, const float *const *rows, size_t count, size_t width)
{
    for (size_t j = 0; j < count; j++)
        out[j] = dot_float(x, rows[j], width);
}

static double dot_plain(const float *a, const float *b, size_t width)
{
    double even = 0;
    double odd = 0;
    size_t k = 0;

    for (; k + 2 <= width; k += 2) {
        even += (double)a[k] * (double)b[k];
        odd += (double)a[k + 1] * (double)b[k + 1];
    }
    return k < width ? even + odd + (double)a[k] * (double)b[k] : even + odd;
}

static double dot_double_plain(const float *a, const double *b, size_t width)
{
    double even = 0;
    double odd = 0;
    size_t k = 0;

    for (; k + 2 <= width; k += 2) {
        even += (double)a[k] * b[k];
        odd += (double)a[k + 1] * b[k + 1];
    }
    return k < width ? even + odd + (double)a[k] * b[k] : even + odd;
}

static void add_double_plain(double *out, const float *a, double weight, size_t width)
{
    for (size_t k = 0; k < width; k++)
        out[k] += weight * (double)a[k];
}

const struct row_kernels row_kernels_plain = {.name = "plain",
                                              .gram = gram_plain,
                                              .combine = combine_plain,
                                              .multiply = multiply_plain,
                                              .dot = dot_plain,
                                              .dot_double = dot_double_plain,
                                              .add_double = add_double_plain};

const struct row_kernels *row_kernels_choose(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return &row_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &row_kernels_avx2;
#endif
    return &row_kernels_plain;
}
