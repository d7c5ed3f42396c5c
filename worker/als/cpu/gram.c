#include "worker/als/cpu/gram.h"

#include <cblas.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* Rows are turned into doubles a panel at a time; each tile of the triangle then adds the panel's part. */
enum { PANEL_ROWS = 1024, CONVERT_ROWS = 64, TILE = 128 };

struct gram {
    struct pool *pool;
    size_t factors;
    double *panel; /* PANEL_ROWS x f */
    const float *source;
    size_t panel_rows;
    double beta; /* 0 for the first panel, 1 for the rest */
    double *out;
};

enum err_code gram_create(struct gram **out, struct pool *pool, size_t factors, struct err *err)
{
    struct gram *gram = mem_zeroed(1, sizeof *gram);
    size_t cells;

    *out = NULL;
    if (gram == NULL || !mem_multiply(&cells, PANEL_ROWS, factors) ||
        (gram->panel = mem_aligned(cells, sizeof *gram->panel)) == NULL) {
        gram_destroy(gram);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a panel of %d x %zu doubles", PANEL_ROWS, factors);
    }
    gram->pool = pool;
    gram->factors = factors;
    *out = gram;
    return ERR_OK;
}

void gram_destroy(struct gram *gram)
{
    if (gram == NULL)
        return;
    free(gram->panel);
    free(gram);
}

static void convert_rows(void *context, size_t thread, size_t task)
{
    struct gram *gram = context;
    size_t first = task * CONVERT_ROWS;
    size_t end = first + CONVERT_ROWS < gram->panel_rows ? first + CONVERT_ROWS : gram->panel_rows;

    (void)thread;
    for (size_t i = first * gram->factors; i < end * gram->factors; i++)
        gram->panel[i] = (double)gram->source[i];
}

static size_t tile_width(const struct gram *gram, size_t tile)
{
    size_t left = gram->factors - tile * TILE;

    return left < TILE ? left : TILE;
}

static void add_tile(void *context, size_t thread, size_t task)
{
    struct gram *gram = context;
    int f = (int)gram->factors;
    int depth = (int)gram->panel_rows;
    size_t row = 0;
    size_t column;
    double *out;

    (void)thread;
    while ((row + 1) * (row + 2) / 2 <= task)
        row++;
    column = task - row * (row + 1) / 2;
    out = gram->out + row * TILE * gram->factors + column * TILE;
    if (row == column)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)tile_width(gram, row), depth, 1.0,
                    gram->panel + row * TILE, f, gram->beta, out, f);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)tile_width(gram, row), (int)tile_width(gram, column),
                    depth, 1.0, gram->panel + row * TILE, f, gram->panel + column * TILE, f, gram->beta, out, f);
}

void gram_compute(struct gram *gram, const float *factors, size_t rows, double *out)
{
    size_t tiles = (gram->factors + TILE - 1) / TILE;

    gram->out = out;
    gram->beta = 0;
    for (size_t first = 0; first < rows; first += PANEL_ROWS) {
        gram->source = factors + first * gram->factors;
        gram->panel_rows = rows - first < PANEL_ROWS ? rows - first : PANEL_ROWS;
        pool_run(gram->pool, convert_rows, gram, NULL, (gram->panel_rows + CONVERT_ROWS - 1) / CONVERT_ROWS);
        pool_run(gram->pool, add_tile, gram, NULL, tiles * (tiles + 1) / 2);
        gram->beta = 1;
    }
}
