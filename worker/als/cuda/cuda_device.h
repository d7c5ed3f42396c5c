/*
 * The device: streams, cuBLAS, one allocation of memory, and what its errors mean. One thread at a time.
 */
#ifndef WORKER_ALS_CUDA_CUDA_DEVICE_H
#define WORKER_ALS_CUDA_CUDA_DEVICE_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"

/* Beside the main stream, for kinds of rows that do not fill the device by themselves. */
enum { CUDA_DEVICE_SIDE_STREAMS = 2 };

struct cuda_device {
    cublasHandle_t blas; /* on the main stream */
    cudaStream_t main;
    cudaStream_t side[CUDA_DEVICE_SIDE_STREAMS];
    cudaEvent_t forked;
    cudaEvent_t joined[CUDA_DEVICE_SIDE_STREAMS];
};

/* ERR_CONFIG: no device, or no driver for it. */
enum err_code cuda_device_probe(struct err *err) MUST_CHECK;

/* Into *device, zeroed by the caller; cuda_device_fini also after a failure. */
enum err_code cuda_device_init(struct cuda_device *device, struct err *err) MUST_CHECK;
void cuda_device_fini(struct cuda_device *device);

/* The side streams begin where the main one is; the main one goes on when they are done. */
enum err_code cuda_device_fork(struct cuda_device *device, struct err *err) MUST_CHECK;
enum err_code cuda_device_join(struct cuda_device *device, struct err *err) MUST_CHECK;

/* Waits for the main stream. */
enum err_code cuda_device_wait(struct cuda_device *device, const char *what, struct err *err) MUST_CHECK;

/* `what` was being done. ERR_DEVICE_LOST where the context is of no more use; ERR_DEVICE_BUSY, ERR_INTERNAL. */
enum err_code cuda_device_check(cudaError_t status, const char *what, struct err *err) MUST_CHECK;
enum err_code cuda_device_check_blas(cublasStatus_t status, const char *what, struct err *err) MUST_CHECK;

/* out = a b of floats, column-major, a transposed where transpose_a is CUBLAS_OP_T; a long b is taken in parts. The
 * operands are rounded as `precision` says, the sums are floats. */
struct cuda_product {
    const float *a;
    const float *b;
    float *out;
    cublasOperation_t transpose_a;
    int rows;       /* of out */
    size_t columns; /* of out and b */
    int depth;
    int stride_a;
    int stride_out;
    enum als_precision precision;
};
enum err_code cuda_device_multiply(struct cuda_device *device, const struct cuda_product *product,
                                   struct err *err) MUST_CHECK;

/*
 * Memory in two passes over the same takes: with `memory` NULL they are added up in `bytes`, and give NULL; after
 * cuda_arena_allocate they give the pieces, aligned to 256 bytes.
 */
struct cuda_arena {
    unsigned char *memory;
    size_t bytes;
    bool overflow;
};
void *cuda_arena_take(struct cuda_arena *arena, size_t count, size_t size);
/* Makes `bytes` bytes and begins the second pass. ERR_TOO_LARGE where the device never has so much, ERR_DEVICE_BUSY
 * where it has not now; both with the numbers. */
enum err_code cuda_arena_allocate(struct cuda_arena *arena, const char *what, struct err *err) MUST_CHECK;
void cuda_arena_fini(struct cuda_arena *arena);

/* "NVIDIA L4, compute capability 8.9" */
void cuda_device_describe(char *out, size_t size);

#endif
