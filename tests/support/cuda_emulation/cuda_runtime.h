/*
 * As much of CUDA's runtime as worker/als/cuda uses, done by the host, so that its kernels and their host side are
 * tested where there is no device: blocks one after the other, the threads of a block as fibers that switch at barriers
 * and shuffles. Memory of the device is the host's (so AddressSanitizer watches it), shared memory is poison at the
 * begin of a block, and the order of threads between two barriers changes from barrier to barrier, so that a missing
 * one shows. Streams run at once; a launch has run when it returns.
 */
#ifndef TESTS_SUPPORT_CUDA_EMULATION_CUDA_RUNTIME_H
#define TESTS_SUPPORT_CUDA_EMULATION_CUDA_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    cudaSuccess,
    cudaErrorMemoryAllocation,
    cudaErrorNoDevice,
    cudaErrorInvalidConfiguration,
    cudaErrorIllegalAddress,
    cudaErrorLaunchFailure,
    cudaErrorLaunchTimeout,
    cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction,
    cudaErrorMisalignedAddress,
    cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,
    cudaErrorECCUncorrectable,
    cudaErrorNvlinkUncorrectable,
    cudaErrorContextIsDestroyed,
    cudaErrorDevicesUnavailable,
    cudaErrorSystemNotReady,
    cudaErrorUnknown
} cudaError_t;

typedef struct cuda_emulation_stream *cudaStream_t;
typedef struct cuda_emulation_event *cudaEvent_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
struct cudaDeviceProp {
    char name[256];
    int major;
    int minor;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorName(cudaError_t status);
const char *cudaGetErrorString(cudaError_t status);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventDestroy(cudaEvent_t event);

/* What a test makes of the device. */
struct cuda_emulation {
    int devices;
    size_t total_bytes;
    size_t free_bytes;
    int calls_until_lost; /* 0: never; then every call fails */
    size_t launches;      /* counted */
};
struct cuda_emulation *cuda_emulation_get(void);
/* Counts a call; whether the device is still there. */
bool cuda_emulation_is_there(void);

#ifdef __cplusplus
}

#include <cmath>

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_size = 1, unsigned y_size = 1) : x(x_size), y(y_size), z(1)
    {
    }
};
struct cudaLaunchConfig_t {
    dim3 gridDim;
    dim3 blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

#define __global__
#define __device__
#define __shared__
#define __launch_bounds__(threads)

extern dim3 threadIdx;
extern dim3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

void __syncthreads();
void __syncwarp();
/* Every lane gives 8 bytes and takes those of lane `source`. */
uint64_t cuda_emulation_exchange(uint64_t value, int source);
unsigned __ballot_sync(unsigned lanes, bool value);

template <typename value_type> value_type __shfl_sync(unsigned lanes, value_type value, int source)
{
    uint64_t bits = 0;

    (void)lanes;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = cuda_emulation_exchange(bits, source);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename value_type> value_type __shfl_xor_sync(unsigned lanes, value_type value, int mask)
{
    return __shfl_sync(lanes, value, ((int)threadIdx.x % 32) ^ mask);
}

static inline int __ffs(int bits)
{
    return __builtin_ffs(bits);
}

static inline int atomicAdd(int *to, int value)
{
    int before = *to;

    *to += value;
    return before;
}

static inline int atomicMin(int *to, int value)
{
    int before = *to;

    *to = value < before ? value : before;
    return before;
}

cudaError_t cuda_emulation_launch(const cudaLaunchConfig_t *config, void (*run)(void *), void *context);

template <typename arguments> struct cuda_emulation_call {
    void (*kernel)(arguments);
    const arguments *args;

    static void run(void *context)
    {
        cuda_emulation_call *call = static_cast<cuda_emulation_call *>(context);

        call->kernel(*call->args);
    }
};

template <typename arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(arguments), const arguments &args)
{
    cuda_emulation_call<arguments> call = {kernel, &args};

    return cuda_emulation_launch(config, cuda_emulation_call<arguments>::run, &call);
}
#endif

#endif
