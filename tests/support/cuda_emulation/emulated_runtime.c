#include <stdlib.h>
#include <string.h>

#include "cuda_runtime.h"

/* Streams run at once, so a stream or an event is nothing but memory to be given back. */
struct cuda_emulation_stream {
    int flags;
};
struct cuda_emulation_event {
    int flags;
};

/* In front of each piece of memory: its size. 64 bytes, to keep its alignment. */
enum { HEAD_BYTES = 64 };

struct cuda_emulation *cuda_emulation_get(void)
{
    static struct cuda_emulation emulation = {
        .devices = 1, .total_bytes = (size_t)4 << 30, .free_bytes = (size_t)3 << 30};

    return &emulation;
}

bool cuda_emulation_is_there(void)
{
    struct cuda_emulation *emulation = cuda_emulation_get();

    if (emulation->calls_until_lost > 1)
        emulation->calls_until_lost--;
    return emulation->calls_until_lost != 1;
}

static cudaError_t status_now(void)
{
    return cuda_emulation_is_there() ? cudaSuccess : cudaErrorIllegalAddress;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = cuda_emulation_get()->devices;
    return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cuda_emulation_get()->devices > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    (void)device;
    *properties = (struct cudaDeviceProp){.name = "emulation", .major = 0, .minor = 1};
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

const char *cudaGetErrorName(cudaError_t status)
{
    return status == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaError";
}

const char *cudaGetErrorString(cudaError_t status)
{
    switch (status) {
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    default:
        return "an error";
    }
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = cuda_emulation_get()->free_bytes;
    *total_bytes = cuda_emulation_get()->total_bytes;
    return status_now();
}

/* Filled with bytes that are NaNs as floats and doubles: what is read before it is written shows. */
cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    unsigned char *head;

    if (bytes > cuda_emulation_get()->free_bytes)
        return cudaErrorMemoryAllocation;
    if (!cuda_emulation_is_there())
        return cudaErrorIllegalAddress;
    head = malloc(bytes + HEAD_BYTES);
    if (head == NULL)
        return cudaErrorMemoryAllocation;
    memset(head, 0xff, bytes + HEAD_BYTES);
    memcpy(head, &bytes, sizeof bytes);
    cuda_emulation_get()->free_bytes -= bytes;
    *memory = head + HEAD_BYTES;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    unsigned char *head = (unsigned char *)memory - HEAD_BYTES;
    size_t bytes;

    memcpy(&bytes, head, sizeof bytes);
    cuda_emulation_get()->free_bytes += bytes;
    free(head);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    (void)kind;
    memcpy(to, from, bytes);
    return status_now();
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    (void)stream;
    return cudaMemcpy(to, from, bytes, kind);
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    (void)stream;
    memset(memory, value, bytes);
    return status_now();
}

cudaError_t cudaDeviceSynchronize(void)
{
    return status_now();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    (void)flags;
    *stream = calloc(1, sizeof **stream);
    return *stream != NULL ? status_now() : cudaErrorMemoryAllocation;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    (void)stream;
    return status_now();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    (void)stream, (void)event, (void)flags;
    return status_now();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    (void)flags;
    *event = calloc(1, sizeof **event);
    return *event != NULL ? status_now() : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    (void)event, (void)stream;
    return status_now();
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    free(event);
    return cudaSuccess;
}
