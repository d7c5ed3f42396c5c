#include "worker/als/cpu/loss.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_kernels.h"

enum { BLOCK_ROWS = 64 };

struct loss {
    struct pool *pool;
    const struct row_kernels *kernels;
    const struct als_problem *problem;
    size_t factors;
    size_t blocks;
    double *partial; /* per block of users, added in order: the same sum for any number of threads */
    double confidence_sum;
};

enum err_code loss_create(struct loss **out, struct pool *pool, const struct als_problem *problem, struct err *err)
{
    struct loss *loss = mem_zeroed(1, sizeof *loss);
    size_t blocks = (problem->by_user->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;

    *out = NULL;
    if (loss == NULL || (loss->partial = mem_zeroed(blocks, sizeof *loss->partial)) == NULL) {
        loss_destroy(loss);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu partial losses", blocks);
    }
    loss->pool = pool;
    loss->kernels = row_kernels_choose();
    loss->problem = problem;
    loss->factors = (size_t)problem->params->factors;
    loss->blocks = blocks;
    for (size_t k = 0; k < csr_nonzeros(problem->by_user); k++)
        loss->confidence_sum += (double)confidence_of((float)problem->params->alpha, problem->by_user->values[k]);
    *out = loss;
    return ERR_OK;
}

void loss_destroy(struct loss *loss)
{
    if (loss == NULL)
        return;
    free(loss->partial);
    free(loss);
}

/* What the entries of a block of users add to sum (x.y)^2: c (p - s)^2 - s^2 */
static void sum_block(void *context, size_t thread, size_t task)
{
    struct loss *loss = context;
    const struct csr *values = loss->problem->by_user;
    float alpha = (float)loss->problem->params->alpha;
    size_t f = loss->factors;
    size_t end = (task + 1) * BLOCK_ROWS < values->rows ? (task + 1) * BLOCK_ROWS : values->rows;
    double sum = 0;

    (void)thread;
    for (size_t row = task * BLOCK_ROWS; row < end; row++) {
        for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
            double c = (double)confidence_of(alpha, values->values[k]);
            double p = values->values[k] > 0 ? 1 : 0;
            const float *y = loss->problem->y + (size_t)values->columns[k] * f;
            double s = loss->kernels->dot(loss->problem->x + row * f, y, f);

            sum += c * (p - s) * (p - s) - s * s;
        }
    }
    loss->partial[task] = sum;
}

double loss_compute(struct loss *loss, const double *gram_x, const double *gram_y)
{
    const struct csr *values = loss->problem->by_user;
    size_t f = loss->factors;
    double sum = 0;
    double squares = 0; /* |X|^2 + |Y|^2 */

    pool_run(loss->pool, sum_block, loss, NULL, loss->blocks);
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j < i; j++)
            sum += 2 * gram_x[i * f + j] * gram_y[i * f + j];
        sum += gram_x[i * f + i] * gram_y[i * f + i];
        squares += gram_x[i * f + i] + gram_y[i * f + i];
    }
    for (size_t block = 0; block < loss->blocks; block++)
        sum += loss->partial[block];
    sum += loss->problem->params->regularization * squares;
    return sum / (loss->confidence_sum + (double)values->rows * (double)values->cols - (double)csr_nonzeros(values));
}
