/*
 * As much of cuBLAS as worker/als/cuda uses, done by the host's BLAS. See cuda_runtime.h beside it.
 */
#ifndef TESTS_SUPPORT_CUDA_EMULATION_CUBLAS_V2_H
#define TESTS_SUPPORT_CUDA_EMULATION_CUBLAS_V2_H

#include "cuda_runtime.h"

typedef struct cuda_emulation_blas *cublasHandle_t;
typedef enum {
    CUBLAS_STATUS_SUCCESS,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_EXECUTION_FAILED = 13
} cublasStatus_t;
typedef enum { CUBLAS_OP_N, CUBLAS_OP_T } cublasOperation_t;
typedef enum { CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER } cublasFillMode_t;
typedef enum { CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT } cublasDiagType_t;
typedef enum { CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT } cublasSideMode_t;
typedef enum { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_16F, CUBLAS_COMPUTE_32F_FAST_TF32 } cublasComputeType_t;
typedef enum { CUBLAS_GEMM_DEFAULT = -1 } cublasGemmAlgo_t;
typedef enum { CUDA_R_32F } cudaDataType;

cublasStatus_t cublasCreate(cublasHandle_t *handle);
cublasStatus_t cublasDestroy(cublasHandle_t handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
/* TF32 and half operands are rounded as the device rounds them. */
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType type_a, int stride_a,
                            const void *b, cudaDataType type_b, int stride_b, const void *beta, void *c,
                            cudaDataType type_c, int stride_c, cublasComputeType_t compute, cublasGemmAlgo_t algorithm);
cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transpose_a,
                                         cublasOperation_t transpose_b, int m, int n, int k, const float *alpha,
                                         const float *a, int stride_a, long long step_a, const float *b, int stride_b,
                                         long long step_b, const float *beta, float *c, int stride_c, long long step_c,
                                         int count);
cublasStatus_t cublasDtrsm(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t fill,
                           cublasOperation_t transpose, cublasDiagType_t diagonal, int m, int n, const double *alpha,
                           const double *a, int stride_a, double *b, int stride_b);
cublasStatus_t cublasDsyrk(cublasHandle_t handle, cublasFillMode_t fill, cublasOperation_t transpose, int n, int k,
                           const double *alpha, const double *a, int stride_a, const double *beta, double *c,
                           int stride_c);
cublasStatus_t cublasDdot(cublasHandle_t handle, int n, const double *x, int step_x, const double *y, int step_y,
                          double *result);
cublasStatus_t cublasDasum(cublasHandle_t handle, int n, const double *x, int step_x, double *result);

#endif
