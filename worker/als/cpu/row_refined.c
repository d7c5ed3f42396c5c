#include "worker/als/cpu/row_refined.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/lapack.h"
#include "worker/als/cpu/row_kernels.h"

enum { GATHER_ROWS = 256, MOST_STEPS = 6 };

/* A correction this small beside the solution is lost in floats. */
static const double ENOUGH = 2e-8;

struct row_refined {
    size_t factors;
    const struct row_kernels *kernels;
    float *system;    /* f x f */
    float *gather;    /* GATHER_ROWS x f */
    double *solution; /* f */
    double *residual; /* f */
    float *step;      /* f */
};

enum err_code row_refined_create(struct row_refined **out, size_t factors, struct err *err)
{
    struct row_refined *refined = mem_zeroed(1, sizeof *refined);

    *out = NULL;
    if (refined != NULL) {
        refined->factors = factors;
        refined->kernels = row_kernels_choose();
        refined->system = mem_aligned(factors * factors, sizeof(float));
        refined->gather = mem_aligned(GATHER_ROWS * factors, sizeof(float));
        refined->solution = mem_aligned(factors, sizeof(double));
        refined->residual = mem_aligned(factors, sizeof(double));
        refined->step = mem_aligned(factors, sizeof(float));
    }
    if (refined == NULL || refined->system == NULL || refined->gather == NULL || refined->solution == NULL ||
        refined->residual == NULL || refined->step == NULL) {
        row_refined_destroy(refined);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a system of %zu x %zu floats", factors, factors);
    }
    *out = refined;
    return ERR_OK;
}

double row_refined_bytes(size_t factors)
{
    double f = (double)factors;

    return (f * f + GATHER_ROWS * f + f) * (double)sizeof(float) + 2 * f * (double)sizeof(double);
}

void row_refined_destroy(struct row_refined *refined)
{
    if (refined == NULL)
        return;
    free(refined->system);
    free(refined->gather);
    free(refined->solution);
    free(refined->residual);
    free(refined->step);
    free(refined);
}

static void add_gathered(struct row_refined *refined, size_t count, float sign)
{
    int f = (int)refined->factors;

    if (count > 0)
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, f, (int)count, sign, refined->gather, f, 1, refined->system,
                    f);
}

/* system += sum d_j y_j y_j' over the entries whose d has the given sign */
static void add_entries(struct row_refined *refined, const struct confidence_row *row, const float *fixed, float sign)
{
    size_t f = refined->factors;
    size_t count = 0;

    for (size_t j = 0; j < row->count; j++) {
        float weight = sign * row->d[j];
        const float *from = fixed + (size_t)row->columns[j] * f;
        float *to = refined->gather + count * f;

        if (weight <= 0)
            continue;
        weight = sqrtf(weight);
        for (size_t k = 0; k < f; k++)
            to[k] = weight * from[k];
        if (++count == GATHER_ROWS) {
            add_gathered(refined, count, sign);
            count = 0;
        }
    }
    add_gathered(refined, count, sign);
}

static bool factor_system(struct row_refined *refined, const struct confidence_row *row, const float *fixed,
                          const double *base)
{
    size_t f = refined->factors;

    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j <= i; j++)
            refined->system[i * f + j] = (float)(base[i * f + j] + (i == j ? row->ridge : 0));
    }
    add_entries(refined, row, fixed, 1);
    add_entries(refined, row, fixed, -1);
    return lapack_cholesky_float(refined->system, f, f);
}

/* residual = sum b_j y_j - (base + ridge I + sum d_j y_j y_j') solution */
static void find_residual(struct row_refined *refined, const struct confidence_row *row, const float *fixed,
                          const double *base)
{
    size_t f = refined->factors;

    cblas_dsymv(CblasRowMajor, CblasLower, (int)f, -1, base, (int)f, refined->solution, 1, 0, refined->residual, 1);
    for (size_t k = 0; k < f; k++)
        refined->residual[k] -= row->ridge * refined->solution[k];
    for (size_t j = 0; j < row->count; j++) {
        const float *y = fixed + (size_t)row->columns[j] * f;
        double product = refined->kernels->dot_double(y, refined->solution, f);

        refined->kernels->add_double(refined->residual, y, (double)row->b[j] - (double)row->d[j] * product, f);
    }
}

/* Adds to the solution what the factors make of the residual; how large that was beside it. */
static double correct(struct row_refined *refined)
{
    size_t f = refined->factors;
    double change = 0;
    double whole = 0;

    for (size_t k = 0; k < f; k++)
        refined->step[k] = (float)refined->residual[k];
    cblas_strsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (int)f, refined->system, (int)f, refined->step,
                1);
    cblas_strsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (int)f, refined->system, (int)f, refined->step, 1);
    for (size_t k = 0; k < f; k++) {
        double step = (double)refined->step[k];

        refined->solution[k] += step;
        change += step * step;
        whole += refined->solution[k] * refined->solution[k];
    }
    return sqrt(change / (whole > 0 ? whole : 1));
}

bool row_refined_solve(struct row_refined *refined, const struct confidence_row *row, const float *fixed,
                       const double *base, float *x)
{
    double before = INFINITY;

    if (!factor_system(refined, row, fixed, base))
        return false;
    memset(refined->solution, 0, refined->factors * sizeof *refined->solution);
    for (int step = 0; step < MOST_STEPS; step++) {
        double change;

        find_residual(refined, row, fixed, base);
        change = correct(refined);
        if (!(step == 0 || change < before / 2))
            return false; /* it does not converge */
        before = change;
        if (step > 0 && change < ENOUGH)
            break;
    }
    if (!(before < sqrt(ENOUGH)))
        return false;
    for (size_t k = 0; k < refined->factors; k++)
        x[k] = (float)refined->solution[k];
    return true;
}
