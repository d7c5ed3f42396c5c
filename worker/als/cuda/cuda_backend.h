/*
 * The solver on an NVIDIA GPU. Everything but the host's arrays lies on the device: one upload, one allocation.
 */
#ifndef WORKER_ALS_CUDA_CUDA_BACKEND_H
#define WORKER_ALS_CUDA_CUDA_BACKEND_H

#include "worker/als/als_backend.h"

/* NULL in a build without CUDA (cuda_absent.c). */
extern const struct als_backend *const cuda_backend;

#endif
