#include "worker/als/cpu/system_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET               __attribute__((target("avx512f")))
#define LOAD(from)           _mm512_loadu_ps(from)
#define STORE(to, value)     _mm512_storeu_ps(to, value)
#define SET1(value)          _mm512_set1_ps(value)
#define SUM_LANES(value)     _mm512_reduce_add_ps(value)
#define ADD_PRODUCT(a, b, c) _mm512_fmadd_ps(a, b, c)

typedef __m512 vec;

enum { LANES = 16, BLOCK = 8 }; /* 16 sums and what they take, of 32 registers */

#include "worker/als/cpu/system_body.h"
#include "worker/als/cpu/system_factor_body.h"
#include "worker/als/cpu/system_solve_body.h"

const struct system_kernels system_kernels_avx512 = {
    .name = "avx512", .add_products = add_products, .factor = factor, .solve = solve};

#else

const struct system_kernels system_kernels_avx512 = {.name = "none"};

#endif
