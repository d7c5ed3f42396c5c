/*
 * A side's rows cut into blocks of equal row count (one task each), and the order to take them in: the costly first,
 * so that no thread is left alone with a long one at the end.
 */
#ifndef WORKER_ALS_CPU_BLOCKS_H
#define WORKER_ALS_CPU_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"

struct blocks {
    size_t rows;
    size_t rows_per_block;
    size_t count;
    uint32_t *order; /* count block numbers */
};

/* The cost of a row of `entries` at `factors`, in any unit. */
typedef double (*blocks_cost_fn)(double entries, double factors);

enum err_code blocks_init(struct blocks *blocks, const struct csr *values, size_t rows_per_block, blocks_cost_fn cost,
                          size_t factors, struct err *err) MUST_CHECK;
/* What blocks_init keeps for that many rows. */
double blocks_bytes(size_t rows, size_t rows_per_block);
void blocks_fini(struct blocks *blocks);

/* One past the last row of block `block`; its first is block * rows_per_block. */
static inline size_t blocks_end(const struct blocks *blocks, size_t block)
{
    size_t end = (block + 1) * blocks->rows_per_block;

    return end < blocks->rows ? end : blocks->rows;
}

#endif
