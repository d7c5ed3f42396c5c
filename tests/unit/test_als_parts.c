#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/als.h"
#include "worker/als/cpu/blas_core.h"
#include "worker/als/cpu/blocks.h"
#include "worker/als/cpu/gram.h"
#include "worker/als/cpu/pool.h"
#include "worker/als/csr.h"

enum { TASKS = 1000, THREADS = 4 };

struct tally {
    atomic_int times[TASKS];
    atomic_bool thread_out_of_range;
};

static void on_task(void *context, size_t thread, size_t task)
{
    struct tally *tally = context;

    (void)atomic_fetch_add(&tally->times[task], 1);
    if (thread >= THREADS)
        atomic_store(&tally->thread_out_of_range, true);
}

static void the_pool_runs_each_task_once_in_every_round(void **state)
{
    struct pool *pool = NULL;
    struct tally *tally = mem_zeroed(1, sizeof *tally);

    (void)state;
    assert_non_null(tally);
    assert_int_equal(pool_create(&pool, THREADS, NULL), ERR_OK);
    assert_int_equal(pool_threads(pool), THREADS);
    for (int round = 1; round <= 20; round++) {
        pool_run(pool, on_task, tally, NULL, TASKS);
        for (size_t task = 0; task < TASKS; task++)
            assert_int_equal(atomic_load(&tally->times[task]), round);
    }
    pool_run(pool, on_task, tally, NULL, 0);
    assert_false(atomic_load(&tally->thread_out_of_range));
    pool_destroy(pool);
    free(tally);
}

struct sequence {
    size_t tasks[3];
    size_t count;
};

static void note_task(void *context, size_t thread, size_t task)
{
    struct sequence *sequence = context;

    (void)thread;
    sequence->tasks[sequence->count++] = task;
}

static void the_pool_keeps_to_a_given_order(void **state)
{
    static const uint32_t order[] = {2, 0, 1};
    struct sequence sequence = {0};
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_create(&pool, 1, NULL), ERR_OK);
    pool_run(pool, note_task, &sequence, order, 3);
    assert_int_equal(sequence.tasks[0], 2);
    assert_int_equal(sequence.tasks[1], 0);
    assert_int_equal(sequence.tasks[2], 1);
    pool_destroy(pool);
}

static void multiply_tiny(void *context, size_t thread, size_t task)
{
    volatile float tiny = 1e-30F;
    float *product = context;

    (void)thread;
    product[task] = tiny * 1e-10F;
}

static void numbers_too_small_for_a_model_cost_nothing(void **state)
{
#ifdef __SSE__
    float products[TASKS];
    volatile float tiny = 1e-30F;
    struct pool *pool = NULL;

    (void)state;
    for (size_t i = 0; i < TASKS; i++)
        products[i] = 1;
    assert_int_equal(pool_create(&pool, THREADS, NULL), ERR_OK);
    pool_run(pool, multiply_tiny, products, NULL, TASKS);
    for (size_t i = 0; i < TASKS; i++)
        assert_true(products[i] == 0);
    pool_destroy(pool);
    assert_true(tiny * 1e-10F > 0); /* the caller computes as before */
#else
    (void)state;
#endif
}

static void no_number_of_threads_means_all_cores(void **state)
{
    struct pool *pool = NULL;

    (void)state;
    assert_int_equal(pool_create(&pool, 0, NULL), ERR_OK);
    assert_in_range(pool_threads(pool), 1, (uintmax_t)sysconf(_SC_NPROCESSORS_CONF));
    pool_destroy(pool);
}

static void gram_is_that_of_doubles_at_awkward_shapes(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {3, 130}, {1025, 7}, {2100, 129}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t rows = shapes[i][0];
        size_t f = shapes[i][1];
        float *factors = mem_zeroed(rows * f, sizeof *factors);
        double *expected = mem_zeroed(f * f, sizeof *expected);
        double *got = mem_zeroed(f * f, sizeof *got);
        struct pool *pool = NULL;
        struct gram *gram = NULL;

        assert_true(factors != NULL && expected != NULL && got != NULL);
        als_reference_fill(factors, rows * f, 1, i);
        als_reference_gram(expected, factors, rows, f);
        assert_int_equal(pool_create(&pool, 2, NULL), ERR_OK);
        assert_int_equal(gram_create(&gram, pool, f, NULL), ERR_OK);
        gram_compute(gram, factors, rows, got);
        for (size_t row = 0; row < f; row++) {
            for (size_t col = 0; col <= row; col++) {
                double norms = sqrt(expected[row * f + row] * expected[col * f + col]);

                assert_true(fabs(got[row * f + col] - expected[row * f + col]) <= 1e-6 * norms);
            }
        }
        gram_destroy(gram);
        pool_destroy(pool);
        free(factors);
        free(expected);
        free(got);
    }
}

static double count_cost(double entries, double factors)
{
    return entries * factors;
}

static void costly_blocks_come_first_and_none_is_missing(void **state)
{
    struct csr values;
    struct blocks blocks;
    size_t seen = 0;
    size_t last = SIZE_MAX;

    (void)state;
    als_reference_random(&values, 103, 40, 0.3, 2);
    assert_int_equal(blocks_init(&blocks, &values, 10, count_cost, 3, NULL), ERR_OK);
    assert_int_equal(blocks.count, 11);
    assert_int_equal(blocks_end(&blocks, 10), 103);
    for (size_t i = 0; i < blocks.count; i++) {
        size_t block = blocks.order[i];
        size_t cost = (size_t)(values.offsets[blocks_end(&blocks, block)] - values.offsets[block * 10]);

        assert_true(cost <= last);
        last = cost;
        seen |= (size_t)1 << block;
    }
    assert_int_equal(seen, (1 << 11) - 1);
    blocks_fini(&blocks);
    csr_fini(&values);
}

static void transposing_twice_gives_the_matrix_back(void **state)
{
    struct csr values;
    struct csr across;
    struct csr back;

    (void)state;
    als_reference_random(&values, 57, 31, 0.2, 11);
    assert_int_equal(csr_transpose(&across, &values, NULL), ERR_OK);
    assert_int_equal(across.rows, 31);
    assert_int_equal(across.cols, 57);
    for (size_t row = 0; row < across.rows; row++) {
        for (int64_t k = across.offsets[row] + 1; k < across.offsets[row + 1]; k++)
            assert_true(across.columns[k - 1] < across.columns[k]);
    }
    assert_int_equal(csr_transpose(&back, &across, NULL), ERR_OK);
    assert_memory_equal(back.offsets, values.offsets, 58 * sizeof *values.offsets);
    assert_memory_equal(back.columns, values.columns, csr_nonzeros(&values) * sizeof *values.columns);
    assert_memory_equal(back.values, values.values, csr_nonzeros(&values) * sizeof *values.values);
    csr_fini(&values);
    csr_fini(&across);
    csr_fini(&back);
}

static void a_matrix_beyond_32_bit_indices_is_refused(void **state)
{
    struct csr csr;
    struct err err;

    (void)state;
    assert_int_equal(csr_init(&csr, 1, (size_t)INT32_MAX + 1, 0, &err), ERR_TOO_LARGE);
    assert_null(csr.offsets);
    csr_fini(NULL);
}

static void good_blas_kernels_are_left_alone(void **state)
{
    (void)state;
    assert_null(blas_core_better_than("SkylakeX"));
    assert_null(blas_core_better_than("Haswell"));
    assert_null(blas_core_better_than("Zen"));
}

static void poor_blas_kernels_are_replaced_where_the_cpu_can_do_more(void **state)
{
    const char *better = blas_core_better_than("Prescott");

    (void)state;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        assert_non_null(better);
        assert_string_equal(better, __builtin_cpu_supports("avx512vl") ? "SkylakeX" : "Haswell");
        return;
    }
#endif
    assert_null(better);
}

/* main has chosen by now */
static void the_chosen_blas_kernels_are_in_use(void **state)
{
    (void)state;
    if (getenv("OPENBLAS_CORETYPE") != NULL)
        assert_string_equal(blas_core_name(), getenv("OPENBLAS_CORETYPE"));
    else
        assert_null(blas_core_better_than(blas_core_name()));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pool_runs_each_task_once_in_every_round),
        cmocka_unit_test(the_pool_keeps_to_a_given_order),
        cmocka_unit_test(numbers_too_small_for_a_model_cost_nothing),
        cmocka_unit_test(no_number_of_threads_means_all_cores),
        cmocka_unit_test(gram_is_that_of_doubles_at_awkward_shapes),
        cmocka_unit_test(costly_blocks_come_first_and_none_is_missing),
        cmocka_unit_test(transposing_twice_gives_the_matrix_back),
        cmocka_unit_test(a_matrix_beyond_32_bit_indices_is_refused),
        cmocka_unit_test(good_blas_kernels_are_left_alone),
        cmocka_unit_test(poor_blas_kernels_are_replaced_where_the_cpu_can_do_more),
        cmocka_unit_test(the_chosen_blas_kernels_are_in_use),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
