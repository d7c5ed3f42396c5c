#include "worker/als/cuda/cuda_cholesky.cuh"
#include "worker/als/cuda/cuda_entries.cuh"

/*
 * A row's equation in one of three forms; d and b as in cuda_kernels.h, v_j the rows of V = Y L^-T, A0 = L L':
 *
 *   dual      (G + D^-1) w = D^-1 b - V r0, t = r0 + sum w_j v_j; G_jk = v_j.v_k over the entries with d != 0,
 *             r0 = sum of b_j v_j over the others. As many unknowns as entries.
 *   primal    (I + sum d_j v_j v_j') t = sum b_j v_j, in floats, then refined with residuals in double.
 *   double    (A0 + sum d_j y_j y_j') x = sum b_j y_j.
 *
 * The first two give t, from which all rows together become X = T L^-1. Small systems live in shared memory; of the
 * others first the cells are summed, a block a tile, then a block a row solves them.
 */

/* Of a pivot less than this share must be left: more would be lost to rounding than a row's solution bears. */
static const float LEAST_PIVOT = 1e-5f;

/* A correction this small beside the solution is lost in floats. */
static const double ENOUGH = 2e-8;

enum { MOST_STEPS = 6, LARGE_MICRO = 4 };

typedef struct workspace<float, LARGE_MICRO> float_scratch;
typedef struct workspace<double, LARGE_MICRO> double_scratch;

/* The memory of a row: 2 order doubles, then (order + 1) x order cells, then order least pivots. */
static size_t slot_bytes(size_t order, size_t real_bytes)
{
    size_t bytes = 2 * order * sizeof(double) + (order + 2) * order * real_bytes;

    return (bytes + 255) / 256 * 256;
}

size_t cuda_rows_slot_bytes(int order)
{
    return slot_bytes((size_t)order, sizeof(float));
}

size_t cuda_rows_slot_bytes_double(int order)
{
    return slot_bytes((size_t)order, sizeof(double));
}

static __device__ double *slot_doubles(const struct cuda_row_args &args, int index)
{
    return (double *)(args.slot + (size_t)index * args.slot_bytes);
}

template <typename real>
static __device__ system_cells<real> slot_system(const struct cuda_row_args &args, int index, int order)
{
    real *cells = (real *)(slot_doubles(args, index) + 2 * order);

    return {cells, order, order, order + 1, order, nullptr, 0};
}

static __device__ system_cells<float> dual_system(const struct cuda_row_args &args, int row, float *cells, int stride,
                                                  float *least)
{
    int order = args.rows.positive[row] + args.rows.negative[row];

    return {cells, stride, order, order + 1, args.rows.positive[row], least, 1};
}

static __device__ void note_failure(const struct cuda_row_args &args, int row)
{
    if (threadIdx.x != 0)
        return;
    if (args.failed_rows != nullptr)
        args.failed_rows[atomicAdd(&args.verdict->failed, 1)] = row;
    else
        (void)atomicMin(&args.verdict->lowest_failed, row);
}

/* A tile of G + D^-1. */
template <int MICRO>
static __device__ void sum_dual_tile(const system_cells<float> &system, const struct entries &entries, int top,
                                     int left, workspace<float, MICRO> *scratch)
{
    typedef struct workspace<float, MICRO> shape;
    float *a = scratch->tiles;
    float *b = top == left ? a : scratch->tiles + shape::CELLS;
    float sums[MICRO][MICRO] = {};

    for (int first = 0; first < entries.factors; first += DEPTH) {
        for (int cell = (int)threadIdx.x; cell < DEPTH * shape::TILE; cell += THREADS) {
            int k = cell % DEPTH;
            int i = cell / DEPTH;
            bool inside = first + k < entries.factors;

            a[k * shape::WIDTH + i] = inside && top + i < system.order ? entry_row(entries, top + i)[first + k] : 0;
            if (top != left)
                b[k * shape::WIDTH + i] =
                    inside && left + i < system.order ? entry_row(entries, left + i)[first + k] : 0;
        }
        __syncthreads();
        multiply_tiles<float, MICRO>(sums, a, b);
        __syncthreads();
    }
    store_tile(sums, top, left, [&](int i, int j, float sum) {
        if (i < system.order && j <= i)
            system.cells[(size_t)i * system.stride + j] = i == j ? sum + 1 / entry_d(entries, i) : sum;
    });
}

/* A tile of base + sum d_j y_j y_j'; base NULL stands for I. */
template <typename real, int MICRO>
static __device__ void sum_primal_tile(const system_cells<real> &system, const struct entries &entries,
                                       const double *base, int top, int left, workspace<real, MICRO> *scratch)
{
    typedef struct workspace<real, MICRO> shape;
    real *a = scratch->tiles;
    real *b = scratch->tiles + shape::CELLS;
    real sums[MICRO][MICRO] = {};

    for (int first = 0; first < entries.count; first += DEPTH) {
        for (int cell = (int)threadIdx.x; cell < DEPTH * shape::TILE; cell += THREADS) {
            int i = cell % shape::TILE;
            int k = cell / shape::TILE;
            bool inside = first + k < entries.count;

            a[k * shape::WIDTH + i] =
                inside && top + i < system.order
                    ? (real)entry_d(entries, first + k) * (real)entry_row(entries, first + k)[top + i]
                    : 0;
            b[k * shape::WIDTH + i] =
                inside && left + i < system.order ? (real)entry_row(entries, first + k)[left + i] : 0;
        }
        __syncthreads();
        multiply_tiles<real, MICRO>(sums, a, b);
        __syncthreads();
    }
    store_tile(sums, top, left, [&](int i, int j, real sum) {
        if (i < system.order && j <= i)
            system.cells[(size_t)i * system.stride + j] =
                sum + (base != nullptr ? (real)base[(size_t)i * system.order + j] : (real)(i == j));
    });
}

/* From the cells of G + D^-1 to t. */
template <int MICRO>
static __device__ void finish_dual(const struct cuda_row_args &args, int row, const system_cells<float> &system,
                                   float *least, workspace<float, MICRO> *scratch)
{
    struct entries entries = entries_of(args.rows, row, args.v);
    struct entries zero = entries;
    float *right = system.cells + (size_t)system.order * system.stride;
    float *t = args.out + (size_t)row * entries.factors;
    float *w = scratch->tiles;

    zero.columns += system.order;
    zero.confidence += system.order;
    zero.count -= system.order;
    for (int k = (int)threadIdx.x; k < entries.factors; k += THREADS)
        t[k] = 0;
    __syncthreads();
    add_entries<float>(t, nullptr, zero, 1, 0, (float *)scratch->weights);
    for (int i = (int)threadIdx.x / WARP; i < system.order; i += WARPS) {
        float d = entry_d(entries, i);
        float cell = system.cells[(size_t)i * system.stride + i];
        float known = zero.count > 0 ? entry_dot(entries, i, (const float *)t) : 0;

        if (threadIdx.x % WARP == 0) {
            right[i] = entry_b(entries, i) / d - known;
            least[i] = LEAST_PIVOT * (d > 0 ? cell : cell - 2 / d); /* G_ii + 1 / |d_i| */
        }
    }
    __syncthreads();
    if (!factor_system(system, scratch)) {
        note_failure(args, row);
        return;
    }
    for (int i = (int)threadIdx.x; i < system.order; i += THREADS)
        w[i] = right[i];
    __syncthreads();
    solve_upper(system, w);
    for (int k = (int)threadIdx.x; k < entries.factors; k += THREADS) {
        float sum = t[k];

        for (int j = 0; j < system.order; j++)
            sum += w[j] * entry_row(entries, j)[k];
        t[k] = sum;
    }
}

template <int MICRO> struct small_row {
    struct workspace<float, MICRO> scratch;
    float cells[(SIDE * MICRO + 1) * (SIDE * MICRO + 1)];
    float least[SIDE * MICRO];
};

extern __shared__ double shared_memory[];

/* A block a row of up to 16 MICRO unknowns. */
template <int MICRO> static __global__ void __launch_bounds__(THREADS) solve_small_rows(struct cuda_row_args args)
{
    struct small_row<MICRO> *small = (struct small_row<MICRO> *)shared_memory;
    int row = args.list[blockIdx.x];
    system_cells<float> system = dual_system(args, row, small->cells, SIDE * MICRO + 1, small->least);

    sum_dual_tile(system, entries_of(args.rows, row, args.v), 0, 0, &small->scratch);
    __syncthreads();
    finish_dual(args, row, system, small->least, &small->scratch);
}

/* A block a tile (x) of a row (y). */
static __global__ void __launch_bounds__(THREADS) sum_dual_rows(struct cuda_row_args args)
{
    float_scratch *scratch = (float_scratch *)shared_memory;
    int row = args.list[blockIdx.y];
    int order = args.rows.positive[row] + args.rows.negative[row];
    system_cells<float> system = slot_system<float>(args, (int)blockIdx.y, order);
    int top;
    int left;

    find_tile((int)blockIdx.x, &top, &left);
    if (top * (int)float_scratch::TILE < order)
        sum_dual_tile(system, entries_of(args.rows, row, args.v), top * float_scratch::TILE, left * float_scratch::TILE,
                      scratch);
}

static __global__ void __launch_bounds__(THREADS) finish_dual_rows(struct cuda_row_args args)
{
    int row = args.list[blockIdx.x];
    int order = args.rows.positive[row] + args.rows.negative[row];
    float *cells = slot_system<float>(args, (int)blockIdx.x, order).cells;
    float *least = cells + (size_t)(order + 1) * order;

    finish_dual(args, row, dual_system(args, row, cells, order, least), least, (float_scratch *)shared_memory);
}

template <typename real> static __global__ void __launch_bounds__(THREADS) sum_primal_rows(struct cuda_row_args args)
{
    typedef struct workspace<real, LARGE_MICRO> shape;
    int row = args.list[blockIdx.y];
    system_cells<real> system = slot_system<real>(args, (int)blockIdx.y, args.rows.factors);
    int top;
    int left;

    find_tile((int)blockIdx.x, &top, &left);
    sum_primal_tile(system, entries_of(args.rows, row, args.v), args.base, top * shape::TILE, left * shape::TILE,
                    (shape *)shared_memory);
}

/* The right side, the factor and the first solution, which is then in the scratch's tiles. */
template <typename real>
static __device__ bool solve_first(const system_cells<real> &system, const struct entries &entries,
                                   workspace<real, LARGE_MICRO> *scratch)
{
    real *right = system.cells + (size_t)system.order * system.stride;

    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        right[k] = 0;
    __syncthreads();
    add_entries<real>(right, nullptr, entries, 1, 0, (real *)scratch->weights);
    if (!factor_system(system, scratch))
        return false;
    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        scratch->tiles[k] = right[k];
    __syncthreads();
    solve_upper(system, scratch->tiles);
    return true;
}

/* One step of refinement; how large it was beside the solution. */
static __device__ double refine(const system_cells<float> &system, const struct entries &entries, double *solution,
                                double *residual, float_scratch *scratch)
{
    float *step = scratch->tiles;
    double change = 0;
    double whole = 0;

    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        residual[k] = -solution[k];
    __syncthreads();
    add_entries<double>(residual, solution, entries, 1, -1, scratch->weights);
    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        step[k] = (float)residual[k];
    __syncthreads();
    solve_lower(system, step);
    solve_upper(system, step);
    for (int k = (int)threadIdx.x; k < system.order; k += THREADS) {
        solution[k] += (double)step[k];
        change += (double)step[k] * (double)step[k];
        whole += solution[k] * solution[k];
    }
    change = block_sum(change, scratch->sums);
    whole = block_sum(whole, scratch->sums);
    return sqrt(change / (whole > 0 ? whole : 1));
}

/* False where floats are not enough. */
static __device__ bool refine_all(const system_cells<float> &system, const struct entries &entries, double *solution,
                                  double *residual, float_scratch *scratch)
{
    double before = 1;

    for (int k = (int)threadIdx.x; k < system.order; k += THREADS)
        solution[k] = (double)scratch->tiles[k];
    __syncthreads();
    for (int step = 1; step < MOST_STEPS && before >= ENOUGH; step++) {
        double change = refine(system, entries, solution, residual, scratch);

        if (!(change < before / 2))
            return false; /* it does not converge */
        before = change;
    }
    return before * before < ENOUGH;
}

static __global__ void __launch_bounds__(THREADS) finish_primal_rows(struct cuda_row_args args)
{
    float_scratch *scratch = (float_scratch *)shared_memory;
    int row = args.list[blockIdx.x];
    struct entries entries = entries_of(args.rows, row, args.v);
    system_cells<float> system = slot_system<float>(args, (int)blockIdx.x, entries.factors);
    double *solution = slot_doubles(args, (int)blockIdx.x);
    double *residual = solution + entries.factors;

    if (!solve_first(system, entries, scratch) || !refine_all(system, entries, solution, residual, scratch)) {
        note_failure(args, row);
        return;
    }
    for (int k = (int)threadIdx.x; k < entries.factors; k += THREADS)
        args.out[(size_t)row * entries.factors + k] = (float)solution[k];
}

static __global__ void __launch_bounds__(THREADS) finish_double_rows(struct cuda_row_args args)
{
    double_scratch *scratch = (double_scratch *)shared_memory;
    int row = args.list[blockIdx.x];
    struct entries entries = entries_of(args.rows, row, args.v);
    system_cells<double> system = slot_system<double>(args, (int)blockIdx.x, entries.factors);

    if (!solve_first(system, entries, scratch)) {
        note_failure(args, row);
        return;
    }
    for (int k = (int)threadIdx.x; k < entries.factors; k += THREADS)
        args.out[(size_t)row * entries.factors + k] = (float)scratch->tiles[k];
}

cudaError_t cuda_rows_solve_small(const struct cuda_row_args *args, cudaStream_t stream)
{
    dim3 grid((unsigned)args->count);

    if (args->most_order <= SIDE)
        return launch(solve_small_rows<1>, grid, sizeof(struct small_row<1>), stream, *args);
    if (args->most_order <= 2 * SIDE)
        return launch(solve_small_rows<2>, grid, sizeof(struct small_row<2>), stream, *args);
    return launch(solve_small_rows<4>, grid, sizeof(struct small_row<4>), stream, *args);
}

/* Two launches: the tiles of all rows, then the rows. */
static cudaError_t launch_rows(void (*sum)(struct cuda_row_args), void (*finish)(struct cuda_row_args),
                               size_t shared_bytes, const struct cuda_row_args *args, cudaStream_t stream)
{
    unsigned tiles = (unsigned)(args->most_order + float_scratch::TILE - 1) / float_scratch::TILE;
    cudaError_t status = launch(sum, dim3(tiles * (tiles + 1) / 2, (unsigned)args->count), shared_bytes, stream, *args);

    return status == cudaSuccess ? launch(finish, dim3((unsigned)args->count), shared_bytes, stream, *args) : status;
}

cudaError_t cuda_rows_solve_dual(const struct cuda_row_args *args, cudaStream_t stream)
{
    return launch_rows(sum_dual_rows, finish_dual_rows, sizeof(float_scratch), args, stream);
}

cudaError_t cuda_rows_solve_primal(const struct cuda_row_args *args, cudaStream_t stream)
{
    return launch_rows(sum_primal_rows<float>, finish_primal_rows, sizeof(float_scratch), args, stream);
}

cudaError_t cuda_rows_solve_double(const struct cuda_row_args *args, cudaStream_t stream)
{
    return launch_rows(sum_primal_rows<double>, finish_double_rows, sizeof(double_scratch), args, stream);
}
