#include "worker/als/cpu/loss.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/sweep.h"

enum { BLOCK_ROWS = 64, CHUNK = 32 /* entries of a row at a time */ };

struct loss {
    struct pool *pool;
    const struct row_kernels *kernels;
    const struct als_problem *problem;
    size_t factors;
    size_t blocks;
    size_t item_blocks; /* 0: all rows have the same lambda, and the grams' diagonals are enough */
    double *partial;    /* per block of users, then of items, added in order: the same sum for any number of threads */
    double confidence_sum;
};

enum err_code loss_create(struct loss **out, struct pool *pool, const struct als_problem *problem, struct err *err)
{
    struct loss *loss = mem_zeroed(1, sizeof *loss);
    bool is_scaled = problem->params->regularization_scaling != ALS_SCALING_NONE;
    size_t blocks = (problem->by_user->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    size_t item_blocks = is_scaled ? (problem->by_item->rows + BLOCK_ROWS - 1) / BLOCK_ROWS : 0;

    *out = NULL;
    if (loss == NULL || (loss->partial = mem_zeroed(blocks + item_blocks, sizeof *loss->partial)) == NULL) {
        loss_destroy(loss);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu partial losses", blocks + item_blocks);
    }
    loss->item_blocks = item_blocks;
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

/* What entries first .. first + count of a row add to sum (x.y)^2: c (p - s)^2 - s^2 */
static double sum_entries(const struct loss *loss, const float *x, int64_t first, size_t count)
{
    const struct csr *values = loss->problem->by_user;
    float alpha = (float)loss->problem->params->alpha;
    const float *rows[CHUNK] = {NULL};
    float products[CHUNK];
    double sum = 0;

    for (size_t j = 0; j < count; j++)
        rows[j] = loss->problem->y + (size_t)values->columns[first + (int64_t)j] * loss->factors;
    loss->kernels->multiply(products, x, rows, count, loss->factors);
    for (size_t j = 0; j < count; j++) {
        float value = values->values[first + (int64_t)j];
        double c = (double)confidence_of(alpha, value);
        double p = value > 0 ? 1 : 0;
        double s = (double)products[j];

        sum += c * (p - s) * (p - s) - s * s;
    }
    return sum;
}

static double sum_block(const struct loss *loss, size_t task)
{
    const struct csr *values = loss->problem->by_user;
    size_t end = (task + 1) * BLOCK_ROWS < values->rows ? (task + 1) * BLOCK_ROWS : values->rows;
    double sum = 0;

    for (size_t row = task * BLOCK_ROWS; row < end; row++) {
        for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k += CHUNK) {
            int64_t left = values->offsets[row + 1] - k;

            sum += sum_entries(loss, loss->problem->x + row * loss->factors, k, left < CHUNK ? (size_t)left : CHUNK);
        }
    }
    return sum;
}

/* What a block's rows of one side add by lambdas of their own. */
static double sum_ridges(const struct loss *loss, const struct csr *values, const float *factors, size_t block)
{
    size_t end = (block + 1) * BLOCK_ROWS < values->rows ? (block + 1) * BLOCK_ROWS : values->rows;
    double sum = 0;

    for (size_t row = block * BLOCK_ROWS; row < end; row++) {
        const float *x = factors + row * loss->factors;

        sum += sweep_row_ridge(loss->problem->params, confidence_count(values, row), values->cols) *
               loss->kernels->dot(x, x, loss->factors);
    }
    return sum;
}

static void sum_task(void *context, size_t thread, size_t task)
{
    struct loss *loss = context;
    const struct als_problem *problem = loss->problem;

    (void)thread;
    if (task >= loss->blocks) {
        loss->partial[task] = sum_ridges(loss, problem->by_item, problem->y, task - loss->blocks);
        return;
    }
    loss->partial[task] = sum_block(loss, task);
    if (loss->item_blocks > 0)
        loss->partial[task] += sum_ridges(loss, problem->by_user, problem->x, task);
}

double loss_compute(struct loss *loss, const double *gram_x, const double *gram_y)
{
    const struct csr *values = loss->problem->by_user;
    size_t f = loss->factors;
    double sum = 0;
    double squares = 0; /* |X|^2 + |Y|^2 */

    pool_run(loss->pool, sum_task, loss, NULL, loss->blocks + loss->item_blocks);
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j < i; j++)
            sum += 2 * gram_x[i * f + j] * gram_y[i * f + j];
        sum += gram_x[i * f + i] * gram_y[i * f + i];
        squares += gram_x[i * f + i] + gram_y[i * f + i];
    }
    for (size_t block = 0; block < loss->blocks + loss->item_blocks; block++)
        sum += loss->partial[block];
    sum += sweep_shared_regularization(loss->problem->params) * squares;
    return sum / (loss->confidence_sum + (double)values->rows * (double)values->cols - (double)csr_nonzeros(values));
}
