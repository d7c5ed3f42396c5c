/*
 * Which of OpenBLAS's kernels run. 0.3.21 knows no Intel model after 2021: it takes a Sapphire Rapids for a Prescott
 * and multiplies at a fifth of the speed. Only the environment at the start of the process can tell it better.
 */
#ifndef WORKER_ALS_CPU_BLAS_CORE_H
#define WORKER_ALS_CPU_BLAS_CORE_H

#include <stddef.h>

/* Sees to fitting kernels, by executing this program with argv once more where needed; and to one thread in BLAS. */
void blas_core_choose(char **argv);

/* The core type this CPU should get, NULL where the library's own choice of `present` is good (or not ours to judge).
 */
const char *blas_core_better_than(const char *present);

/* One thread inside BLAS: ours are the only ones. */
void blas_core_use_one_thread(void);

/* The core type in use. */
const char *blas_core_name(void);

#endif
