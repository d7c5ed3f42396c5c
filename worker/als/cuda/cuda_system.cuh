/*
 * A block of threads and one symmetric system K w = r of up to some thousand unknowns. K is quasi-definite: with
 * S = diag(1 for the first `positive` unknowns, -1 for the others), K = L S L' (Vanderbei 1995: no pivoting is needed).
 * The factor is in cuda_cholesky.cuh, here is what is done with it.
 */
#ifndef WORKER_ALS_CUDA_CUDA_SYSTEM_CUH
#define WORKER_ALS_CUDA_CUDA_SYSTEM_CUH

#include "worker/als/cuda/cuda_tiles.cuh"

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

template <typename real> static __device__ real sign_of(const system_cells<real> &system, int unknown)
{
    return unknown < system.positive ? (real)1 : (real)-1;
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
