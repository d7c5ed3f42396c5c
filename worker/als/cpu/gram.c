#include "worker/als/cpu/gram.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/*
 * A tile of the triangle is summed over panels of rows: within a panel in floats, as SGEMM does, from panel to panel in
 * doubles. That errs 1e-7 of the largest entry, at half the time of doubles.
 */
enum { PANEL_ROWS = 1024, TILE = 128, TILE_CELLS = TILE * TILE };

struct gram {
    struct pool *pool;
    size_t factors;
    float *tiles; /* one a thread */
    const float *source;
    size_t rows;
    double *out;
};

enum err_code gram_create(struct gram **out, struct pool *pool, size_t factors, struct err *err)
{
    struct gram *gram = mem_zeroed(1, sizeof *gram);

    *out = NULL;
    if (gram == NULL || (gram->tiles = mem_aligned(pool_threads(pool) * TILE_CELLS, sizeof *gram->tiles)) == NULL) {
        gram_destroy(gram);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu tiles of %d x %d floats", pool_threads(pool), TILE, TILE);
    }
    gram->pool = pool;
    gram->factors = factors;
    *out = gram;
    return ERR_OK;
}

double gram_bytes(size_t threads)
{
    return (double)threads * TILE_CELLS * (double)sizeof(float);
}

void gram_destroy(struct gram *gram)
{
    if (gram == NULL)
        return;
    free(gram->tiles);
    free(gram);
}

static size_t tile_width(const struct gram *gram, size_t tile)
{
    size_t left = gram->factors - tile * TILE;

    return left < TILE ? left : TILE;
}

/* tile (height x width) = a panel's part of F'F at (row, column) */
static void multiply_panel(const struct gram *gram, size_t first, size_t row, size_t column, float *tile)
{
    int f = (int)gram->factors;
    int depth = (int)(gram->rows - first < PANEL_ROWS ? gram->rows - first : PANEL_ROWS);
    const float *panel = gram->source + first * gram->factors;

    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)tile_width(gram, row), (int)tile_width(gram, column),
                depth, 1, panel + row * TILE, f, panel + column * TILE, f, 0, tile, TILE);
}

static void add_tile(void *context, size_t thread, size_t task)
{
    struct gram *gram = context;
    float *tile = gram->tiles + thread * TILE_CELLS;
    size_t row = 0;
    size_t column;
    double *out;

    while ((row + 1) * (row + 2) / 2 <= task)
        row++;
    column = task - row * (row + 1) / 2;
    out = gram->out + row * TILE * gram->factors + column * TILE;
    for (size_t i = 0; i < tile_width(gram, row); i++)
        memset(out + i * gram->factors, 0, tile_width(gram, column) * sizeof *out);
    for (size_t first = 0; first < gram->rows; first += PANEL_ROWS) {
        multiply_panel(gram, first, row, column, tile);
        for (size_t i = 0; i < tile_width(gram, row); i++) {
            for (size_t j = 0; j < tile_width(gram, column); j++)
                out[i * gram->factors + j] += (double)tile[i * TILE + j];
        }
    }
}

void gram_compute(struct gram *gram, const float *factors, size_t rows, double *out)
{
    size_t tiles = (gram->factors + TILE - 1) / TILE;

    gram->source = factors;
    gram->rows = rows;
    gram->out = out;
    pool_run(gram->pool, add_tile, gram, NULL, tiles * (tiles + 1) / 2);
}
