#include "worker/als/csr.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum err_code csr_init(struct csr *csr, size_t rows, size_t cols, size_t nonzeros, struct err *err)
{
    memset(csr, 0, sizeof *csr);
    if (rows > INT32_MAX || cols > INT32_MAX || nonzeros > INT64_MAX)
        return ERR_SET(err, ERR_TOO_LARGE, "a matrix of %zu x %zu with %zu entries", rows, cols, nonzeros);
    csr->rows = rows;
    csr->cols = cols;
    csr->offsets = mem_zeroed(rows + 1, sizeof *csr->offsets);
    csr->columns = mem_zeroed(nonzeros, sizeof *csr->columns);
    csr->values = mem_zeroed(nonzeros, sizeof *csr->values);
    if (csr->offsets == NULL || csr->columns == NULL || csr->values == NULL) {
        csr_fini(csr);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a matrix of %zu x %zu with %zu entries", rows, cols,
                       nonzeros);
    }
    return ERR_OK;
}

void csr_fini(struct csr *csr)
{
    if (csr == NULL)
        return;
    free(csr->offsets);
    free(csr->columns);
    free(csr->values);
    memset(csr, 0, sizeof *csr);
}

enum err_code csr_transpose(struct csr *out, const struct csr *csr, struct err *err)
{
    enum err_code rc;
    size_t nonzeros = csr_nonzeros(csr);

    rc = csr_init(out, csr->cols, csr->rows, nonzeros, err);
    if (rc != ERR_OK)
        return rc;
    /* offsets[c] becomes the start of row c; the loop below moves it to its end, which is the start of row c + 1 */
    for (size_t k = 0; k < nonzeros; k++) {
        if ((size_t)csr->columns[k] + 2 <= csr->cols)
            out->offsets[csr->columns[k] + 2]++;
    }
    for (size_t c = 0; c < csr->cols; c++)
        out->offsets[c + 1] += out->offsets[c];
    for (size_t r = 0; r < csr->rows; r++) {
        for (int64_t k = csr->offsets[r]; k < csr->offsets[r + 1]; k++) {
            int64_t to = out->offsets[csr->columns[k] + 1]++;

            out->columns[to] = (int32_t)r;
            out->values[to] = csr->values[k];
        }
    }
    return ERR_OK;
}

bool csr_has(const struct csr *csr, size_t row, int32_t column)
{
    int64_t low = csr->offsets[row];
    int64_t high = csr->offsets[row + 1];

    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (csr->columns[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low < csr->offsets[row + 1] && csr->columns[low] == column;
}
