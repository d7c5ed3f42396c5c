#include "worker/als/cpu/row_dense.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/lapack.h"

enum { GATHER_ROWS = 64 }; /* entries added by one dsyrk */

struct row_dense {
    size_t factors;
    double *system; /* f x f, then its Cholesky factor */
    double *gather; /* GATHER_ROWS x f: sqrt(|d_j|) y_j */
    double *right;  /* f */
};

enum err_code row_dense_create(struct row_dense **out, size_t factors, struct err *err)
{
    struct row_dense *dense = mem_zeroed(1, sizeof *dense);

    *out = NULL;
    if (dense != NULL) {
        dense->factors = factors;
        dense->system = mem_aligned(factors * factors, sizeof(double));
        dense->gather = mem_aligned(GATHER_ROWS * factors, sizeof(double));
        dense->right = mem_aligned(factors, sizeof(double));
    }
    if (dense == NULL || dense->system == NULL || dense->gather == NULL || dense->right == NULL) {
        row_dense_destroy(dense);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a system of %zu x %zu doubles", factors, factors);
    }
    *out = dense;
    return ERR_OK;
}

double row_dense_bytes(size_t factors)
{
    double f = (double)factors;

    return (f * f + GATHER_ROWS * f + f) * (double)sizeof(double);
}

void row_dense_destroy(struct row_dense *dense)
{
    if (dense == NULL)
        return;
    free(dense->system);
    free(dense->gather);
    free(dense->right);
    free(dense);
}

static void add_gathered(struct row_dense *dense, size_t count, double sign)
{
    int f = (int)dense->factors;

    if (count > 0)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, f, (int)count, sign, dense->gather, f, 1.0, dense->system,
                    f);
}

/* system += sum d_j y_j y_j' over the entries whose d has the given sign */
static void add_entries(struct row_dense *dense, const struct confidence_row *row, const float *fixed, double sign)
{
    size_t f = dense->factors;
    size_t count = 0;

    for (size_t j = 0; j < row->count; j++) {
        double weight = sign * (double)row->d[j];
        const float *from = fixed + (size_t)row->columns[j] * f;
        double *to = dense->gather + count * f;

        if (weight <= 0)
            continue;
        weight = sqrt(weight);
        for (size_t k = 0; k < f; k++)
            to[k] = weight * (double)from[k];
        if (++count == GATHER_ROWS) {
            add_gathered(dense, count, sign);
            count = 0;
        }
    }
    add_gathered(dense, count, sign);
}

static void set_right(struct row_dense *dense, const struct confidence_row *row, const float *fixed)
{
    size_t f = dense->factors;

    memset(dense->right, 0, f * sizeof *dense->right);
    for (size_t j = 0; j < row->count; j++) {
        const float *from = fixed + (size_t)row->columns[j] * f;

        for (size_t k = 0; k < f; k++)
            dense->right[k] += (double)row->b[j] * (double)from[k];
    }
}

bool row_dense_solve(struct row_dense *dense, const struct confidence_row *row, const float *fixed, const double *base,
                     float *x)
{
    int f = (int)dense->factors;

    memcpy(dense->system, base, dense->factors * dense->factors * sizeof *base);
    for (size_t k = 0; k < dense->factors; k++)
        dense->system[k * dense->factors + k] += row->ridge;
    add_entries(dense, row, fixed, 1);
    add_entries(dense, row, fixed, -1);
    if (!lapack_cholesky_double(dense->system, dense->factors, dense->factors))
        return false;
    set_right(dense, row, fixed);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, f, dense->system, f, dense->right, 1);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, f, dense->system, f, dense->right, 1);
    for (size_t k = 0; k < dense->factors; k++)
        x[k] = (float)dense->right[k];
    return true;
}
