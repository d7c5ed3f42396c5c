/*
 * A sparse matrix in compressed rows, 32-bit columns and floats, 64-bit offsets. Columns ascend within a row.
 */
#ifndef WORKER_ALS_CSR_H
#define WORKER_ALS_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct csr {
    size_t rows;
    size_t cols;
    int64_t *offsets; /* rows + 1 */
    int32_t *columns; /* offsets[rows] */
    float *values;    /* offsets[rows] */
};

/* Arrays of the given sizes, zeroed, in *csr; free with csr_fini. */
enum err_code csr_init(struct csr *csr, size_t rows, size_t cols, size_t nonzeros, struct err *err) MUST_CHECK;
void csr_fini(struct csr *csr);

static inline size_t csr_nonzeros(const struct csr *csr)
{
    return (size_t)csr->offsets[csr->rows];
}

/* Whether row `row` has an entry in `column`. */
bool csr_has(const struct csr *csr, size_t row, int32_t column);

/* cols x rows; within each row the columns ascend. */
enum err_code csr_transpose(struct csr *out, const struct csr *csr, struct err *err) MUST_CHECK;

#endif
