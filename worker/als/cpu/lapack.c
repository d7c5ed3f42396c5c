#include "worker/als/cpu/lapack.h"

/* Fortran's, as OpenBLAS has them: column-major, all by reference. A row-major lower triangle is an upper one there. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *values, double *work,
             const int *work_size, int *int_work, const int *int_work_size, int *info);

bool lapack_cholesky_float(float *a, size_t n, size_t stride)
{
    int order = (int)n;
    int lda = (int)stride;
    int info = 0;

    if (n > 0)
        spotrf_("U", &order, a, &lda, &info);
    return info == 0;
}

bool lapack_cholesky_double(double *a, size_t n, size_t stride)
{
    int order = (int)n;
    int lda = (int)stride;
    int info = 0;

    if (n > 0)
        dpotrf_("U", &order, a, &lda, &info);
    return info == 0;
}

bool lapack_invert_lower(double *l, size_t n)
{
    int order = (int)n;
    int info = 0;

    if (n > 0)
        dtrtri_("U", "N", &order, l, &order, &info);
    return info == 0;
}

bool lapack_invert_cholesky(double *l, size_t n)
{
    int order = (int)n;
    int info = 0;

    if (n > 0)
        dpotri_("U", &order, l, &order, &info);
    return info == 0;
}

/* As the manual of dsyevd has them. */
size_t lapack_eigenvectors_doubles(size_t n)
{
    return 1 + 6 * n + 2 * n * n;
}

size_t lapack_eigenvectors_ints(size_t n)
{
    return 3 + 5 * n;
}

bool lapack_eigenvectors(double *a, double *values, size_t n, double *work, int *int_work)
{
    int order = (int)n;
    int work_size = (int)lapack_eigenvectors_doubles(n); /* below 2^31 for n up to 32,000 */
    int int_work_size = (int)lapack_eigenvectors_ints(n);
    int info = 0;

    if (n > 0)
        dsyevd_("V", "U", &order, a, &order, values, work, &work_size, int_work, &int_work_size, &info);
    return info == 0;
}
