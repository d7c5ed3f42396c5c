#include "worker/als/cpu/lapack.h"

/* Fortran's, as OpenBLAS has them: column-major, all by reference. A row-major lower triangle is an upper one there. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);

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
