#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/cpu/row_dense.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/row_refined.h"

enum { MOST_ROWS = 300, MOST_WIDTH = 133, KINDS = 3, FACTORS = 60 };

static const float UNTOUCHED = -77;

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, expected);
}

/* Which kernels this CPU can run; the plain ones always. */
static size_t find_kernels(const struct row_kernels **out)
{
    size_t count = 0;

    out[count++] = &row_kernels_plain;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = &row_kernels_avx2;
    if (__builtin_cpu_supports("avx512f"))
        out[count++] = &row_kernels_avx512;
#endif
    return count;
}

struct rows {
    float *cells; /* MOST_ROWS x MOST_WIDTH */
    const float *rows[MOST_ROWS];
};

static void rows_init(struct rows *rows, size_t width)
{
    rows->cells = mem_zeroed((size_t)MOST_ROWS * MOST_WIDTH, sizeof *rows->cells);
    assert_non_null(rows->cells);
    als_reference_fill(rows->cells, (size_t)MOST_ROWS * MOST_WIDTH, 1, 7);
    for (size_t i = 0; i < MOST_ROWS; i++) /* in no order, and close enough that reading too far meets a neighbour */
        rows->rows[i] = rows->cells + i * 7 % MOST_ROWS * width;
}

static double dot(const float *a, const float *b, size_t width)
{
    double sum = 0;

    for (size_t k = 0; k < width; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

static void check_gram(const struct row_kernels *kernels, const struct rows *rows, size_t count, size_t width)
{
    size_t stride = count + 2;
    float *out = mem_zeroed(count * stride, sizeof *out);

    assert_non_null(out);
    for (size_t i = 0; i < count * stride; i++)
        out[i] = UNTOUCHED;
    kernels->gram(out, stride, rows->rows, count, width);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < stride; j++) {
            if (j < i || j >= count)
                assert_true(out[i * stride + j] == UNTOUCHED);
            else
                assert_near((double)out[i * stride + j], dot(rows->rows[i], rows->rows[j], width), 2e-5);
        }
    }
    free(out);
}

static void check_combine(const struct row_kernels *kernels, const struct rows *rows, size_t count, size_t width)
{
    float weights[MOST_ROWS];
    float out[MOST_WIDTH + 1];

    als_reference_fill(weights, MOST_ROWS, 1, 8);
    for (size_t k = 0; k <= width; k++)
        out[k] = UNTOUCHED;
    kernels->combine(out, rows->rows, weights, count, width);
    assert_true(out[width] == UNTOUCHED);
    for (size_t k = 0; k < width; k++) {
        double sum = (double)UNTOUCHED;

        for (size_t j = 0; j < count; j++)
            sum += (double)weights[j] * (double)rows->rows[j][k];
        assert_near((double)out[k], sum, 1e-4);
    }
}

static void check_multiply(const struct row_kernels *kernels, const struct rows *rows, size_t count, size_t width)
{
    float out[MOST_ROWS + 1];

    out[count] = UNTOUCHED;
    kernels->multiply(out, rows->rows[2], rows->rows, count, width);
    assert_true(out[count] == UNTOUCHED);
    for (size_t j = 0; j < count; j++)
        assert_near((double)out[j], dot(rows->rows[2], rows->rows[j], width), 2e-5);
}

static void check_doubles(const struct row_kernels *kernels, const struct rows *rows, size_t width)
{
    double b[MOST_WIDTH];
    double out[MOST_WIDTH + 1];
    double sum = 0;

    for (size_t k = 0; k < width; k++) {
        b[k] = (double)rows->rows[1][k] / 3;
        out[k] = (double)k;
        sum += (double)rows->rows[0][k] * b[k];
    }
    out[width] = 5;
    assert_near(kernels->dot(rows->rows[0], rows->rows[1], width), dot(rows->rows[0], rows->rows[1], width), 1e-13);
    assert_near(kernels->dot_double(rows->rows[0], b, width), sum, 1e-13);
    kernels->add_double(out, rows->rows[0], 0.7, width);
    for (size_t k = 0; k < width; k++)
        assert_near(out[k], (double)k + 0.7 * (double)rows->rows[0][k], 1e-13);
    assert_true(out[width] == 5);
}

static void kernels_of_every_kind_agree_with_plain_loops(void **state)
{
    static const size_t widths[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 64, 100, 133};
    static const size_t counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 33};
    const struct row_kernels *kinds[KINDS];
    size_t kind_count = find_kernels(kinds);

    (void)state;
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        struct rows rows;

        rows_init(&rows, widths[w]);
        for (size_t kind = 0; kind < kind_count; kind++) {
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                check_gram(kinds[kind], &rows, counts[c], widths[w]);
                check_combine(kinds[kind], &rows, counts[c], widths[w]);
                check_multiply(kinds[kind], &rows, counts[c], widths[w]);
            }
            check_doubles(kinds[kind], &rows, widths[w]);
        }
        free(rows.cells);
    }
}

static void no_rows_change_nothing(void **state)
{
    const struct row_kernels *kinds[KINDS];
    float out = UNTOUCHED;

    (void)state;
    for (size_t i = 0, count = find_kernels(kinds); i < count; i++) {
        kinds[i]->gram(&out, 1, NULL, 0, 8);
        kinds[i]->combine(&out, NULL, NULL, 0, 1);
        assert_true(out == UNTOUCHED);
    }
}

static void the_best_kernels_of_this_cpu_are_chosen(void **state)
{
    const struct row_kernels *kinds[KINDS];
    size_t count = find_kernels(kinds);

    (void)state;
    assert_ptr_equal(row_kernels_choose(), kinds[count - 1]);
}

/* A row of MOST_ROWS entries of a fixed side, with its base. */
struct equation {
    float *fixed; /* MOST_ROWS x FACTORS */
    double *base;
    int32_t columns[MOST_ROWS];
    float d[MOST_ROWS];
    float b[MOST_ROWS];
    struct confidence_row row;
};

static void equation_init(struct equation *equation, float regularization)
{
    equation->fixed = mem_zeroed((size_t)MOST_ROWS * FACTORS, sizeof(float));
    equation->base = mem_zeroed((size_t)FACTORS * FACTORS, sizeof(double));
    assert_true(equation->fixed != NULL && equation->base != NULL);
    als_reference_fill(equation->fixed, (size_t)MOST_ROWS * FACTORS, 0.3F, 3);
    als_reference_gram(equation->base, equation->fixed, MOST_ROWS, FACTORS);
    for (size_t i = 0; i < FACTORS; i++)
        equation->base[i * FACTORS + i] += (double)regularization;
    for (int32_t j = 0; j < MOST_ROWS; j++) {
        float c = j % 3 == 0 ? 2500 : (float)(j % 7) * 0.2F;

        equation->columns[j] = j;
        equation->d[j] = c - 1;
        equation->b[j] = j % 5 == 0 ? 0 : c;
    }
    equation->row =
        (struct confidence_row){.count = MOST_ROWS, .columns = equation->columns, .d = equation->d, .b = equation->b};
}

static void equation_fini(struct equation *equation)
{
    free(equation->fixed);
    free(equation->base);
}

static void a_refined_solution_is_that_of_doubles(void **state)
{
    struct equation equation;
    struct row_dense *dense = NULL;
    struct row_refined *refined = NULL;
    float expected[FACTORS];
    float x[FACTORS];

    (void)state;
    equation_init(&equation, 0.005F);
    assert_int_equal(row_dense_create(&dense, FACTORS, NULL), ERR_OK);
    assert_int_equal(row_refined_create(&refined, FACTORS, NULL), ERR_OK);
    assert_true(row_dense_solve(dense, &equation.row, equation.fixed, equation.base, expected));
    assert_true(row_refined_solve(refined, &equation.row, equation.fixed, equation.base, x));
    for (size_t k = 0; k < FACTORS; k++)
        assert_near((double)x[k], (double)expected[k], 1e-6 * (double)fabsf(expected[k]) + 1e-7);
    row_refined_destroy(refined);
    row_dense_destroy(dense);
    equation_fini(&equation);
}

static void a_system_beyond_floats_is_left_to_doubles(void **state)
{
    struct equation equation;
    struct row_refined *refined = NULL;
    float x[FACTORS];

    (void)state;
    equation_init(&equation, 0);
    memset(equation.base, 0, sizeof(double) * FACTORS * FACTORS); /* only rounding is left of it beside the entries */
    for (size_t k = 0; k < FACTORS; k++)
        equation.base[k * FACTORS + k] = 1e-9;
    equation.row.count = FACTORS / 2;
    for (size_t j = 0; j < FACTORS / 2; j++) {
        equation.d[j] = 1e9F;
        equation.b[j] = 1e9F;
    }
    assert_int_equal(row_refined_create(&refined, FACTORS, NULL), ERR_OK);
    assert_false(row_refined_solve(refined, &equation.row, equation.fixed, equation.base, x));
    row_refined_destroy(refined);
    equation_fini(&equation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_of_every_kind_agree_with_plain_loops),
        cmocka_unit_test(no_rows_change_nothing),
        cmocka_unit_test(the_best_kernels_of_this_cpu_are_chosen),
        cmocka_unit_test(a_refined_solution_is_that_of_doubles),
        cmocka_unit_test(a_system_beyond_floats_is_left_to_doubles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
