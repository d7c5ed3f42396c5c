/*
 * Tiles of sums of products: a block of 16 x 16 threads, each with MICRO x MICRO cells, and the shared memory for it.
 */
#ifndef WORKER_ALS_CUDA_CUDA_TILES_CUH
#define WORKER_ALS_CUDA_CUDA_TILES_CUH

#include "worker/als/cuda/cuda_block.cuh"

/* A tile of 16 MICRO x 16 MICRO cells is summed by 16 x 16 threads, DEPTH products at a time. */
enum { SIDE = 16, DEPTH = 32, PANEL = 32 };

/* Shared memory. Between products the tiles serve as one vector. */
template <typename real, int MICRO> struct workspace {
    enum { TILE = SIDE * MICRO, WIDTH = TILE + 1, CELLS = DEPTH * WIDTH }; /* an odd width: no two lanes in a bank */

    double weights[THREADS];
    double sums[WARPS];
    real tiles[2 * CELLS]; /* [k * WIDTH + i] */
    real diagonal[PANEL * (PANEL + 1)];
    int failed;
};

template <typename real, int MICRO>
static __device__ void multiply_tiles(real (&sums)[MICRO][MICRO], const real *a, const real *b)
{
    int row = (int)threadIdx.x / SIDE;
    int column = (int)threadIdx.x % SIDE;

    for (int k = 0; k < DEPTH; k++) {
        real left[MICRO];
        real right[MICRO];

#pragma unroll
        for (int i = 0; i < MICRO; i++) {
            left[i] = a[k * workspace<real, MICRO>::WIDTH + row + SIDE * i];
            right[i] = b[k * workspace<real, MICRO>::WIDTH + column + SIDE * i];
        }
#pragma unroll
        for (int i = 0; i < MICRO; i++) {
#pragma unroll
            for (int j = 0; j < MICRO; j++)
                sums[i][j] += left[i] * right[j];
        }
    }
}

/* Cell (i, j) of the tile at (top, left), of all that this thread sums up: put(i, j, sum). */
template <typename real, int MICRO, typename function>
static __device__ void store_tile(const real (&sums)[MICRO][MICRO], int top, int left, function put)
{
    int row = top + (int)threadIdx.x / SIDE;
    int column = left + (int)threadIdx.x % SIDE;

#pragma unroll
    for (int i = 0; i < MICRO; i++) {
#pragma unroll
        for (int j = 0; j < MICRO; j++)
            put(row + SIDE * i, column + SIDE * j, sums[i][j]);
    }
}

/* The place of tile `index` in a lower triangle of tiles. */
static inline __device__ void find_tile(int index, int *row, int *column)
{
    int above = 0;

    while ((above + 1) * (above + 2) / 2 <= index)
        above++;
    *row = above;
    *column = index - above * (above + 1) / 2;
}

#endif
