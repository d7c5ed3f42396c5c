/*
 * What runs on the device, as the host sees it: arguments and launchers. Pointers are the device's but where said. A
 * launcher only queues; a count of 0 is no launch. All arrays are row-major, all matrices of factors are floats.
 */
#ifndef WORKER_ALS_CUDA_CUDA_KERNELS_H
#define WORKER_ALS_CUDA_CUDA_KERNELS_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One side's rows. With d = c - 1, a row's entries lie in three groups: d > 0, d < 0, d = 0. */
struct cuda_rows {
    const int64_t *offsets;  /* rows + 1 */
    const int32_t *columns;  /* rows of the other side */
    const float *confidence; /* alpha * value: c by its size, preference 1 where it is above 0 */
    const int32_t *positive; /* rows: entries with d > 0 */
    const int32_t *negative; /* rows: entries with d < 0 */
    int factors;
};

/* What the device reports of a half-sweep; read by the host when all is done. */
struct cuda_verdict {
    int32_t shared_failed; /* the shared system is not positive definite */
    int32_t failed;        /* rows that the sweep could not solve: the first so many of failed_rows */
    int32_t lowest_failed; /* the lowest row that could not be solved in double either; INT32_MAX: none */
};

/* Rows to be solved: `count` of the list, a block (or some blocks) each. */
struct cuda_row_args {
    struct cuda_rows rows;
    const int32_t *list;
    int count;
    int most_order;      /* of these rows' systems */
    const float *v;      /* the other side's rows x f: V, or for systems in double its factors */
    const double *base;  /* f x f, the lower triangle: of systems in double; NULL for the others, whose base is I */
    float *out;          /* this side's rows x f: t, or for systems in double x */
    unsigned char *slot; /* count slots of slot_bytes */
    size_t slot_bytes;
    struct cuda_verdict *verdict;
    int32_t *failed_rows; /* NULL: failures go to lowest_failed */
};

/* The memory of one row whose system has up to `order` unknowns. */
size_t cuda_rows_slot_bytes(int order);
size_t cuda_rows_slot_bytes_double(int order);

/* Dual form, up to 64 unknowns, all in shared memory. */
cudaError_t cuda_rows_solve_small(const struct cuda_row_args *args, cudaStream_t stream);
/* Dual form, any order below f. */
cudaError_t cuda_rows_solve_dual(const struct cuda_row_args *args, cudaStream_t stream);
/* I + V'DV t = V'b in floats, refined in double; f unknowns. */
cudaError_t cuda_rows_solve_primal(const struct cuda_row_args *args, cudaStream_t stream);
/* base + Y'DY x = Y'b in double; f unknowns. */
cudaError_t cuda_rows_solve_double(const struct cuda_row_args *args, cudaStream_t stream);

/* f x f: gram (which is whole) + regularization I to base and to system, and the least pivot to trust. */
struct cuda_base_args {
    const double *gram;
    double *base;
    double *system;
    double *least; /* 1 */
    double regularization;
    double least_share; /* of the largest diagonal entry */
    int factors;
};
cudaError_t cuda_shared_set_base(const struct cuda_base_args *args, cudaStream_t stream);

/* The lower triangle of a diagonal block of `order` <= CUDA_SHARED_BLOCK becomes its Cholesky factor. */
enum { CUDA_SHARED_BLOCK = 64 };
struct cuda_diagonal_args {
    double *cells;
    int stride;
    int order;
    const double *least;
    struct cuda_verdict *verdict;
};
cudaError_t cuda_shared_factor_diagonal(const struct cuda_diagonal_args *args, cudaStream_t stream);

cudaError_t cuda_shared_set_identity(double *out, int order, cudaStream_t stream);
/* out (floats) = the lower triangle of in, the upper one 0 */
cudaError_t cuda_shared_round_lower(float *out, const double *in, int order, cudaStream_t stream);
/* out = in + diagonal I */
cudaError_t cuda_shared_round(float *out, const double *in, int order, double diagonal, cudaStream_t stream);
/* out[cells] = (or, where `adds`, +=) the sum of `count` panels of `cells` floats, in double */
cudaError_t cuda_shared_add_panels(double *out, const float *panels, int count, size_t cells, int adds,
                                   cudaStream_t stream);

/* Conjugate gradients for the rows first .. first + count - 1; the arrays of this block of rows begin with `first`. */
struct cuda_cg_args {
    struct cuda_rows rows;
    int first;
    int count;
    const float *fixed; /* the other side's factors */
    float *x;           /* count x f */
    float *residual;    /* count x f; before begin: x times the shared matrix */
    float *direction;   /* count x f */
    float *product;     /* count x f: before a step direction times the shared matrix */
    float *norm;        /* count: squared residuals; 0 for a row that rests */
};
cudaError_t cuda_cg_begin(const struct cuda_cg_args *args, cudaStream_t stream);
cudaError_t cuda_cg_step(const struct cuda_cg_args *args, cudaStream_t stream);

#include "worker/als/cuda/cuda_kernels_lists.h"

#ifdef __cplusplus
}
#endif

#endif
