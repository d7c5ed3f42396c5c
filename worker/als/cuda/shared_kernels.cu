#include "worker/als/cuda/cuda_cholesky.cuh"

/* The system that all rows of a half-sweep share. Element by element but for the small diagonal blocks. */

extern __shared__ double shared_memory[];

typedef struct workspace<double, 4> diagonal_scratch;

static dim3 grid_of(size_t cells)
{
    size_t blocks = (cells + THREADS - 1) / THREADS;

    return dim3((unsigned)(blocks < 65536 ? blocks : 65536));
}

static __device__ size_t first_cell(void)
{
    return (size_t)blockIdx.x * THREADS + threadIdx.x;
}

static __device__ size_t step_of_cells(void)
{
    return (size_t)gridDim.x * THREADS;
}

static __global__ void __launch_bounds__(THREADS) set_base(struct cuda_base_args args)
{
    size_t order = (size_t)args.factors;

    for (size_t cell = first_cell(); cell < order * order; cell += step_of_cells()) {
        double value = args.gram[cell] + (cell / order == cell % order ? args.regularization : 0);

        args.base[cell] = value;
        args.system[cell] = value;
    }
}

/* One block. */
static __global__ void __launch_bounds__(THREADS) find_least(struct cuda_base_args args)
{
    double *largest = (double *)shared_memory;
    double mine = 0;

    for (int i = (int)threadIdx.x; i < args.factors; i += THREADS)
        mine = fmax(mine, args.base[(size_t)i * args.factors + i]);
    largest[threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    for (int i = 1; i < THREADS; i++)
        mine = fmax(mine, largest[i]);
    *args.least = args.least_share * mine;
}

cudaError_t cuda_shared_set_base(const struct cuda_base_args *args, cudaStream_t stream)
{
    cudaError_t status = launch(set_base, grid_of((size_t)args->factors * (size_t)args->factors), 0, stream, *args);

    return status == cudaSuccess ? launch(find_least, dim3(1), THREADS * sizeof(double), stream, *args) : status;
}

static __global__ void __launch_bounds__(THREADS) factor_block(struct cuda_diagonal_args args)
{
    diagonal_scratch *scratch = (diagonal_scratch *)shared_memory;
    system_cells<double> system = {args.cells, args.stride, args.order, args.order, args.order, args.least, 0};

    if (!factor_system(system, scratch) && threadIdx.x == 0)
        args.verdict->shared_failed = 1;
}

cudaError_t cuda_shared_factor_diagonal(const struct cuda_diagonal_args *args, cudaStream_t stream)
{
    return launch(factor_block, dim3(1), sizeof(diagonal_scratch), stream, *args);
}

/* A square of doubles, or a sum of panels, to another. */
struct square_args {
    double *out;
    float *rounded;
    const double *in;
    const float *panels;
    size_t order;
    size_t cells;
    double diagonal;
    int count;
    int adds;
};

static __global__ void __launch_bounds__(THREADS) set_identity(struct square_args args)
{
    for (size_t cell = first_cell(); cell < args.cells; cell += step_of_cells())
        args.out[cell] = cell / args.order == cell % args.order ? 1 : 0;
}

static __global__ void __launch_bounds__(THREADS) round_lower(struct square_args args)
{
    for (size_t cell = first_cell(); cell < args.cells; cell += step_of_cells())
        args.rounded[cell] = cell % args.order <= cell / args.order ? (float)args.in[cell] : 0;
}

static __global__ void __launch_bounds__(THREADS) round_all(struct square_args args)
{
    for (size_t cell = first_cell(); cell < args.cells; cell += step_of_cells())
        args.rounded[cell] = (float)(args.in[cell] + (cell / args.order == cell % args.order ? args.diagonal : 0));
}

static __global__ void __launch_bounds__(THREADS) add_panels(struct square_args args)
{
    for (size_t cell = first_cell(); cell < args.cells; cell += step_of_cells()) {
        double sum = args.adds ? args.out[cell] : 0;

        for (int panel = 0; panel < args.count; panel++)
            sum += (double)args.panels[(size_t)panel * args.cells + cell];
        args.out[cell] = sum;
    }
}

static struct square_args square_of(int order)
{
    struct square_args args = {};

    args.order = (size_t)order;
    args.cells = args.order * args.order;
    return args;
}

cudaError_t cuda_shared_set_identity(double *out, int order, cudaStream_t stream)
{
    struct square_args args = square_of(order);

    args.out = out;
    return launch(set_identity, grid_of(args.cells), 0, stream, args);
}

cudaError_t cuda_shared_round_lower(float *out, const double *in, int order, cudaStream_t stream)
{
    struct square_args args = square_of(order);

    args.rounded = out;
    args.in = in;
    return launch(round_lower, grid_of(args.cells), 0, stream, args);
}

cudaError_t cuda_shared_round(float *out, const double *in, int order, double diagonal, cudaStream_t stream)
{
    struct square_args args = square_of(order);

    args.rounded = out;
    args.in = in;
    args.diagonal = diagonal;
    return launch(round_all, grid_of(args.cells), 0, stream, args);
}

cudaError_t cuda_shared_add_panels(double *out, const float *panels, int count, size_t cells, int adds,
                                   cudaStream_t stream)
{
    struct square_args args = {};

    args.out = out;
    args.panels = panels;
    args.count = count;
    args.cells = cells;
    args.adds = adds;
    return launch(add_panels, grid_of(cells), 0, stream, args);
}
