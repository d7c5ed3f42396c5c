#include "worker/als/cpu/shared_factor.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/lapack.h"
#include "worker/als/cpu/sweep.h"

enum { STRIPE = 160 };

/* A pivot this far below the largest is rounding, not information (doubles; sums of up to 1e6 products). */
static const double LEAST_PIVOT = 1e-13;

static enum err_code create_spectrum(struct shared_factor *shared, struct err *err)
{
    size_t f = shared->factors;

    shared->spectrum = mem_aligned(f, sizeof *shared->spectrum);
    shared->work = mem_aligned(lapack_eigenvectors_doubles(f), sizeof *shared->work);
    shared->int_work = mem_aligned(lapack_eigenvectors_ints(f), sizeof *shared->int_work);
    if (shared->spectrum == NULL || shared->work == NULL || shared->int_work == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu eigenvectors", f);
    return ERR_OK;
}

enum err_code shared_factor_init(struct shared_factor *shared, const struct als_params *params, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t f = (size_t)params->factors;

    *shared = (struct shared_factor){
        .factors = f, .params = params, .is_scaled = params->regularization_scaling != ALS_SCALING_NONE};
    shared->base = mem_aligned(f * f, sizeof(double));
    shared->factor = mem_aligned(f * f, sizeof(double));
    shared->inverse = mem_aligned(f * f, sizeof(float));
    if (shared->base == NULL || shared->factor == NULL || shared->inverse == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu x %zu doubles", f, f);
    if (rc == ERR_OK && shared->is_scaled)
        rc = create_spectrum(shared, err);
    if (rc != ERR_OK)
        shared_factor_fini(shared);
    return rc;
}

double shared_factor_bytes(const struct als_params *params)
{
    size_t factors = (size_t)params->factors;
    double f = params->factors;
    double bytes = f * f * (2 * (double)sizeof(double) + (double)sizeof(float));

    if (params->regularization_scaling == ALS_SCALING_NONE)
        return bytes;
    return bytes + (f + (double)lapack_eigenvectors_doubles(factors)) * (double)sizeof(double) +
           (double)lapack_eigenvectors_ints(factors) * (double)sizeof(int);
}

void shared_factor_fini(struct shared_factor *shared)
{
    free(shared->base);
    free(shared->factor);
    free(shared->inverse);
    free(shared->spectrum);
    free(shared->work);
    free(shared->int_work);
    *shared = (struct shared_factor){0};
}

/* factor = L^-1; false where A0 is not positive definite. */
static bool invert_base(struct shared_factor *shared)
{
    size_t f = shared->factors;
    double *l = shared->factor;
    double largest = 0;
    bool definite;

    for (size_t i = 0; i < f; i++)
        largest = l[i * f + i] > largest ? l[i * f + i] : largest;
    definite = lapack_cholesky_double(l, f, f);
    for (size_t i = 0; definite && i < f; i++)
        definite = l[i * f + i] * l[i * f + i] > largest * LEAST_PIVOT;
    return definite && lapack_invert_lower(l, f);
}

/* factor = Q', spectrum = S; false where a row's S + lambda_i I may not be positive definite. */
static bool decompose_base(struct shared_factor *shared, size_t others)
{
    size_t f = shared->factors;
    double least = sweep_row_ridge(shared->params, 0, others);

    return lapack_eigenvectors(shared->factor, shared->spectrum, f, shared->work, shared->int_work) &&
           shared->spectrum[0] + least > shared->spectrum[f - 1] * LEAST_PIVOT;
}

enum err_code shared_factor_compute(struct shared_factor *shared, const double *gram, size_t others, struct err *err)
{
    size_t f = shared->factors;

    sweep_regularize(shared->base, gram, f, sweep_shared_regularization(shared->params));
    memcpy(shared->factor, shared->base, f * f * sizeof *shared->factor);
    if (!(shared->is_scaled ? decompose_base(shared, others) : invert_base(shared)))
        return ERR_SET(err, ERR_NUMERIC,
                       "the shared %zu x %zu system is not positive definite at regularization %g: raise it, or use "
                       "fewer factors",
                       f, f, shared->params->regularization);
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j < f; j++)
            shared->inverse[i * f + j] = shared->is_scaled || j <= i ? (float)shared->factor[i * f + j] : 0;
    }
    return ERR_OK;
}

static size_t stripe_width(size_t factors, size_t first)
{
    return factors - first < STRIPE ? factors - first : STRIPE;
}

/* Column k takes the columns of `in` up to k, where M is a triangle. */
void shared_factor_multiply_transposed(const struct shared_factor *shared, size_t rows, const float *in, float *out)
{
    size_t f = shared->factors;

    for (size_t k = 0; k < f; k += STRIPE) {
        int width = (int)stripe_width(f, k);
        int depth = shared->is_scaled ? (int)f : (int)k + width;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, width, depth, 1, in, (int)f,
                    shared->inverse + k * f, (int)f, 0, out + k, (int)f);
    }
}

/* Column k takes the columns from k on, where M is a triangle. */
void shared_factor_multiply(const struct shared_factor *shared, size_t rows, const float *in, float *out)
{
    size_t f = shared->factors;

    for (size_t k = 0; k < f; k += STRIPE) {
        size_t from = shared->is_scaled ? 0 : k;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)stripe_width(f, k), (int)(f - from), 1,
                    in + from, (int)f, shared->inverse + from * f + k, (int)f, 0, out + k, (int)f);
    }
}
