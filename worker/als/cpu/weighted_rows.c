#include "worker/als/cpu/weighted_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_kernels.h"

enum {
    CHUNK = 64,   /* entries summed at a time */
    SUM_COST = 8, /* of a multiply-add of a sum, which waits for memory, in those of a matrix product */
};

bool weighted_rows_pay(size_t rows, size_t cols, size_t nonzeros, size_t factors)
{
    return rows > cols && (double)(rows - cols) * (double)factors > SUM_COST * (double)nonzeros;
}

enum err_code weighted_rows_init(struct weighted_rows *weighted, const struct csr *values, size_t factors,
                                 struct err *err)
{
    *weighted = (struct weighted_rows){.values = values, .factors = factors};
    weighted->weights = mem_aligned(csr_nonzeros(values), sizeof *weighted->weights);
    weighted->has_weights = mem_zeroed(values->rows, sizeof *weighted->has_weights);
    weighted->z = mem_aligned(values->cols * factors, sizeof *weighted->z); /* no overflow: the factors are as large */
    if (weighted->weights != NULL && weighted->has_weights != NULL && weighted->z != NULL)
        return ERR_OK;
    weighted_rows_fini(weighted);
    return ERR_SET(err, ERR_NO_MEMORY, "no memory for weights of %zu entries and %zu x %zu factors",
                   csr_nonzeros(values), values->cols, factors);
}

double weighted_rows_bytes(size_t rows, size_t cols, size_t nonzeros, size_t factors)
{
    return ((double)nonzeros + (double)cols * (double)factors) * (double)sizeof(float) +
           (double)rows * (double)sizeof(bool);
}

void weighted_rows_fini(struct weighted_rows *weighted)
{
    free(weighted->weights);
    free(weighted->has_weights);
    free(weighted->z);
    *weighted = (struct weighted_rows){0};
}

void weighted_rows_sum(const struct weighted_rows *weighted, size_t row, float *out)
{
    const struct row_kernels *kernels = row_kernels_choose();
    const float *weights = weighted_rows_of(weighted, row);
    const int32_t *columns = weighted->values->columns + weighted->values->offsets[row];
    size_t count = confidence_count(weighted->values, row);
    const float *rows[CHUNK] = {NULL};

    memset(out, 0, weighted->factors * sizeof *out);
    for (size_t first = 0; first < count; first += CHUNK) {
        size_t some = count - first < CHUNK ? count - first : CHUNK;

        for (size_t j = 0; j < some; j++)
            rows[j] = weighted->z + (size_t)columns[first + j] * weighted->factors;
        kernels->combine(out, rows, weights + first, some, weighted->factors);
    }
}
