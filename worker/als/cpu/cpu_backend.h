/*
 * The solver on the CPU: OpenBLAS with one thread in it, our own threads around it. Works in the problem's own factor
 * arrays. Its results depend on the seed and the BLAS kernels, not on the number of threads.
 */
#ifndef WORKER_ALS_CPU_CPU_BACKEND_H
#define WORKER_ALS_CPU_CPU_BACKEND_H

#include "worker/als/als_backend.h"

extern const struct als_backend cpu_backend;

#endif
