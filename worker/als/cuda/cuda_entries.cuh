/*
 * A row's entries, and sums over them by a block of threads: all of them call each function, with the same arguments.
 */
#ifndef WORKER_ALS_CUDA_CUDA_ENTRIES_CUH
#define WORKER_ALS_CUDA_CUDA_ENTRIES_CUH

#include "worker/als/cuda/cuda_block.cuh"

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
static __device__ void add_entries(real *out, const real *in, const struct entries &entries, real scale_b, real scale_d,
                                   real *weights)
{
    int thread = (int)threadIdx.x;

    for (int first = 0; first < entries.count; first += THREADS) {
        int width = entries.count - first < THREADS ? entries.count - first : THREADS;

        for (int j = thread / WARP; j < width; j += WARPS) {
            real dot = scale_d == 0 ? 0 : entry_dot(entries, first + j, in);

            if (thread % WARP == 0)
                weights[j] =
                    scale_b * (real)entry_b(entries, first + j) + scale_d * (real)entry_d(entries, first + j) * dot;
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
