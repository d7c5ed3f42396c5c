/*
 * Implicit-feedback alternating least squares (Hu, Koren, Volinsky 2008, with confidence c = alpha * value as the
 * `implicit` library has it): training and top-N. No I/O. One training at a time per call; threads are its own.
 */
#ifndef WORKER_ALS_ALS_H
#define WORKER_ALS_ALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"

enum als_solver { ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY };
/* How lambda becomes that of a row with n_i entries. FREQUENCY: lambda_i = lambda (n_i + m / alpha), m the rows of the
 * other side: the (n_i + alpha_0 m)^nu of Rendle et al. 2022 ("Revisiting the Performance of iALS on Item
 * Recommendation Benchmarks", eq. 7) with nu = 1, and alpha_0 = 1 / alpha since there an entry weighs 1 and a cell
 * without one alpha_0. */
enum als_regularization_scaling { ALS_SCALING_NONE, ALS_SCALING_FREQUENCY };
enum als_backend_kind { ALS_BACKEND_AUTO, ALS_BACKEND_CPU, ALS_BACKEND_CUDA };
enum als_precision { ALS_PRECISION_FP32, ALS_PRECISION_TF32, ALS_PRECISION_FP16 };

struct als_params {
    enum als_solver solver;
    enum als_backend_kind backend;
    enum als_precision precision; /* of operands of large products on a GPU; sums are fp32 at least */
    int factors;                  /* f, 1..4096 */
    int iterations;               /* each is users from items, then items from users */
    int cg_steps;                 /* of ALS_SOLVER_CG; 3 */
    int threads;                  /* 0: all cores */
    double regularization;        /* lambda >= 0 */
    enum als_regularization_scaling regularization_scaling;
    bool acceleration;   /* by momentum, with a restart where the loss would rise; not of ALS_SOLVER_CG */
    double alpha;        /* c = alpha * value; a negative value means confidence |c| with preference 0 */
    double tolerance;    /* the training ends when an iteration lowers the loss by less than this share; 0: never */
    size_t memory_limit; /* bytes that a training may take; 0: no limit */
    uint64_t seed;       /* of the random start (PCG64, numpy's SeedSequence) */
};

/* The model: row-major float factors, X users x f and Y items x f. Its lists are made by `backend`. */
struct als_model {
    enum als_backend_kind backend;
    size_t users;
    size_t items;
    size_t factors;
    float *x;
    float *y;
};

/* Where a training begins: factors of an earlier model, each NULL for the random start. Of a row that has none its
 * first factor is NAN, and it gets the random start that it would have had. */
struct als_start {
    const float *x; /* users x f */
    const float *y; /* items x f */
};

/* Told after each iteration (1-based) with its loss; false stops the training with ERR_CANCELLED. */
typedef bool (*als_progress_fn)(void *context, int iteration, double loss);

struct als_observer {
    als_progress_fn on_iteration; /* NULL: none */
    void *context;
};

/*
 * Trains on `values` (users x items, the BM25 values), from `start` (NULL: the random start). loss[params->iterations]
 * gets the loss after each iteration (NULL allowed); an iteration that `tolerance` saved has NAN:
 *   [sum_ij c_ij (p_ij - x_i.y_j)^2 + sum_i lambda_i |x_i|^2 + sum_j lambda_j |y_j|^2]
 *   / (sum c over nonzeros + users * items - nonzeros).
 * Same seed and threads: same bytes. *model goes to als_model_fini. ERR_ARGUMENT, ERR_NO_MEMORY (names sizes),
 * ERR_TOO_LARGE (memory_limit), ERR_NUMERIC (a factorization failed; names the sweep), ERR_CANCELLED.
 */
enum err_code als_train_from(struct als_model *model, const struct csr *values, const struct als_params *params,
                             const struct als_start *start, const struct als_observer *observer, double *loss,
                             struct err *err) MUST_CHECK;
enum err_code als_train(struct als_model *model, const struct csr *values, const struct als_params *params,
                        const struct als_observer *observer, double *loss, struct err *err) MUST_CHECK;
void als_model_fini(struct als_model *model);

/* "cpu", "cuda" and the BLAS core in use, for logs and reports ("cpu SkylakeX"). Into out[size]. */
void als_describe_backend(enum als_backend_kind backend, char *out, size_t size);

/*
 * Call first thing in main, before threads: picks the OpenBLAS core type that fits this CPU where the library would
 * not know it, by setting OPENBLAS_CORETYPE and re-executing argv once. OPENBLAS_NUM_THREADS becomes 1.
 */
void als_choose_blas_kernels(char **argv);

/* Lists of at most n ids with scores: list i is items[i * n .. i * n + counts[i]). */
struct als_lists {
    size_t rows;
    size_t n;
    int32_t *items; /* indices of items (rows of Y) */
    float *scores;
    int32_t *counts; /* fewer than n where fewer candidates exist */
};

/* Empty lists; ERR_NO_MEMORY. */
enum err_code als_lists_init(struct als_lists *lists, size_t rows, size_t n, struct err *err) MUST_CHECK;

/* For every user the n candidates with the largest x.y, descending, ties the lower index first. `candidates` are
 * ascending item indices (the recommendable ones). */
enum err_code als_top_items(struct als_lists *out, const struct als_model *model, const int32_t *candidates,
                            size_t candidate_count, size_t n, int threads, struct err *err) MUST_CHECK;

/* The same without the items that a user has in `known` (users x items). */
enum err_code als_top_new_items(struct als_lists *out, const struct als_model *model, const struct csr *known,
                                const int32_t *candidates, size_t candidate_count, size_t n, int threads,
                                struct err *err) MUST_CHECK;

/* For every item the n other candidates with the largest cosine of factors >= floor, descending, ties the lower index
 * first; an item of zero norm has none. */
enum err_code als_similar_items(struct als_lists *out, const struct als_model *model, const int32_t *candidates,
                                size_t candidate_count, size_t n, float floor, int threads, struct err *err) MUST_CHECK;
void als_lists_fini(struct als_lists *lists);

#endif
