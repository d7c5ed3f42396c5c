#include "worker/als/cuda/cuda_device.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

enum { ALIGNMENT = 256, PRODUCT_COLUMNS = 65536 };

enum err_code cuda_device_probe(struct err *err)
{
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);

    if (status == cudaSuccess && count > 0)
        return ERR_OK;
    (void)cudaGetLastError(); /* it is told; later calls are not to see it again */
    return ERR_SET(err, ERR_CONFIG, "no CUDA device: %s",
                   status != cudaSuccess ? cudaGetErrorString(status) : "this machine has none");
}

static bool is_lost(cudaError_t status)
{
    switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemNotReady:
    case cudaErrorUnknown:
        return true;
    default:
        return false;
    }
}

enum err_code cuda_device_check(cudaError_t status, const char *what, struct err *err)
{
    if (status == cudaSuccess)
        return ERR_OK;
    if (is_lost(status))
        return ERR_SET(err, ERR_DEVICE_LOST, "the device was lost: %s: %s (%s)", what, cudaGetErrorString(status),
                       cudaGetErrorName(status));
    (void)cudaGetLastError();
    return ERR_SET(err, status == cudaErrorMemoryAllocation ? ERR_DEVICE_BUSY : ERR_INTERNAL, "%s: %s (%s)", what,
                   cudaGetErrorString(status), cudaGetErrorName(status));
}

enum err_code cuda_device_check_blas(cublasStatus_t status, const char *what, struct err *err)
{
    cudaError_t cause;

    if (status == CUBLAS_STATUS_SUCCESS)
        return ERR_OK;
    cause = cudaDeviceSynchronize();
    if (cause != cudaSuccess)
        return cuda_device_check(cause, what, err);
    return ERR_SET(err, status == CUBLAS_STATUS_ALLOC_FAILED ? ERR_DEVICE_BUSY : ERR_INTERNAL, "%s: cuBLAS status %d",
                   what, (int)status);
}

enum err_code cuda_device_init(struct cuda_device *device, struct err *err)
{
    enum err_code rc = cuda_device_probe(err);
    cudaError_t status;

    if (rc != ERR_OK)
        return rc;
    status = cudaStreamCreateWithFlags(&device->main, cudaStreamNonBlocking);
    if (status == cudaSuccess)
        status = cudaEventCreateWithFlags(&device->forked, cudaEventDisableTiming);
    for (int i = 0; i < CUDA_DEVICE_SIDE_STREAMS && status == cudaSuccess; i++) {
        status = cudaStreamCreateWithFlags(&device->side[i], cudaStreamNonBlocking);
        if (status == cudaSuccess)
            status = cudaEventCreateWithFlags(&device->joined[i], cudaEventDisableTiming);
    }
    rc = cuda_device_check(status, "opening the device", err);
    if (rc == ERR_OK)
        rc = cuda_device_check_blas(cublasCreate(&device->blas), "opening cuBLAS", err);
    if (rc == ERR_OK)
        rc = cuda_device_check_blas(cublasSetStream(device->blas, device->main), "opening cuBLAS", err);
    return rc;
}

void cuda_device_fini(struct cuda_device *device)
{
    if (device->blas != NULL)
        (void)cublasDestroy(device->blas);
    for (int i = 0; i < CUDA_DEVICE_SIDE_STREAMS; i++) {
        if (device->joined[i] != NULL)
            (void)cudaEventDestroy(device->joined[i]);
        if (device->side[i] != NULL)
            (void)cudaStreamDestroy(device->side[i]);
    }
    if (device->forked != NULL)
        (void)cudaEventDestroy(device->forked);
    if (device->main != NULL)
        (void)cudaStreamDestroy(device->main);
    memset(device, 0, sizeof *device);
}

enum err_code cuda_device_fork(struct cuda_device *device, struct err *err)
{
    cudaError_t status = cudaEventRecord(device->forked, device->main);

    for (int i = 0; i < CUDA_DEVICE_SIDE_STREAMS && status == cudaSuccess; i++)
        status = cudaStreamWaitEvent(device->side[i], device->forked, 0);
    return cuda_device_check(status, "starting the side streams", err);
}

enum err_code cuda_device_join(struct cuda_device *device, struct err *err)
{
    cudaError_t status = cudaSuccess;

    for (int i = 0; i < CUDA_DEVICE_SIDE_STREAMS && status == cudaSuccess; i++) {
        status = cudaEventRecord(device->joined[i], device->side[i]);
        if (status == cudaSuccess)
            status = cudaStreamWaitEvent(device->main, device->joined[i], 0);
    }
    return cuda_device_check(status, "joining the side streams", err);
}

enum err_code cuda_device_wait(struct cuda_device *device, const char *what, struct err *err)
{
    return cuda_device_check(cudaStreamSynchronize(device->main), what, err);
}

static cublasComputeType_t compute_type(enum als_precision precision)
{
    switch (precision) {
    case ALS_PRECISION_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case ALS_PRECISION_FP16:
        return CUBLAS_COMPUTE_32F_FAST_16F;
    case ALS_PRECISION_FP32:
    default:
        return CUBLAS_COMPUTE_32F;
    }
}

enum err_code cuda_device_multiply(struct cuda_device *device, const struct cuda_product *product, struct err *err)
{
    const float one = 1;
    const float zero = 0;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;

    for (size_t first = 0; first < product->columns && status == CUBLAS_STATUS_SUCCESS; first += PRODUCT_COLUMNS) {
        size_t left = product->columns - first;
        int columns = (int)(left < PRODUCT_COLUMNS ? left : PRODUCT_COLUMNS);

        status =
            cublasGemmEx(device->blas, product->transpose_a, CUBLAS_OP_N, product->rows, columns, product->depth, &one,
                         product->a, CUDA_R_32F, product->stride_a, product->b + first * (size_t)product->depth,
                         CUDA_R_32F, product->depth, &zero, product->out + first * (size_t)product->stride_out,
                         CUDA_R_32F, product->stride_out, compute_type(product->precision), CUBLAS_GEMM_DEFAULT);
    }
    return cuda_device_check_blas(status, "a product of matrices", err);
}

void *cuda_arena_take(struct cuda_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    size_t offset = arena->bytes;

    if (!mem_multiply(&bytes, count, size) || bytes > SIZE_MAX - offset - ALIGNMENT) {
        arena->overflow = true;
        return NULL;
    }
    arena->bytes = offset + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return arena->memory != NULL ? arena->memory + offset : NULL;
}

enum err_code cuda_arena_allocate(struct cuda_arena *arena, const char *what, struct err *err)
{
    void *memory = NULL;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    size_t needed = arena->bytes;
    enum err_code rc = cuda_device_check(cudaMemGetInfo(&free_bytes, &total_bytes), "the device's memory", err);
    cudaError_t status;

    if (rc != ERR_OK)
        return rc;
    if (arena->overflow)
        return ERR_SET(err, ERR_TOO_LARGE, "%s is too large to be counted in bytes", what);
    status = needed <= total_bytes ? cudaMalloc(&memory, needed > 0 ? needed : 1) : cudaErrorMemoryAllocation;
    if (status == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return ERR_SET(err, needed <= total_bytes ? ERR_DEVICE_BUSY : ERR_TOO_LARGE,
                       "%s needs %zu bytes of the device's memory, of which %zu of %zu are free", what, needed,
                       free_bytes, total_bytes);
    }
    rc = cuda_device_check(status, "allocating the device's memory", err);
    if (rc != ERR_OK)
        return rc;
    arena->memory = memory;
    arena->bytes = 0;
    return ERR_OK;
}

void cuda_arena_fini(struct cuda_arena *arena)
{
    if (arena->memory != NULL)
        (void)cudaFree(arena->memory);
    memset(arena, 0, sizeof *arena);
}

void cuda_device_describe(char *out, size_t size)
{
    struct cudaDeviceProp properties;
    int device = 0;

    if (cudaGetDevice(&device) == cudaSuccess && cudaGetDeviceProperties(&properties, device) == cudaSuccess) {
        (void)snprintf(out, size, "%s, compute capability %d.%d", properties.name, properties.major, properties.minor);
    } else {
        (void)cudaGetLastError();
        (void)snprintf(out, size, "no device");
    }
}
