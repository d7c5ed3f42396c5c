#include "worker/als/cpu/row_dual.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/lapack.h"
#include "worker/als/cpu/row_kernels.h"

/* From this many entries on OpenBLAS's own blocking is worth a copy of the rows (measured at f = 800). */
enum { GATHER_FROM = 256 };

/* Of a pivot less than this share must be left: more would be lost to rounding than a row's solution bears. */
static const float LEAST_PIVOT = 1e-5F;

/*
 * Entries are taken in three groups: d > 0 (P), d < 0 (N), d = 0 (Z). Of Z, w = b is known and moves to the right. With
 * r = b / d - V r0, r0 = sum over Z of b_j v_j, the rest is symmetric and quasi-definite:
 *
 *     [ G_PP + D_P^-1           G_PN          ] [w_P]   [r_P]
 *     [ G_NP         -(|D_N|^-1 - G_NN)       ] [w_N] = [r_N]
 *
 * Cholesky of the P block, K_PP = L_P L_P', W = G_NP L_P^-T; then of S = |D_N|^-1 - G_NN + W W'. No pivoting is needed.
 */
struct row_dual {
    size_t factors;
    const struct row_kernels *kernels;
    size_t positive;    /* entries with d > 0 */
    size_t negative;    /* entries with d < 0 */
    const float **rows; /* v_j of P, then of N */
    float *gather;      /* entries x f: a copy of these; NULL where no row has so many */
    float *system;      /* entries x entries */
    float *d;           /* of P, then of N */
    float *w;           /* b / d, then r, then w; of P, then of N */
    float *least;       /* the least square of each pivot that is still trusted; of P, then of N */
    float *zero;        /* f: r0 */
    bool has_zero;
};

enum err_code row_dual_create(struct row_dual **out, size_t most_entries, size_t factors, struct err *err)
{
    struct row_dual *dual = mem_zeroed(1, sizeof *dual);

    *out = NULL;
    if (dual != NULL) {
        dual->factors = factors;
        dual->kernels = row_kernels_choose();
        dual->rows = mem_zeroed(most_entries, sizeof *dual->rows);
        dual->gather = most_entries < GATHER_FROM ? NULL : mem_aligned(most_entries * factors, sizeof(float));
        dual->system = mem_aligned(most_entries * most_entries, sizeof(float));
        dual->d = mem_aligned(most_entries, sizeof(float));
        dual->w = mem_aligned(most_entries, sizeof(float));
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

    return n * (double)sizeof(float *) + (gather + n * n + 3 * n + f) * (double)sizeof(float);
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

/* The lower triangle of G. */
static void set_gram(struct row_dual *dual, size_t n)
{
    size_t f = dual->factors;

    if (n < GATHER_FROM) {
        dual->kernels->gram(dual->system, n, dual->rows, n, f);
        return;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(dual->gather + i * f, dual->rows[i], f * sizeof(float));
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)n, (int)f, 1, dual->gather, (int)f, 0, dual->system,
                (int)n);
}

/* The lower triangle of the system, the N block negated; w becomes r. */
static void set_system(struct row_dual *dual)
{
    size_t n = dual->positive + dual->negative;

    set_gram(dual, n);
    for (size_t i = 0; i < n; i++)
        dual->least[i] = LEAST_PIVOT * (dual->system[i * n + i] + 1 / fabsf(dual->d[i]));
    for (size_t i = 0; i < dual->positive; i++)
        dual->system[i * n + i] += 1 / dual->d[i];
    for (size_t i = dual->positive; i < n; i++) {
        for (size_t j = dual->positive; j <= i; j++)
            dual->system[i * n + j] = -dual->system[i * n + j];
        dual->system[i * n + i] -= 1 / dual->d[i];
    }
    for (size_t i = 0; dual->has_zero && i < n; i++)
        dual->w[i] -= cblas_sdot((int)dual->factors, dual->rows[i], 1, dual->zero, 1);
}

/* A block of `count` entries from `first` on becomes its Cholesky factor. */
static bool factor_block(struct row_dual *dual, size_t first, size_t count)
{
    size_t n = dual->positive + dual->negative;
    float *block = dual->system + first * n + first;

    if (!lapack_cholesky_float(block, count, n))
        return false;
    for (size_t i = 0; i < count; i++) {
        float pivot = block[i * n + i];

        if (!(pivot * pivot >= dual->least[first + i]))
            return false;
    }
    return true;
}

/* The system becomes L_P, W and L_N (below, and right of W). */
static bool factor_system(struct row_dual *dual)
{
    size_t n = dual->positive + dual->negative;
    int p = (int)dual->positive;
    int q = (int)dual->negative;
    float *w_block = dual->system + dual->positive * n;
    float *n_block = w_block + dual->positive;

    if (!factor_block(dual, 0, dual->positive))
        return false;
    if (p > 0 && q > 0) {
        cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, q, p, 1, dual->system, (int)n,
                    w_block, (int)n);
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, q, p, 1, w_block, (int)n, 1, n_block, (int)n);
    }
    return factor_block(dual, dual->positive, dual->negative);
}

/* w = the system's inverse times r, in place */
static void solve_system(struct row_dual *dual)
{
    int n = (int)(dual->positive + dual->negative);
    int p = (int)dual->positive;
    int q = (int)dual->negative;
    const float *w_block = dual->system + dual->positive * (size_t)n;
    const float *n_block = w_block + dual->positive;
    float *w_p = dual->w;
    float *w_n = dual->w + dual->positive;

    if (p > 0)
        cblas_strsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, p, dual->system, n, w_p, 1);
    if (q > 0) {
        /* S w_N = W L_P^-1 r_P - r_N */
        cblas_sscal(q, -1, w_n, 1);
        if (p > 0)
            cblas_sgemv(CblasRowMajor, CblasNoTrans, q, p, 1, w_block, n, w_p, 1, 1, w_n, 1);
        cblas_strsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, q, n_block, n, w_n, 1);
        cblas_strsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, q, n_block, n, w_n, 1);
        if (p > 0)
            cblas_sgemv(CblasRowMajor, CblasTrans, q, p, -1, w_block, n, w_n, 1, 1, w_p, 1);
    }
    if (p > 0)
        cblas_strsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, p, dual->system, n, w_p, 1);
}

bool row_dual_solve(struct row_dual *dual, const struct confidence_row *row, const float *v, float *t)
{
    size_t n;

    dual->positive = gather_sign(dual, row, v, 1, 0);
    n = gather_sign(dual, row, v, -1, dual->positive);
    dual->negative = n - dual->positive;
    gather_zero(dual, row, v);
    memcpy(t, dual->zero, dual->factors * sizeof *t);
    if (n == 0)
        return true;
    set_system(dual);
    if (!factor_system(dual))
        return false;
    solve_system(dual);
    dual->kernels->combine(t, dual->rows, dual->w, n, dual->factors);
    return true;
}
