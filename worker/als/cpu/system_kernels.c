#include "worker/als/cpu/system_kernels.h"

#include <string.h>

#define TARGET
#define LOAD(from)       load_vec(from)
#define STORE(to, value) store_vec(to, value)
#define SET1(value)                \
    (vec)                          \
    {                              \
        value, value, value, value \
    }
#define SUM_LANES(value)     ((value)[0] + (value)[1] + (value)[2] + (value)[3])
#define ADD_PRODUCT(a, b, c) ((a) * (b) + (c))

enum { LANES = 4, BLOCK = 4 };

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

static inline vec load_vec(const float *from)
{
    vec value;

    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store_vec(float *to, vec value)
{
    memcpy(to, &value, sizeof value);
}

#include "worker/als/cpu/system_body.h"
#include "worker/als/cpu/system_factor_body.h"
#include "worker/als/cpu/system_solve_body.h"

const struct system_kernels system_kernels_plain = {
    .name = "plain", .add_products = add_products, .factor = factor, .solve = solve};

const struct system_kernels *system_kernels_choose(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return &system_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &system_kernels_avx2;
#endif
    return &system_kernels_plain;
}
