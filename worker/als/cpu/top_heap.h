/*
 * A list of the n best entries while it is being made: a heap with the worst on top. Better is the higher score, of
 * equal ones the lower item.
 */
#ifndef WORKER_ALS_CPU_TOP_HEAP_H
#define WORKER_ALS_CPU_TOP_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* The arrays are the caller's. */
struct top_heap {
    float *scores;  /* n */
    int32_t *items; /* n */
    size_t n;
    size_t count;
};

/* Takes the entry in where it is among the n best. */
void top_heap_offer(struct top_heap *heap, float score, int32_t item);

/* No entry of a score below this is among the n best; -INFINITY while there is room. */
float top_heap_threshold(const struct top_heap *heap);

/* The heap becomes a list, best first. */
void top_heap_sort(struct top_heap *heap);

#endif
