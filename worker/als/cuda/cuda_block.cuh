/*
 * What the threads of a block do together: launches, sums, and sums over a row's entries. All threads of the block call
 * each function, with the same arguments.
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

/* A row's entries, or some of them. */
struct entries {
    const int32_t *columns;
    const float *confidence; /* signed */
    int count;
    const float *rows; /* the other side's, `factors` wide */
    int factors;
};

static inline __device__ struct entries entries_of(const struct cuda_rows &rows, int row, const float *other)
{
    int64_t first = rows.offsets[row];

    return {rows.columns + first, rows.confidence + first, (int)(rows.offsets[row + 1] - first), other, rows.factors};
}

static inline __device__ const float *entry_row(const struct entries &entries, int entry)
{
    return entries.rows + (size_t)entries.columns[entry] * entries.factors;
}

static inline __device__ float entry_d(const struct entries &entries, int entry)
{
    return fabsf(entries.confidence[entry]) - 1;
}

static inline __device__ float entry_b(const struct entries &entries, int entry)
{
    return entries.confidence[entry] > 0 ? entries.confidence[entry] : 0;
}

/* The product of an entry's row and in[factors], by one warp, in all its lanes. */
template <typename real> static __device__ real entry_dot(const struct entries &entries, int entry, const real *in)
{
    const float *row = entry_row(entries, entry);
    real sum = 0;

    for (int k = (int)threadIdx.x % WARP; k < entries.factors; k += WARP)
        sum += (real)row[k] * in[k];
    return warp_sum(sum);
}

/*
 * out[factors] += sum over j of (scale_b b_j + scale_d d_j (y_j.in)) y_j, the y_j being the entries' rows; where
 * scale_d is 0, `in` is not looked at. weights[THREADS] in shared memory. What out and in hold must be there for all
 * threads; so it is for out afterwards.
 */
template <typename real>
static __device__ void add_entries(real *out, const real *in, const struct entries &entries, real scale_b,
                                   real scale_d, real *weights)
{
    int thread = (int)threadIdx.x;

    for (int first = 0; first < entries.count; first += THREADS) {
        int width = entries.count - first < THREADS ? entries.count - first : THREADS;

        for (int j = thread / WARP; j < width; j += WARPS) {
            real dot = scale_d == 0 ? 0 : entry_dot(entries, first + j, in);

            if (thread % WARP == 0)
                weights[j] = scale_b * (real)entry_b(entries, first + j) +
                             scale_d * (real)entry_d(entries, first + j) * dot;
        }
        __syncthreads();
        for (int k = thread; k < entries.factors; k += THREADS) {
            real sum = 0;

            for (int j = 0; j < width; j++)
                sum += weights[j] * (real)entry_row(entries, first + j)[k];
            out[k] += sum;
        }
        __syncthreads();
    }
}

#endif
