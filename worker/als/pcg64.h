/*
 * The PCG64 generator (XSL-RR 128/64, M. O'Neill 2014) seeded and read as numpy's default_rng(seed) is, so that a
 * start or a split can be drawn again elsewhere.
 */
#ifndef WORKER_ALS_PCG64_H
#define WORKER_ALS_PCG64_H

#include <stdbool.h>
#include <stdint.h>

/* Caller's storage; no need to free. 128-bit numbers as two halves. */
struct pcg64 {
    uint64_t state_high;
    uint64_t state_low;
    uint64_t increment_high;
    uint64_t increment_low;
    uint32_t spare; /* the high half of the last output, not yet given out by pcg64_next_float */
    bool has_spare;
};

/* As default_rng(seed): by SeedSequence. */
void pcg64_seed(struct pcg64 *generator, uint64_t seed);

uint64_t pcg64_next(struct pcg64 *generator);

/* Uniform in [0, 1): 53 bits; does not touch the spare half, as numpy. */
double pcg64_next_double(struct pcg64 *generator);

/* Uniform in [0, 1): 24 bits; an output gives two, the low half first. */
float pcg64_next_float(struct pcg64 *generator);

#endif
