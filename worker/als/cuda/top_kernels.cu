#include "worker/als/cuda/cuda_block.cuh"

/*
 * Lists of the n best, a warp a row: the lanes hold scores against the worst entry of the list, and the first lane
 * keeps the list as a heap with that entry on top. Better is the higher score, of equal ones the lower item.
 */
struct heap {
    float *scores;
    int32_t *items;
    int n;
    int count;
};

static __device__ bool is_worse(const struct heap &heap, int a, int b)
{
    if (heap.scores[a] != heap.scores[b])
        return heap.scores[a] < heap.scores[b];
    return heap.items[a] > heap.items[b];
}

static __device__ void swap_entries(struct heap &heap, int a, int b)
{
    float score = heap.scores[a];
    int32_t item = heap.items[a];

    heap.scores[a] = heap.scores[b];
    heap.items[a] = heap.items[b];
    heap.scores[b] = score;
    heap.items[b] = item;
}

static __device__ void sift_down(struct heap &heap, int count)
{
    int at = 0;

    for (;;) {
        int worst = at;
        int child = 2 * at + 1;

        if (child < count && is_worse(heap, child, worst))
            worst = child;
        if (child + 1 < count && is_worse(heap, child + 1, worst))
            worst = child + 1;
        if (worst == at)
            return;
        swap_entries(heap, at, worst);
        at = worst;
    }
}

static __device__ void offer(struct heap &heap, float score, int32_t item)
{
    if (heap.count < heap.n) {
        int at = heap.count++;

        heap.scores[at] = score;
        heap.items[at] = item;
        for (; at > 0 && is_worse(heap, at, (at - 1) / 2); at = (at - 1) / 2)
            swap_entries(heap, at, (at - 1) / 2);
        return;
    }
    if (score < heap.scores[0] || (score == heap.scores[0] && item > heap.items[0]))
        return;
    heap.scores[0] = score;
    heap.items[0] = item;
    sift_down(heap, heap.count);
}

static __device__ float threshold_of(const struct heap &heap)
{
    return heap.count < heap.n ? -INFINITY : heap.scores[0];
}

static __device__ bool is_known(const struct cuda_top_args &args, int row, int32_t item)
{
    int64_t low = args.known_offsets[row];
    int64_t end = args.known_offsets[row + 1];
    int64_t high = end;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (args.known_columns[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && args.known_columns[low] == item;
}

static __device__ bool is_allowed(const struct cuda_top_args &args, int row, int32_t item)
{
    return !(args.skips_itself && item == row) && (args.known_offsets == nullptr || !is_known(args, row, item));
}

static __device__ struct heap heap_of(const struct cuda_top_args &args, int index)
{
    size_t first = (size_t)index * args.n;

    return {args.list_scores + first, args.list_items + first, args.n, args.list_counts[index]};
}

static __device__ int row_of_warp(void)
{
    return (int)(blockIdx.x * WARPS + threadIdx.x / WARP);
}

static __global__ void __launch_bounds__(THREADS) offer_tile(struct cuda_top_args args)
{
    int lane = (int)threadIdx.x % WARP;
    int index = row_of_warp();
    struct heap heap;
    float scale;
    float threshold;

    if (index >= args.count)
        return;
    scale = args.scale == nullptr ? 1 : args.scale[index];
    if (!(scale > 0))
        return;
    heap = heap_of(args, index);
    threshold = threshold_of(heap);
    __syncwarp();
    for (int first = 0; first < args.columns; first += WARP) {
        int column = first + lane;
        int32_t item = column < args.columns ? args.items[column] : 0;
        float score = column < args.columns ? scale * args.scores[(size_t)index * args.stride + column] : 0;
        bool counts = column < args.columns && score >= threshold && score >= args.floor &&
                      is_allowed(args, args.first_row + index, item);
        unsigned chosen = __ballot_sync(ALL_LANES, counts);

        if (chosen == 0)
            continue;
        for (; chosen != 0; chosen &= chosen - 1) {
            int source = __ffs((int)chosen) - 1;
            float best = __shfl_sync(ALL_LANES, score, source);
            int32_t best_item = __shfl_sync(ALL_LANES, item, source);

            if (lane == 0)
                offer(heap, best, best_item);
        }
        threshold = __shfl_sync(ALL_LANES, lane == 0 ? threshold_of(heap) : 0, 0);
    }
    if (lane == 0)
        args.list_counts[index] = heap.count;
}

static __global__ void __launch_bounds__(THREADS) sort_lists(struct cuda_top_args args)
{
    int index = row_of_warp();
    struct heap heap;

    if (index >= args.count || threadIdx.x % WARP != 0)
        return;
    heap = heap_of(args, index);
    for (int left = heap.count; left > 1; left--) {
        swap_entries(heap, 0, left - 1);
        sift_down(heap, left - 1);
    }
}

cudaError_t cuda_top_offer(const struct cuda_top_args *args, cudaStream_t stream)
{
    return launch(offer_tile, dim3((unsigned)(args->count + WARPS - 1) / WARPS), 0, stream, *args);
}

cudaError_t cuda_top_sort(const struct cuda_top_args *args, cudaStream_t stream)
{
    return launch(sort_lists, dim3((unsigned)(args->count + WARPS - 1) / WARPS), 0, stream, *args);
}
