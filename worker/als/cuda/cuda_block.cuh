/*
 * Launches, and sums over the threads of a block: all of them call each function, with the same arguments.
 */
#ifndef WORKER_ALS_CUDA_CUDA_BLOCK_CUH
#define WORKER_ALS_CUDA_CUDA_BLOCK_CUH

#include "worker/als/cuda/cuda_kernels.h"

enum { WARP = 32, THREADS = 256, WARPS = THREADS / WARP };

static const unsigned ALL_LANES = 0xffffffffu;

/* One struct is all that a kernel takes. */
template <typename arguments>
static cudaError_t launch(void (*kernel)(arguments), dim3 grid, size_t shared_bytes, cudaStream_t stream,
                          const arguments &args)
{
    cudaLaunchConfig_t config = {};

    if (grid.x == 0 || grid.y == 0)
        return cudaSuccess;
    config.gridDim = grid;
    config.blockDim = dim3(THREADS);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, args);
}

template <typename real> static __device__ real warp_sum(real value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(ALL_LANES, value, step);
    return value;
}

/* The sum over the block, in all its threads; sums[WARPS] in shared memory. Ends with a barrier. */
template <typename real> static __device__ real block_sum(real value, real *sums)
{
    real whole = 0;

    value = warp_sum(value);
    if (threadIdx.x % WARP == 0)
        sums[threadIdx.x / WARP] = value;
    __syncthreads();
    for (int warp = 0; warp < WARPS; warp++)
        whole += sums[warp];
    __syncthreads();
    return whole;
}

#endif
