/*
 * The factor of cuda_system.cuh's systems: panels of 32 columns, after each of which the rest is updated by tiles.
 */
#ifndef WORKER_ALS_CUDA_CUDA_CHOLESKY_CUH
#define WORKER_ALS_CUDA_CUDA_CHOLESKY_CUH

#include "worker/als/cuda/cuda_system.cuh"

/* The diagonal block at `first`, in scratch->diagonal, becomes L; or scratch->failed. Ends with a barrier. */
template <typename real, int MICRO>
static __device__ void factor_diagonal(const system_cells<real> &system, int first, int width,
                                       workspace<real, MICRO> *scratch)
{
    enum { STRIDE = PANEL + 1 };
    real *block = scratch->diagonal;
    int row = (int)threadIdx.x / SIDE;
    int column = (int)threadIdx.x % SIDE;

    for (int k = 0; k < width; k++) {
        real sign = sign_of(system, first + k);

        if (threadIdx.x == 0) {
            real pivot = sign * block[k * STRIDE + k];
            real least = system.least == nullptr ? 0 : system.least[(first + k) * system.least_step];

            scratch->failed = !(pivot > 0 && pivot >= least);
            block[k * STRIDE + k] = sqrt(pivot);
        }
        __syncthreads();
        if (scratch->failed)
            return;
        for (int i = k + 1 + (int)threadIdx.x; i < width; i += THREADS)
            block[i * STRIDE + k] *= sign / block[k * STRIDE + k];
        __syncthreads();
        for (int i = k + 1 + row; i < width; i += SIDE) {
            for (int j = k + 1 + column; j <= i; j += SIDE)
                block[i * STRIDE + j] -= sign * block[i * STRIDE + k] * block[j * STRIDE + k];
        }
        __syncthreads();
    }
}

/* What the panel of columns at `first` takes from the tile at (top, left). */
template <typename real, int MICRO>
static __device__ void update_tile(const system_cells<real> &system, int first, int width, int top, int left,
                                   workspace<real, MICRO> *scratch)
{
    typedef struct workspace<real, MICRO> shape;
    real *a = scratch->tiles;
    real *b = scratch->tiles + shape::CELLS;
    real sums[MICRO][MICRO] = {};

    for (int cell = (int)threadIdx.x; cell < DEPTH * shape::TILE; cell += THREADS) {
        int k = cell % DEPTH;
        int i = cell / DEPTH;
        const real *from = system.cells + first + k;

        a[k * shape::WIDTH + i] = k < width && top + i < system.rows ? from[(size_t)(top + i) * system.stride] : 0;
        b[k * shape::WIDTH + i] = k < width && left + i < system.order
                                      ? sign_of(system, first + k) * from[(size_t)(left + i) * system.stride]
                                      : 0;
    }
    __syncthreads();
    multiply_tiles<real, MICRO>(sums, a, b);
    store_tile(sums, top, left, [&](int i, int j, real sum) {
        if (i < system.rows && j < system.order && j <= i)
            system.cells[(size_t)i * system.stride + j] -= sum;
    });
    __syncthreads();
}

/* K becomes L, and r what L' w = z wants: z = S L^-1 r. False where a pivot is not to be trusted. */
template <typename real, int MICRO>
static __device__ bool factor_system(const system_cells<real> &system, workspace<real, MICRO> *scratch)
{
    enum { TILE = SIDE * MICRO };

    for (int first = 0; first < system.order; first += PANEL) {
        int width = system.order - first < PANEL ? system.order - first : PANEL;
        int rest = first + width;
        real *corner = system.cells + (size_t)first * system.stride + first;

        for (int cell = (int)threadIdx.x; cell < width * width; cell += THREADS)
            scratch->diagonal[cell / width * (PANEL + 1) + cell % width] =
                corner[(size_t)(cell / width) * system.stride + cell % width];
        __syncthreads();
        factor_diagonal(system, first, width, scratch);
        if (scratch->failed)
            return false;
        for (int cell = (int)threadIdx.x; cell < width * width; cell += THREADS) {
            if (cell % width <= cell / width)
                corner[(size_t)(cell / width) * system.stride + cell % width] =
                    scratch->diagonal[cell / width * (PANEL + 1) + cell % width];
        }
        solve_panel(system, first, width, scratch);
        __syncthreads();
        for (int top = rest; rest < system.order && top < system.rows; top += TILE) {
            for (int left = rest; left <= top && left < system.order; left += TILE)
                update_tile(system, first, width, top, left, scratch);
        }
    }
    return true;
}

#endif
