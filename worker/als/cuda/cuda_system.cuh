/*
 * A block of threads and one symmetric system K w = r of up to some thousand unknowns: tiles of products, the Cholesky
 * factor, substitution. K is quasi-definite: with S = diag(1 for the first `positive` unknowns, -1 for the others),
 * K = L S L' (Vanderbei 1995: no pivoting is needed).
 */
#ifndef WORKER_ALS_CUDA_CUDA_SYSTEM_CUH
#define WORKER_ALS_CUDA_CUDA_SYSTEM_CUH

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

/* The lower triangle of K, and below it r as row `order`. */
template <typename real> struct system_cells {
    real *cells;
    int stride;
    int order;
    int rows; /* order + 1; order where there is no r */
    int positive;
    const real *least; /* per unknown, the least square of its pivot that is trusted; NULL: 0 */
    int least_step;    /* 0: one for all */
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

template <typename real> static __device__ real sign_of(const system_cells<real> &system, int unknown)
{
    return unknown < system.positive ? (real)1 : (real)-1;
}

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

/* The rows below the diagonal block become those of L. */
template <typename real, int MICRO>
static __device__ void solve_panel(const system_cells<real> &system, int first, int width,
                                   const workspace<real, MICRO> *scratch)
{
    for (int i = first + width + (int)threadIdx.x; i < system.rows; i += THREADS) {
        real *row = system.cells + (size_t)i * system.stride + first;

        for (int k = 0; k < width; k++) {
            const real *l = scratch->diagonal + k * (PANEL + 1);
            real sum = row[k];

            for (int j = 0; j < k; j++)
                sum -= row[j] * sign_of(system, first + j) * l[j];
            row[k] = sign_of(system, first + k) * sum / l[k];
        }
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

/* vector[order], in shared memory, z: becomes w of L' w = z. Ends with a barrier. */
template <typename real> static __device__ void solve_upper(const system_cells<real> &system, real *vector)
{
    for (int k = system.order - 1; k >= 0; k--) {
        const real *row = system.cells + (size_t)k * system.stride;
        real value = vector[k] / row[k];

        for (int j = (int)threadIdx.x; j < k; j += THREADS)
            vector[j] -= row[j] * value;
        __syncthreads();
    }
    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        vector[k] /= system.cells[(size_t)k * system.stride + k];
    __syncthreads();
}

/* The same with L w = z. */
template <typename real> static __device__ void solve_lower(const system_cells<real> &system, real *vector)
{
    for (int k = 0; k < system.order; k++) {
        real value = vector[k] / system.cells[(size_t)k * system.stride + k];

        for (int i = k + 1 + (int)threadIdx.x; i < system.order; i += THREADS)
            vector[i] -= system.cells[(size_t)i * system.stride + k] * value;
        __syncthreads();
    }
    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        vector[k] /= system.cells[(size_t)k * system.stride + k];
    __syncthreads();
}

#endif
