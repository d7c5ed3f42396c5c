/*
 * What a device does for the solver: a const table of few coarse functions. als.c drives it and knows no device; the
 * CPU's table is in cpu/, that of NVIDIA's GPUs in cuda/. One training is used by one thread at a time.
 */
#ifndef WORKER_ALS_ALS_BACKEND_H
#define WORKER_ALS_ALS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/als_memory.h"
#include "worker/als/csr.h"

enum als_side { ALS_SIDE_USERS, ALS_SIDE_ITEMS };

/* What is to be solved; all of it outlives the training. */
struct als_problem {
    const struct csr *by_user; /* users x items */
    const struct csr *by_item; /* its transpose */
    const struct als_params *params;
    float *x; /* users x f: the start; current only after read_factors */
    float *y; /* items x f */
};

struct als_training; /* a backend's own, with all memory that sweeps need */

/* What als_top_items and als_similar_items are asked for. */
struct als_list_request {
    const struct als_model *model;
    const struct csr *known;   /* of top_items: what a user has is not listed; NULL: all may be */
    const int32_t *candidates; /* ascending item indices */
    size_t candidate_count;
    size_t n;
    float floor; /* of similar_items */
    int threads;
};

struct als_backend {
    const char *name;

    /* Whether this machine has the device; says why not. */
    enum err_code (*probe)(struct err *err);
    /* What create allocates of the machine's own memory, in bytes. */
    double (*workspace_bytes)(const struct als_shape *shape, const struct als_params *params);

    enum err_code (*create)(struct als_training **out, const struct als_problem *problem, struct err *err);
    /* Solves all rows of one side from the other side's factors. */
    enum err_code (*half_sweep)(struct als_training *training, enum als_side side, struct err *err);
    /* Only with params->acceleration. Ahead: the items' factors Y become Y + share (Y - those kept), and Y is kept; a
     * share of 0 only keeps. Back: they become those kept. */
    enum err_code (*step_ahead)(struct als_training *training, float share, struct err *err);
    enum err_code (*step_back)(struct als_training *training, struct err *err);
    /* The loss of als.h at the present factors. */
    enum err_code (*loss)(struct als_training *training, double *loss, struct err *err);
    /* Makes problem->x and problem->y the present factors. */
    enum err_code (*read_factors)(struct als_training *training, struct err *err);
    void (*destroy)(struct als_training *training);

    /* Fill *out, which has the right size and no list yet. */
    enum err_code (*top_items)(struct als_lists *out, const struct als_list_request *request, struct err *err);
    enum err_code (*similar_items)(struct als_lists *out, const struct als_list_request *request, struct err *err);

    /* Name and kernels in use, into out[size]. */
    void (*describe)(char *out, size_t size);
};

/* NULL where this build has no such backend. ALS_BACKEND_AUTO gives the best that has its device here. */
const struct als_backend *als_backend_find(enum als_backend_kind kind);

#endif
