#include "worker/als/cpu/row_dual.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/system_kernels.h"

/* From this many entries on OpenBLAS's own blocking is worth a copy of the rows (measured at f = 800). */
enum { GATHER_FROM = 256 };

/* Of a pivot less than this share must be left: more would be lost to rounding than a row's solution bears. */
static const float LEAST_PIVOT = 1e-5F;

/*
 * Entries are taken in three groups: d > 0 (P), d < 0 (N), d = 0 (Z). Of Z, w = b is known and moves to the right. With
 * r = b / d - V r0, r0 = sum over Z of b_j v_j, the rest is symmetric and quasi-definite:
 *
 *     [ G_PP + D_P^-1         G_PN       ] [w_P]   [r_P]
 *     [ G_NP          G_NN - |D_N|^-1    ] [w_N] = [r_N]
 *
 * Its factors need no pivoting: the pivots of P are positive, those of N negative.
 */
struct row_dual {
    size_t factors;
    const struct row_kernels *kernels;
    const struct system_kernels *system_kernels;
    size_t positive;    /* entries with d > 0 */
    size_t count;       /* of them and those with d < 0 */
    const float **rows; /* v_j of P, then of N */
    float *gather;      /* entries x f: a copy of these; NULL where no row has so many */
    float *system;      /* entries x stride, the upper triangle */
    float *d;           /* of P, then of N */
    float *w;           /* b / d, then r, then w; of P, then of N; as long as the stride */
    float *least;       /* what a pivot must have to be trusted; of P, then of N */
    float *zero;        /* f: r0 */
    bool has_zero;
};

enum err_code row_dual_create(struct row_dual **out, size_t most_entries, size_t factors, struct err *err)
{
    struct row_dual *dual = mem_zeroed(1, sizeof *dual);
    size_t stride = system_kernels_stride(most_entries);

    *out = NULL;
    if (dual != NULL) {
        dual->factors = factors;
        dual->kernels = row_kernels_choose();
        dual->system_kernels = system_kernels_choose();
        dual->rows = mem_zeroed(most_entries, sizeof *dual->rows);
        dual->gather = most_entries < GATHER_FROM ? NULL : mem_aligned(most_entries * factors, sizeof(float));
        dual->system = mem_aligned(most_entries * stride, sizeof(float));
        dual->d = mem_aligned(most_entries, sizeof(float));
        dual->w = mem_aligned(stride, sizeof(float));
        dual->least = mem_aligned(most_entries, sizeof(float));
        dual->zero = mem_aligned(factors, sizeof(float));
    }
    if (dual == NULL || dual->rows == NULL || (dual->gather == NULL && most_entries >= GATHER_FROM) ||
        dual->system == NULL || dual->d == NULL || dual->w == NULL || dual->least == NULL || dual->zero == NULL) {
        row_dual_destroy(dual);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries x %zu factors", most_entries, factors);
    }
    *out = dual;
    return ERR_OK;
}

double row_dual_bytes(size_t most_entries, size_t factors)
{
    double n = (double)most_entries;
    double f = (double)factors;
    double gather = most_entries < GATHER_FROM ? 0 : n * f;
    double stride = (double)system_kernels_stride(most_entries);

    return n * (double)sizeof(float *) + (gather + (n + 1) * stride + 2 * n + f) * (double)sizeof(float);
}

void row_dual_destroy(struct row_dual *dual)
{
    if (dual == NULL)
        return;
    free(dual->rows);
    free(dual->gather);
    free(dual->system);
    free(dual->d);
    free(dual->w);
    free(dual->least);
    free(dual->zero);
    free(dual);
}

/* Appends the entries whose d has the given sign; how many there are now. */
static size_t gather_sign(struct row_dual *dual, const struct confidence_row *row, const float *v, float sign,
                          size_t count)
{
    for (size_t j = 0; j < row->count; j++) {
        if (row->d[j] * sign <= 0)
            continue;
        dual->rows[count] = v + (size_t)row->columns[j] * dual->factors;
        dual->d[count] = row->d[j];
        dual->w[count] = row->b[j] / row->d[j];
        count++;
    }
    return count;
}

static void gather_zero(struct row_dual *dual, const struct confidence_row *row, const float *v)
{
    int f = (int)dual->factors;

    dual->has_zero = false;
    memset(dual->zero, 0, dual->factors * sizeof *dual->zero);
    for (size_t j = 0; j < row->count; j++) {
        if (row->d[j] != 0)
            continue;
        dual->has_zero = true;
        cblas_saxpy(f, row->b[j], v + (size_t)row->columns[j] * dual->factors, 1, dual->zero, 1);
    }
}

static void set_gram(struct row_dual *dual, size_t stride)
{
    size_t n = dual->count;
    size_t f = dual->factors;

    memset(dual->system, 0, n * stride * sizeof(float));
    if (n < GATHER_FROM) {
        dual->kernels->gram(dual->system, stride, dual->rows, n, f);
        return;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(dual->gather + i * f, dual->rows[i], f * sizeof(float));
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)n, (int)f, 1, dual->gather, (int)f, 0, dual->system,
                (int)stride);
}

/* The system of the entries gathered becomes its factors. */
static bool factor_system(struct row_dual *dual)
{
    size_t stride = system_kernels_stride(dual->count);

    set_gram(dual, stride);
    for (size_t i = 0; i < dual->count; i++) {
        float *pivot = dual->system + i * stride + i;
        float own = 1 / dual->d[i];

        dual->least[i] = LEAST_PIVOT * (*pivot + fabsf(own));
        *pivot += own;
    }
    return dual->system_kernels->factor(dual->system, stride, dual->count, dual->positive, dual->least);
}

static void solve_system(struct row_dual *dual)
{
    dual->system_kernels->solve(dual->system, system_kernels_stride(dual->count), dual->count, dual->positive, dual->w);
}

/* dual->w; false where rounding left too little of a pivot. */
static bool find_weights(struct row_dual *dual, const struct confidence_row *row, const float *v)
{
    dual->positive = gather_sign(dual, row, v, 1, 0);
    dual->count = gather_sign(dual, row, v, -1, dual->positive);
    gather_zero(dual, row, v);
    if (dual->count == 0)
        return true;
    for (size_t i = 0; dual->has_zero && i < dual->count; i++)
        dual->w[i] -= cblas_sdot((int)dual->factors, dual->rows[i], 1, dual->zero, 1);
    if (!factor_system(dual))
        return false;
    solve_system(dual);
    return true;
}

bool row_dual_solve(struct row_dual *dual, const struct confidence_row *row, const float *v, float *t)
{
    if (!find_weights(dual, row, v))
        return false;
    memcpy(t, dual->zero, dual->factors * sizeof *t);
    dual->kernels->combine(t, dual->rows, dual->w, dual->count, dual->factors);
    return true;
}

bool row_dual_weigh(struct row_dual *dual, const struct confidence_row *row, const float *v, float *weights)
{
    size_t positive = 0;
    size_t negative;

    if (!find_weights(dual, row, v))
        return false;
    negative = dual->positive;
    for (size_t j = 0; j < row->count; j++) { /* the order of gather_sign */
        if (row->d[j] > 0)
            weights[j] = dual->w[positive++];
        else if (row->d[j] < 0)
            weights[j] = dual->w[negative++];
        else
            weights[j] = row->b[j];
    }
    return true;
}

bool row_dual_factor(struct row_dual *dual, const float *const *rows, const float *d, size_t count)
{
    dual->count = dual->positive = count;
    for (size_t i = 0; i < count; i++)
        dual->rows[i] = rows[i];
    memcpy(dual->d, d, count * sizeof *d);
    return factor_system(dual);
}

void row_dual_precondition(struct row_dual *dual, float *t)
{
    if (dual->count == 0)
        return;
    dual->kernels->multiply(dual->w, t, dual->rows, dual->count, dual->factors);
    solve_system(dual);
    for (size_t i = 0; i < dual->count; i++)
        dual->w[i] = -dual->w[i];
    dual->kernels->combine(t, dual->rows, dual->w, dual->count, dual->factors);
}
