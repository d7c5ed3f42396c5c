#include "common/base/jitter.h"

#include <sys/random.h>
#include <time.h>

uint32_t jitter_bits(void)
{
    uint32_t bits = 0;
    struct timespec now = {0};

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits)
        return bits;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_nsec * 2654435761u; /* Knuth's multiplier: the low digits of a clock are few */
}

int64_t jitter_between(int64_t low, int64_t high)
{
    if (high <= low)
        return low;
    return low + (int64_t)(jitter_bits() % ((uint64_t)(high - low) + 1));
}
