#include "worker/als/cpu/system_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET               __attribute__((target("avx2,fma")))
#define LOAD(from)           _mm256_loadu_ps(from)
#define STORE(to, value)     _mm256_storeu_ps(to, value)
#define SET1(value)          _mm256_set1_ps(value)
#define SUM_LANES(value)     sum_lanes(value)
#define ADD_PRODUCT(a, b, c) _mm256_fmadd_ps(a, b, c)

typedef __m256 vec;

enum { LANES = 8, BLOCK = 4 }; /* 8 sums and what they take, of 16 registers */

TARGET static inline float sum_lanes(__m256 value)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

#include "worker/als/cpu/system_body.h"
#include "worker/als/cpu/system_factor_body.h"
#include "worker/als/cpu/system_solve_body.h"

const struct system_kernels system_kernels_avx2 = {
    .name = "avx2", .add_products = add_products, .factor = factor, .solve = solve};

#else

const struct system_kernels system_kernels_avx2 = {.name = "none"};

#endif
