#include "worker/als/cpu/row_primal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/system_kernels.h"

enum { GATHER_ROWS = 32 }; /* entries added at a time */

/* Of a pivot less than this must be left, where 1 is the least that entries of d > 0 leave. */
static const float LEAST_PIVOT = 1e-4F;

struct row_primal {
    size_t factors;
    size_t stride;
    const struct system_kernels *kernels;
    float *system;   /* f x stride, the upper triangle */
    float *gather;   /* GATHER_ROWS x stride: v_j */
    float *weighted; /* GATHER_ROWS x stride: d_j v_j */
    float *least;    /* f: LEAST_PIVOT */
    float *solution; /* stride */
};

enum err_code row_primal_create(struct row_primal **out, size_t factors, struct err *err)
{
    struct row_primal *primal = mem_zeroed(1, sizeof *primal);
    size_t stride = system_kernels_stride(factors);

    *out = NULL;
    if (primal != NULL) {
        primal->factors = factors;
        primal->stride = stride;
        primal->kernels = system_kernels_choose();
        primal->system = mem_aligned(factors * stride, sizeof(float));
        primal->gather = mem_aligned(GATHER_ROWS * stride, sizeof(float));
        primal->weighted = mem_aligned(GATHER_ROWS * stride, sizeof(float));
        primal->least = mem_aligned(factors, sizeof(float));
        primal->solution = mem_aligned(stride, sizeof(float));
    }
    if (primal == NULL || primal->system == NULL || primal->gather == NULL || primal->weighted == NULL ||
        primal->least == NULL || primal->solution == NULL) {
        row_primal_destroy(primal);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a system of %zu x %zu floats", factors, stride);
    }
    memset(primal->gather, 0, GATHER_ROWS * stride * sizeof(float)); /* the pad stays so */
    memset(primal->weighted, 0, GATHER_ROWS * stride * sizeof(float));
    for (size_t k = 0; k < factors; k++)
        primal->least[k] = LEAST_PIVOT;
    *out = primal;
    return ERR_OK;
}

double row_primal_bytes(size_t factors)
{
    double f = (double)factors;
    double stride = (double)system_kernels_stride(factors);

    return ((f + 2 * GATHER_ROWS + 1) * stride + f) * (double)sizeof(float);
}

void row_primal_destroy(struct row_primal *primal)
{
    if (primal == NULL)
        return;
    free(primal->system);
    free(primal->gather);
    free(primal->weighted);
    free(primal->least);
    free(primal->solution);
    free(primal);
}

static void gather_rows(struct row_primal *primal, const float *const *rows, const float *d, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        float *plain = primal->gather + j * primal->stride;
        float *weighted = primal->weighted + j * primal->stride;

        for (size_t k = 0; k < primal->factors; k++) {
            plain[k] = rows[j][k];
            weighted[k] = d[j] * rows[j][k];
        }
    }
}

bool row_primal_factor(struct row_primal *primal, const float *const *rows, const float *d, size_t count)
{
    size_t f = primal->factors;

    memset(primal->system, 0, f * primal->stride * sizeof(float));
    for (size_t k = 0; k < f; k++)
        primal->system[k * primal->stride + k] = 1;
    for (size_t j = 0; j < count; j += GATHER_ROWS) {
        size_t some = count - j < GATHER_ROWS ? count - j : GATHER_ROWS;

        gather_rows(primal, rows + j, d + j, some);
        primal->kernels->add_products(primal->system, primal->stride, f, primal->weighted, primal->gather, some);
    }
    return primal->kernels->factor(primal->system, primal->stride, f, f, primal->least);
}

void row_primal_solve(struct row_primal *primal, float *t)
{
    memcpy(primal->solution, t, primal->factors * sizeof *t);
    primal->kernels->solve(primal->system, primal->stride, primal->factors, primal->factors, primal->solution);
    memcpy(t, primal->solution, primal->factors * sizeof *t);
}
