#include "worker/als/cpu/momentum.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { BLOCK_ROWS = 256 };

struct momentum {
    struct pool *pool;
    float *factors; /* rows x f */
    float *kept;    /* rows x f */
    size_t rows;
    size_t f;
    float share;
};

enum err_code momentum_create(struct momentum **out, struct pool *pool, float *factors, size_t rows, size_t f,
                              struct err *err)
{
    struct momentum *momentum = mem_zeroed(1, sizeof *momentum);

    *out = NULL;
    /* no overflow: the factors are as large */
    if (momentum == NULL || (momentum->kept = mem_aligned(rows * f, sizeof *momentum->kept)) == NULL) {
        momentum_destroy(momentum);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a second %zu rows x %zu factors", rows, f);
    }
    momentum->pool = pool;
    momentum->factors = factors;
    momentum->rows = rows;
    momentum->f = f;
    *out = momentum;
    return ERR_OK;
}

double momentum_bytes(size_t rows, size_t f)
{
    return (double)rows * (double)f * (double)sizeof(float);
}

void momentum_destroy(struct momentum *momentum)
{
    if (momentum == NULL)
        return;
    free(momentum->kept);
    free(momentum);
}

static void move_block(void *context, size_t thread, size_t task)
{
    struct momentum *momentum = context;
    size_t left = momentum->rows - task * BLOCK_ROWS;
    size_t first = task * BLOCK_ROWS * momentum->f;
    size_t end = first + (left < BLOCK_ROWS ? left : BLOCK_ROWS) * momentum->f;

    (void)thread;
    for (size_t i = first; i < end; i++) {
        float present = momentum->factors[i];

        momentum->factors[i] = present + momentum->share * (present - momentum->kept[i]);
        momentum->kept[i] = present;
    }
}

void momentum_ahead(struct momentum *momentum, float share)
{
    if (share <= 0) { /* what is kept may be nothing yet */
        memcpy(momentum->kept, momentum->factors, momentum->rows * momentum->f * sizeof *momentum->kept);
        return;
    }
    momentum->share = share;
    pool_run(momentum->pool, move_block, momentum, NULL, (momentum->rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
}

void momentum_back(struct momentum *momentum)
{
    memcpy(momentum->factors, momentum->kept, momentum->rows * momentum->f * sizeof *momentum->kept);
}
