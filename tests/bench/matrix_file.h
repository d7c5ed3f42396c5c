/*
 * A matrix in a file, for the benches of the solver: three 64-bit numbers (rows, columns, nonzeros), then the arrays of
 * struct csr as they are, in this machine's byte order. Functions say what is wrong on stderr and end the program.
 */
#ifndef TESTS_BENCH_MATRIX_FILE_H
#define TESTS_BENCH_MATRIX_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"

_Noreturn void matrix_file_fail(const struct err *err);

/* Into *csr, which goes to csr_fini. */
void matrix_file_read(struct csr *csr, const char *path);
void matrix_file_write(const struct csr *csr, const char *path);

/* What a shop looks like: `nonzeros` different cells, the weights of users and of items lognormal (long tails), values
 * from 1e-7 to 1.5 as BM25 and a decay of 25 days make them, so that at alpha 800 many confidences are below 1. The
 * ages are a year times a random number to the age_power: 1 spreads them evenly, more puts more of them of late. */
void matrix_file_generate(struct csr *csr, size_t users, size_t items, size_t nonzeros, uint64_t seed,
                          double age_power);

#endif
