/*
 * One side of the problem on the device: its entries in the order that cuda_kernels.h wants, its rows by kind, its
 * factors. The kinds do not change in a training, for d = c - 1 does not.
 */
#ifndef WORKER_ALS_CUDA_CUDA_SIDE_H
#define WORKER_ALS_CUDA_CUDA_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"
#include "worker/als/cuda/cuda_device.h"
#include "worker/als/cuda/cuda_kernels.h"

/* By the order of a row's system: entries with d != 0, or f where that is less. */
enum cuda_side_kind {
    CUDA_SIDE_PRIMAL, /* f */
    CUDA_SIDE_LARGE,  /* 257 to f - 1 */
    CUDA_SIDE_MEDIUM, /* 65 to 256 */
    CUDA_SIDE_64,
    CUDA_SIDE_32,
    CUDA_SIDE_16, /* rows without entries among them */
    CUDA_SIDE_KINDS
};

/* A part of the list of rows, in which the costly come first. */
struct cuda_side_range {
    size_t first;
    size_t count;
    int most_order;
};

struct cuda_side {
    const struct csr *values; /* the host's */
    float alpha;
    struct cuda_rows rows;
    int64_t *offsets;
    int32_t *columns;
    float *confidence;
    int32_t *positive;
    int32_t *negative;
    int32_t *list; /* rows, by kind */
    struct cuda_side_range ranges[CUDA_SIDE_KINDS];
    size_t filled; /* rows with entries: the first so many of the list */
    float *factors;
    double *gram; /* f x f, whole: factors' factors, where gram_is_current */
    bool gram_is_current;
};

/* Before anything else. */
void cuda_side_begin(struct cuda_side *side, const struct csr *values, size_t factors, float alpha);

/* Takes the side's memory; in both passes. */
void cuda_side_take(struct cuda_side *side, struct cuda_arena *arena);

/* Sorts the rows; before memory is there. Its list goes to free(). */
enum err_code cuda_side_sort(struct cuda_side *side, int32_t **list, struct err *err) MUST_CHECK;

/* Fills the side's memory. `list` is cuda_side_sort's, `factors` the host's. */
enum err_code cuda_side_upload(struct cuda_side *side, const int32_t *list, const float *factors,
                               struct err *err) MUST_CHECK;

#endif
