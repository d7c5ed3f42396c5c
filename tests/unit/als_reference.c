#include "als_reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "worker/als/pcg64.h"

void als_reference_gram(double *gram, const float *fixed, size_t rows, size_t factors)
{
    memset(gram, 0, factors * factors * sizeof *gram);
    for (size_t row = 0; row < rows; row++) {
        const float *y = fixed + row * factors;

        for (size_t i = 0; i < factors; i++) {
            for (size_t j = 0; j < factors; j++)
                gram[i * factors + j] += (double)y[i] * (double)y[j];
        }
    }
}

static double confidence(const struct csr *values, int64_t k, const struct als_params *params)
{
    return (double)fabsf((float)params->alpha * values->values[k]);
}

static double row_regularization(const struct csr *values, size_t row, const struct als_params *params)
{
    double entries = (double)(values->offsets[row + 1] - values->offsets[row]);

    if (params->regularization_scaling == ALS_SCALING_NONE)
        return params->regularization;
    return params->regularization * (entries + (double)values->cols / params->alpha);
}

/* a (f x f, lower triangle) becomes its Cholesky factor, x the solution of a x = x. */
static void solve(double *a, double *x, size_t f)
{
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * f + j];

            for (size_t k = 0; k < j; k++)
                sum -= a[i * f + k] * a[j * f + k];
            if (i == j)
                assert_true(sum > 0);
            a[i * f + j] = i == j ? sqrt(sum) : sum / a[j * f + j];
        }
    }
    for (size_t i = 0; i < f; i++) {
        for (size_t k = 0; k < i; k++)
            x[i] -= a[i * f + k] * x[k];
        x[i] /= a[i * f + i];
    }
    for (size_t i = f; i-- > 0;) {
        for (size_t k = i + 1; k < f; k++)
            x[i] -= a[k * f + i] * x[k];
        x[i] /= a[i * f + i];
    }
}

void als_reference_row(double *x, const struct csr *values, size_t row, const float *fixed, const double *gram,
                       const struct als_params *params)
{
    size_t f = (size_t)params->factors;
    double *a = mem_zeroed(f * f, sizeof *a);

    assert_non_null(a);
    memset(x, 0, f * sizeof *x);
    memcpy(a, gram, f * f * sizeof *a);
    for (size_t i = 0; i < f; i++)
        a[i * f + i] += row_regularization(values, row, params);
    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        const float *y = fixed + (size_t)values->columns[k] * f;
        double c = confidence(values, k, params);

        for (size_t i = 0; i < f; i++) {
            x[i] += values->values[k] > 0 ? c * (double)y[i] : 0;
            for (size_t j = 0; j <= i; j++)
                a[i * f + j] += (c - 1) * (double)y[i] * (double)y[j];
        }
    }
    if (values->offsets[row] < values->offsets[row + 1])
        solve(a, x, f);
    free(a);
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* out = A in, A being the row's matrix */
static void multiply(double *out, const double *in, const struct csr *values, size_t row, const float *fixed,
                     const double *gram, const struct als_params *params)
{
    size_t f = (size_t)params->factors;

    for (size_t i = 0; i < f; i++)
        out[i] = row_regularization(values, row, params) * in[i] + dot(gram + i * f, in, f);
    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        const float *y = fixed + (size_t)values->columns[k] * f;
        double s = 0;

        for (size_t i = 0; i < f; i++)
            s += (double)y[i] * in[i];
        for (size_t i = 0; i < f; i++)
            out[i] += (confidence(values, k, params) - 1) * s * (double)y[i];
    }
}

void als_reference_cg(double *x, const struct csr *values, size_t row, const float *fixed, const double *gram,
                      const struct als_params *params)
{
    size_t f = (size_t)params->factors;
    double *r = mem_zeroed(3 * f, sizeof *r);
    double *p = r + f;
    double *q = r + 2 * f;
    double norm;

    assert_non_null(r);
    if (values->offsets[row] == values->offsets[row + 1])
        memset(x, 0, f * sizeof *x);
    multiply(q, x, values, row, fixed, gram, params);
    for (size_t i = 0; i < f; i++)
        r[i] = -q[i];
    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        for (size_t i = 0; i < f && values->values[k] > 0; i++)
            r[i] += confidence(values, k, params) * (double)fixed[(size_t)values->columns[k] * f + i];
    }
    memcpy(p, r, f * sizeof *p);
    norm = dot(r, r, f);
    for (int step = 0; step < params->cg_steps && norm >= 1e-20; step++) {
        double length;
        double next;

        multiply(q, p, values, row, fixed, gram, params);
        length = norm / dot(p, q, f);
        for (size_t i = 0; i < f; i++) {
            x[i] += length * p[i];
            r[i] -= length * q[i];
        }
        next = dot(r, r, f);
        for (size_t i = 0; i < f; i++)
            p[i] = r[i] + next / norm * p[i];
        norm = next;
    }
    free(r);
}

/* sum of lambda_i |x_i|^2 */
static double penalty_of(const struct csr *values, const float *x, const struct als_params *params)
{
    size_t f = (size_t)params->factors;
    double sum = 0;

    for (size_t row = 0; row < values->rows; row++) {
        for (size_t i = 0; i < f; i++)
            sum += row_regularization(values, row, params) * (double)x[row * f + i] * (double)x[row * f + i];
    }
    return sum;
}

double als_reference_loss(const struct csr *values, const float *x, const float *y, const struct als_params *params)
{
    size_t f = (size_t)params->factors;
    double sum = 0;
    double weights = 0;
    double penalty;
    struct csr by_item;

    for (size_t row = 0; row < values->rows; row++) {
        int64_t k = values->offsets[row];

        for (size_t col = 0; col < values->cols; col++) {
            bool is_entry = k < values->offsets[row + 1] && (size_t)values->columns[k] == col;
            double c = is_entry ? confidence(values, k, params) : 1;
            double p = is_entry && values->values[k] > 0 ? 1 : 0;
            double s = 0;

            for (size_t i = 0; i < f; i++)
                s += (double)x[row * f + i] * (double)y[col * f + i];
            sum += c * (p - s) * (p - s);
            weights += c;
            k += is_entry;
        }
    }
    assert_int_equal(csr_transpose(&by_item, values, NULL), ERR_OK);
    penalty = penalty_of(values, x, params) + penalty_of(&by_item, y, params);
    csr_fini(&by_item);
    return (sum + penalty) / weights;
}

double als_reference_error(const float *x, const double *expected, size_t factors)
{
    double difference = 0;
    double size = 0;

    for (size_t i = 0; i < factors; i++) {
        difference += ((double)x[i] - expected[i]) * ((double)x[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

double als_reference_distance(const float *a, const float *b, size_t count)
{
    double error = 0;
    double whole = 0;

    for (size_t i = 0; i < count; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        whole += (double)b[i] * (double)b[i];
    }
    return sqrt(error / whole);
}

void als_reference_train(struct als_model *model, const struct csr *values, const struct als_params *params,
                         double *loss)
{
    struct err err = {0};

    if (als_train(model, values, params, NULL, loss, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

void als_reference_csr(struct csr *csr, const float *values, size_t rows, size_t cols)
{
    size_t nonzeros = 0;

    for (size_t i = 0; i < rows * cols; i++)
        nonzeros += isnan(values[i]) ? 0 : 1;
    assert_int_equal(csr_init(csr, rows, cols, nonzeros, NULL), ERR_OK);
    nonzeros = 0;
    for (size_t row = 0; row < rows; row++) {
        for (size_t col = 0; col < cols; col++) {
            if (isnan(values[row * cols + col]))
                continue;
            csr->columns[nonzeros] = (int32_t)col;
            csr->values[nonzeros++] = values[row * cols + col];
        }
        csr->offsets[row + 1] = (int64_t)nonzeros;
    }
}

void als_reference_random(struct csr *csr, size_t rows, size_t cols, double density, uint64_t seed)
{
    float *values = mem_zeroed(rows * cols, sizeof *values);
    struct pcg64 generator;

    assert_non_null(values);
    pcg64_seed(&generator, seed);
    for (size_t row = 0; row < rows; row++) {
        double here = density * (0.5 + pcg64_next_double(&generator)); /* full from 2 on */

        for (size_t col = 0; col < cols; col++) {
            bool is_entry = row % 17 != 3 && pcg64_next_double(&generator) < here;

            /* from e^-13 to e^2: at alpha 800 about two in five are below c = 1 */
            values[row * cols + col] = is_entry ? (float)exp(2 - 15 * pcg64_next_double(&generator)) : NAN;
        }
    }
    als_reference_csr(csr, values, rows, cols);
    free(values);
}

void als_reference_fill(float *out, size_t count, float scale, uint64_t seed)
{
    struct pcg64 generator;

    pcg64_seed(&generator, seed);
    for (size_t i = 0; i < count; i++)
        out[i] = scale * (2 * pcg64_next_float(&generator) - 1);
}
