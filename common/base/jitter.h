/*
 * Chance for delays and names, so that what started together does not go on together. Not for secrets.
 */
#ifndef COMMON_BASE_JITTER_H
#define COMMON_BASE_JITTER_H

#include <stdint.h>

/* Any 32 bits: the kernel's, or the clock's where it has none to give. */
uint32_t jitter_bits(void);

/* Between low and high, both possible; low where high is not above it. */
int64_t jitter_between(int64_t low, int64_t high);

#endif
