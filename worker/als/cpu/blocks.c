#include "worker/als/cpu/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/confidence.h"

struct ranked {
    double cost;
    uint32_t block;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;

    if (a->cost != b->cost)
        return a->cost > b->cost ? -1 : 1;
    return a->block < b->block ? -1 : 1;
}

enum err_code blocks_init(struct blocks *blocks, const struct csr *values, size_t rows_per_block, blocks_cost_fn cost,
                          size_t factors, struct err *err)
{
    size_t count = (values->rows + rows_per_block - 1) / rows_per_block;
    struct ranked *ranked;

    *blocks = (struct blocks){.rows = values->rows, .rows_per_block = rows_per_block, .count = count};
    ranked = mem_zeroed(count, sizeof *ranked);
    blocks->order = mem_zeroed(count, sizeof *blocks->order);
    if (ranked == NULL || blocks->order == NULL) {
        free(ranked);
        blocks_fini(blocks);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu blocks of rows", count);
    }
    for (size_t block = 0; block < count; block++) {
        ranked[block].block = (uint32_t)block;
        for (size_t row = block * rows_per_block; row < blocks_end(blocks, block); row++)
            ranked[block].cost += cost((double)confidence_count(values, row), (double)factors);
    }
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < count; i++)
        blocks->order[i] = ranked[i].block;
    free(ranked);
    return ERR_OK;
}

double blocks_bytes(size_t rows, size_t rows_per_block)
{
    size_t count = (rows + rows_per_block - 1) / rows_per_block;

    return (double)count * (double)sizeof(uint32_t);
}

void blocks_fini(struct blocks *blocks)
{
    if (blocks == NULL)
        return;
    free(blocks->order);
    memset(blocks, 0, sizeof *blocks);
}
