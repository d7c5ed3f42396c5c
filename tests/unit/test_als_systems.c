#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/system_kernels.h"

enum { MOST = 135, DEPTH = 40, KINDS = 3 };

static const size_t sizes[] = {1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 135};

enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Which kernels this CPU can run; the plain ones always. */
static size_t find_kernels(const struct system_kernels **out)
{
    size_t count = 0;

    out[count++] = &system_kernels_plain;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = &system_kernels_avx2;
    if (__builtin_cpu_supports("avx512f"))
        out[count++] = &system_kernels_avx512;
#endif
    return count;
}

/* A quasi-definite matrix: A'A + I in the first `positive` rows, -(A'A + I) in the others, a block of A'A between. */
struct system {
    size_t n;
    size_t stride;
    size_t positive;
    float *a;     /* n x stride, below the diagonal nothing of use */
    double *full; /* n x n */
    float least[MOST];
};

static void system_init(struct system *system, size_t n, size_t positive)
{
    float *points = mem_zeroed((size_t)MOST * DEPTH, sizeof *points);

    *system = (struct system){.n = n, .stride = system_kernels_stride(n), .positive = positive};
    system->a = mem_zeroed(n * system->stride, sizeof *system->a);
    system->full = mem_zeroed(n * n, sizeof *system->full);
    assert_true(points != NULL && system->a != NULL && system->full != NULL);
    als_reference_fill(points, (size_t)MOST * DEPTH, 1, 11);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = i == j ? 1 : 0;

            for (size_t k = 0; k < DEPTH; k++)
                sum += (double)points[i * DEPTH + k] * (double)points[j * DEPTH + k];
            if (i >= positive && j >= positive)
                sum = -sum;
            system->full[i * n + j] = sum;
            system->a[i * system->stride + j] = j < i ? -7 : (float)sum;
        }
    }
    free(points);
}

static void system_fini(struct system *system)
{
    free(system->a);
    free(system->full);
}

/* How far A w is from `right`, beside it. */
static double relative_residual(const struct system *system, const float *w, const float *right)
{
    double error = 0;
    double whole = 0;

    for (size_t i = 0; i < system->n; i++) {
        double rest = (double)right[i];

        for (size_t j = 0; j < system->n; j++)
            rest -= system->full[i * system->n + j] * (double)w[j];
        error += rest * rest;
        whole += (double)right[i] * (double)right[i];
    }
    return sqrt(error / whole);
}

static void check_solution(const struct system_kernels *kernels, size_t n, size_t positive)
{
    struct system system;
    float right[MOST];
    float w[MOST + SYSTEM_KERNELS_PAD];
    double residual;

    system_init(&system, n, positive);
    als_reference_fill(right, MOST, 1, 12);
    memcpy(w, right, n * sizeof *w);
    for (size_t i = n; i < system.stride; i++)
        w[i] = NAN; /* room that solve may use, and must not read */
    assert_true(kernels->factor(system.a, system.stride, n, positive, system.least));
    kernels->solve(system.a, system.stride, n, positive, w);
    residual = relative_residual(&system, w, right);
    if (!(residual < 1e-5))
        fail_msg("%s, %zu of %zu positive: residual %g", kernels->name, positive, n, residual);
    system_fini(&system);
}

static void quasi_definite_systems_of_any_size_are_solved(void **state)
{
    const struct system_kernels *kinds[KINDS];
    size_t kind_count = find_kernels(kinds);

    (void)state;
    for (size_t kind = 0; kind < kind_count; kind++) {
        for (size_t i = 0; i < SIZES; i++) {
            check_solution(kinds[kind], sizes[i], 0);
            check_solution(kinds[kind], sizes[i], sizes[i]);
            check_solution(kinds[kind], sizes[i], sizes[i] / 2);
            check_solution(kinds[kind], sizes[i], sizes[i] / 3);
        }
    }
}

static void a_pivot_below_its_least_is_refused(void **state)
{
    const struct system_kernels *kinds[KINDS];
    size_t kind_count = find_kernels(kinds);

    (void)state;
    for (size_t kind = 0; kind < kind_count; kind++) {
        for (size_t at = 0; at < 33; at += 8) {
            struct system system;

            system_init(&system, 33, 20);
            system.least[at] = 1e6F;
            assert_false(kinds[kind]->factor(system.a, system.stride, 33, 20, system.least));
            system_fini(&system);
        }
    }
}

static void a_pivot_of_the_wrong_sign_is_refused(void **state)
{
    const struct system_kernels *kinds[KINDS];
    size_t kind_count = find_kernels(kinds);

    (void)state;
    for (size_t kind = 0; kind < kind_count; kind++) {
        struct system system;

        system_init(&system, 33, 20);
        assert_false(kinds[kind]->factor(system.a, system.stride, 33, 21, system.least));
        system_fini(&system);
        system_init(&system, 33, 20);
        system.a[5 * system.stride + 5] = NAN;
        assert_false(kinds[kind]->factor(system.a, system.stride, 33, 20, system.least));
        system_fini(&system);
    }
}

/* The upper triangle of out = -3 + left' right, `count` rows of each. */
static void check_products(const struct system_kernels *kernels, size_t n, size_t count)
{
    size_t stride = system_kernels_stride(n);
    float *left = mem_zeroed(DEPTH * stride, sizeof *left);
    float *right = mem_zeroed(DEPTH * stride, sizeof *right);
    float *out = mem_zeroed((n + 1) * stride, sizeof *out);

    assert_true(left != NULL && right != NULL && out != NULL);
    als_reference_fill(left, DEPTH * stride, 1, 13);
    als_reference_fill(right, DEPTH * stride, 1, 14);
    for (size_t i = 0; i < (n + 1) * stride; i++)
        out[i] = -3;
    kernels->add_products(out, stride, n, left, right, count);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k < n; k++) {
            double sum = -3;

            for (size_t j = 0; j < count; j++)
                sum += (double)left[j * stride + i] * (double)right[j * stride + k];
            assert_true(fabs((double)out[i * stride + k] - sum) < 2e-5);
        }
    }
    for (size_t k = 0; k < stride; k++)
        assert_true(out[n * stride + k] == -3); /* the row behind the last */
    free(left);
    free(right);
    free(out);
}

static void products_are_added_to_the_upper_triangle(void **state)
{
    const struct system_kernels *kinds[KINDS];
    size_t kind_count = find_kernels(kinds);

    (void)state;
    for (size_t kind = 0; kind < kind_count; kind++) {
        for (size_t i = 0; i < SIZES; i++) {
            check_products(kinds[kind], sizes[i], 0);
            check_products(kinds[kind], sizes[i], 1);
            check_products(kinds[kind], sizes[i], DEPTH);
        }
    }
}

static void the_best_kernels_of_this_cpu_are_chosen(void **state)
{
    const struct system_kernels *kinds[KINDS];
    size_t count = find_kernels(kinds);

    (void)state;
    assert_ptr_equal(system_kernels_choose(), kinds[count - 1]);
    assert_string_equal(system_kernels_choose()->name, row_kernels_choose()->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quasi_definite_systems_of_any_size_are_solved),
        cmocka_unit_test(a_pivot_below_its_least_is_refused),
        cmocka_unit_test(a_pivot_of_the_wrong_sign_is_refused),
        cmocka_unit_test(products_are_added_to_the_upper_triangle),
        cmocka_unit_test(the_best_kernels_of_this_cpu_are_chosen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
