#include "worker/als/cpu/blas_core.h"

#include <cblas.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static const char GUARD[] = "RECFLEET_BLAS_CHOSEN"; /* set in the second life, which does not try again */

const char *blas_core_better_than(const char *present)
{
#if defined(__x86_64__) || defined(__i386__)
    /* kernels of 256 bits and more: whatever new names a library has, these are good */
    static const char *const wide[] = {"Haswell", "Zen", "Excavator", "SkylakeX", "Cooperlake", "SapphireRapids"};

    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strcasecmp(present, wide[i]) == 0)
            return NULL;
    }
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
#else
    (void)present;
#endif
    return NULL;
}

void blas_core_choose(char **argv)
{
    const char *better = blas_core_better_than(blas_core_name());

    blas_core_use_one_thread();
    if (getenv("OPENBLAS_CORETYPE") != NULL || getenv(GUARD) != NULL || better == NULL)
        return;
    if (setenv("OPENBLAS_CORETYPE", better, 1) != 0 || setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0 ||
        setenv(GUARD, "1", 1) != 0)
        return;
    (void)execv("/proc/self/exe", argv); /* where that cannot be, the slow kernels compute the same */
}

void blas_core_use_one_thread(void)
{
    openblas_set_num_threads(1);
}

const char *blas_core_name(void)
{
    return openblas_get_corename();
}
