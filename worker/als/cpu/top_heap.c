#include "worker/als/cpu/top_heap.h"

#include <math.h>
#include <stdbool.h>

static bool is_worse(const struct top_heap *heap, size_t a, size_t b)
{
    if (heap->scores[a] != heap->scores[b])
        return heap->scores[a] < heap->scores[b];
    return heap->items[a] > heap->items[b];
}

static void swap_entries(struct top_heap *heap, size_t a, size_t b)
{
    float score = heap->scores[a];
    int32_t item = heap->items[a];

    heap->scores[a] = heap->scores[b];
    heap->items[a] = heap->items[b];
    heap->scores[b] = score;
    heap->items[b] = item;
}

static void sift_down(struct top_heap *heap, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t worst = at;
        size_t child = 2 * at + 1;

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

static void sift_up(struct top_heap *heap, size_t at)
{
    while (at > 0 && is_worse(heap, at, (at - 1) / 2)) {
        swap_entries(heap, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

void top_heap_offer(struct top_heap *heap, float score, int32_t item)
{
    if (heap->count < heap->n) {
        heap->scores[heap->count] = score;
        heap->items[heap->count] = item;
        sift_up(heap, heap->count++);
        return;
    }
    if (score < heap->scores[0] || (score == heap->scores[0] && item > heap->items[0]))
        return;
    heap->scores[0] = score;
    heap->items[0] = item;
    sift_down(heap, heap->count);
}

float top_heap_threshold(const struct top_heap *heap)
{
    return heap->count < heap->n ? -INFINITY : heap->scores[0];
}

void top_heap_sort(struct top_heap *heap)
{
    for (size_t left = heap->count; left > 1; left--) {
        swap_entries(heap, 0, left - 1);
        sift_down(heap, left - 1);
    }
}
