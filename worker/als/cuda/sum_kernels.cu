#include "worker/als/cuda/cuda_entries.cuh"

/* Conjugate gradients, a block a row, and the loss of all entries, a warp a row. */

static const float LEAST_RESIDUAL = 1e-20f; /* squared; a row below it rests */

extern __shared__ double shared_memory[];

enum { SHARED_BYTES = (THREADS + WARPS) * sizeof(double) };

static __device__ float *shared_weights(void)
{
    return (float *)shared_memory;
}

static __device__ float *shared_sums(void)
{
    return (float *)(shared_memory + THREADS);
}

/* a.b, in all threads */
static __device__ float block_dot(const float *a, const float *b, int factors)
{
    float sum = 0;

    for (int k = (int)threadIdx.x; k < factors; k += THREADS)
        sum += a[k] * b[k];
    return block_sum(sum, shared_sums());
}

/* residual = b - A x, direction = residual; rows without entries become 0 and rest, as do solved ones. */
static __global__ void __launch_bounds__(THREADS) begin_rows(struct cuda_cg_args args)
{
    int factors = args.rows.factors;
    struct entries entries = entries_of(args.rows, args.first + (int)blockIdx.x, args.fixed);
    float *x = args.x + (size_t)blockIdx.x * factors;
    float *residual = args.residual + (size_t)blockIdx.x * factors;
    float *direction = args.direction + (size_t)blockIdx.x * factors;
    float norm;
    bool rests;

    for (int k = (int)threadIdx.x; k < factors; k += THREADS) {
        residual[k] = -residual[k];
        if (entries.count == 0)
            x[k] = 0;
    }
    __syncthreads();
    add_entries<float>(residual, x, entries, 1, -1, shared_weights());
    norm = block_dot(residual, residual, factors);
    rests = entries.count == 0 || norm < LEAST_RESIDUAL;
    for (int k = (int)threadIdx.x; k < factors; k += THREADS)
        direction[k] = rests ? 0 : residual[k];
    if (threadIdx.x == 0)
        args.norm[blockIdx.x] = rests ? 0 : norm;
}

static __global__ void __launch_bounds__(THREADS) step_rows(struct cuda_cg_args args)
{
    int factors = args.rows.factors;
    struct entries entries = entries_of(args.rows, args.first + (int)blockIdx.x, args.fixed);
    float *x = args.x + (size_t)blockIdx.x * factors;
    float *residual = args.residual + (size_t)blockIdx.x * factors;
    float *direction = args.direction + (size_t)blockIdx.x * factors;
    float *product = args.product + (size_t)blockIdx.x * factors;
    float norm = args.norm[blockIdx.x];
    float length;
    float next;

    if (norm == 0)
        return;
    add_entries<float>(product, direction, entries, 0, 1, shared_weights());
    length = norm / block_dot(direction, product, factors);
    for (int k = (int)threadIdx.x; k < factors; k += THREADS) {
        x[k] += length * direction[k];
        residual[k] -= length * product[k];
    }
    next = block_dot(residual, residual, factors);
    for (int k = (int)threadIdx.x; k < factors; k += THREADS)
        direction[k] = next < LEAST_RESIDUAL ? 0 : residual[k] + next / norm * direction[k];
    if (threadIdx.x == 0)
        args.norm[blockIdx.x] = next < LEAST_RESIDUAL ? 0 : next;
}

cudaError_t cuda_cg_begin(const struct cuda_cg_args *args, cudaStream_t stream)
{
    return launch(begin_rows, dim3((unsigned)args->count), SHARED_BYTES, stream, *args);
}

cudaError_t cuda_cg_step(const struct cuda_cg_args *args, cudaStream_t stream)
{
    return launch(step_rows, dim3((unsigned)args->count), SHARED_BYTES, stream, *args);
}

/* x.y by one warp, in double */
static __device__ double warp_dot(const float *x, const float *y, int factors)
{
    double sum = 0;

    for (int k = (int)threadIdx.x % WARP; k < factors; k += WARP)
        sum += (double)x[k] * (double)y[k];
    return warp_sum(sum);
}

static __global__ void __launch_bounds__(THREADS) sum_entries(struct cuda_loss_args args)
{
    double sum = 0;

    for (int row = (int)(blockIdx.x * WARPS + threadIdx.x / WARP); row < args.row_count;
         row += (int)gridDim.x * WARPS) {
        struct entries entries = entries_of(args.rows, row, args.y);

        for (int j = 0; j < entries.count; j++) {
            double s = warp_dot(args.x + (size_t)row * entries.factors, entry_row(entries, j), entries.factors);
            double c = (double)fabsf(entries.confidence[j]);
            double p = entries.confidence[j] > 0 ? 1 : 0;

            sum += c * (p - s) * (p - s) - s * s;
        }
    }
    sum = block_sum(threadIdx.x % WARP == 0 ? sum : 0, shared_memory);
    if (threadIdx.x == 0)
        args.partial[blockIdx.x] = sum;
}

cudaError_t cuda_loss_sum_entries(const struct cuda_loss_args *args, cudaStream_t stream)
{
    return launch(sum_entries, dim3(CUDA_LOSS_PARTS), SHARED_BYTES, stream, *args);
}
