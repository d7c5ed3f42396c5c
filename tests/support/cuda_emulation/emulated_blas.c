#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cublas_v2.h"

struct cuda_emulation_blas {
    cudaStream_t stream;
};

static cublasStatus_t status_now(void)
{
    return cuda_emulation_is_there() ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

static CBLAS_TRANSPOSE transpose_of(cublasOperation_t operation)
{
    return operation == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
}

static CBLAS_UPLO fill_of(cublasFillMode_t fill)
{
    return fill == CUBLAS_FILL_MODE_UPPER ? CblasUpper : CblasLower;
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = calloc(1, sizeof **handle);
    return *handle != NULL ? status_now() : CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return status_now();
}

/* 10 bits of mantissa after the first, to nearest: TF32, and half as long as its range is not left. */
static float round_operand(float value)
{
    int exponent;
    float fraction = frexpf(value, &exponent);

    return ldexpf(rintf(fraction * 2048), exponent - 11);
}

static float *round_operands(const float *from, int rows, int columns, int stride)
{
    size_t cells = (size_t)stride * (size_t)columns;
    float *rounded = calloc(cells > 0 ? cells : 1, sizeof *rounded);

    for (int column = 0; rounded != NULL && column < columns; column++) {
        for (int row = 0; row < rows; row++)
            rounded[(size_t)column * (size_t)stride + (size_t)row] =
                round_operand(from[(size_t)column * (size_t)stride + (size_t)row]);
    }
    return rounded;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType type_a, int stride_a,
                            const void *b, cudaDataType type_b, int stride_b, const void *beta, void *c,
                            cudaDataType type_c, int stride_c, cublasComputeType_t compute, cublasGemmAlgo_t algorithm)
{
    float *rounded_a = NULL;
    float *rounded_b = NULL;

    (void)handle, (void)type_a, (void)type_b, (void)type_c, (void)algorithm;
    if (compute != CUBLAS_COMPUTE_32F) {
        rounded_a = round_operands(a, transpose_a == CUBLAS_OP_N ? m : k, transpose_a == CUBLAS_OP_N ? k : m, stride_a);
        rounded_b = round_operands(b, transpose_b == CUBLAS_OP_N ? k : n, transpose_b == CUBLAS_OP_N ? n : k, stride_b);
        if (rounded_a == NULL || rounded_b == NULL)
            abort();
    }
    cblas_sgemm(CblasColMajor, transpose_of(transpose_a), transpose_of(transpose_b), m, n, k, *(const float *)alpha,
                rounded_a != NULL ? rounded_a : a, stride_a, rounded_b != NULL ? rounded_b : b, stride_b,
                *(const float *)beta, c, stride_c);
    free(rounded_a);
    free(rounded_b);
    return status_now();
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transpose_a,
                                         cublasOperation_t transpose_b, int m, int n, int k, const float *alpha,
                                         const float *a, int stride_a, long long step_a, const float *b, int stride_b,
                                         long long step_b, const float *beta, float *c, int stride_c, long long step_c,
                                         int count)
{
    (void)handle;
    for (int i = 0; i < count; i++)
        cblas_sgemm(CblasColMajor, transpose_of(transpose_a), transpose_of(transpose_b), m, n, k, *alpha,
                    a + i * step_a, stride_a, b + i * step_b, stride_b, *beta, c + i * step_c, stride_c);
    return status_now();
}

cublasStatus_t cublasDtrsm(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t fill,
                           cublasOperation_t transpose, cublasDiagType_t diagonal, int m, int n, const double *alpha,
                           const double *a, int stride_a, double *b, int stride_b)
{
    (void)handle;
    cblas_dtrsm(CblasColMajor, side == CUBLAS_SIDE_LEFT ? CblasLeft : CblasRight, fill_of(fill),
                transpose_of(transpose), diagonal == CUBLAS_DIAG_UNIT ? CblasUnit : CblasNonUnit, m, n, *alpha, a,
                stride_a, b, stride_b);
    return status_now();
}

cublasStatus_t cublasDsyrk(cublasHandle_t handle, cublasFillMode_t fill, cublasOperation_t transpose, int n, int k,
                           const double *alpha, const double *a, int stride_a, const double *beta, double *c,
                           int stride_c)
{
    (void)handle;
    cblas_dsyrk(CblasColMajor, fill_of(fill), transpose_of(transpose), n, k, *alpha, a, stride_a, *beta, c, stride_c);
    return status_now();
}

cublasStatus_t cublasDdot(cublasHandle_t handle, int n, const double *x, int step_x, const double *y, int step_y,
                          double *result)
{
    (void)handle;
    *result = cblas_ddot(n, x, step_x, y, step_y);
    return status_now();
}

cublasStatus_t cublasDasum(cublasHandle_t handle, int n, const double *x, int step_x, double *result)
{
    (void)handle;
    *result = cblas_dasum(n, x, step_x);
    return status_now();
}
