#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "worker/als/als.h"
#include "worker/als/als_memory.h"
#include "worker/als/cpu/weighted_rows.h"

/* The linker sends the solver's allocations here (--wrap): counted, and the one that is to fail fails. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);

static atomic_long allocations; /* so far */
static atomic_long failing;     /* the number of the one that fails; 0: none */
static atomic_long held;        /* allocated and not freed */
static atomic_long held_bytes;
static atomic_long peak_bytes; /* the most that held_bytes has been */

static bool may_allocate(void)
{
    if (atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&failing))
        return false;
    (void)atomic_fetch_add(&held, 1);
    return true;
}

static void *note_bytes(void *memory)
{
    long bytes = memory == NULL ? 0 : (long)malloc_usable_size(memory);
    long now = atomic_fetch_add(&held_bytes, bytes) + bytes;
    long peak = atomic_load(&peak_bytes);

    while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now))
        continue;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? note_bytes(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? note_bytes(__real_calloc(count, size)) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate() ? note_bytes(__real_aligned_alloc(alignment, size)) : NULL;
}

void __wrap_free(void *memory)
{
    if (memory != NULL) {
        (void)atomic_fetch_sub(&held, 1);
        (void)atomic_fetch_sub(&held_bytes, (long)malloc_usable_size(memory));
    }
    __real_free(memory);
}

enum { USERS = 40, ITEMS = 30, FACTORS = 6, MOST_ALLOCATIONS = 200 };

static const struct als_params usual = {
    .factors = FACTORS, .regularization = 0.1, .alpha = 800, .iterations = 3, .cg_steps = 3, .seed = 1, .threads = 3};

typedef enum err_code (*attempt_fn)(const struct csr *values, struct err *err);

/* Fails the n-th allocation for n = 1, 2, … until the attempt succeeds. */
static void check_every_failure(attempt_fn attempt)
{
    struct csr values;
    long n;

    als_reference_random(&values, USERS, ITEMS, 0.2, 4);
    for (n = 1; n < MOST_ALLOCATIONS; n++) {
        struct err err = {0};
        long before = atomic_load(&held);
        enum err_code rc;

        atomic_store(&allocations, 0);
        atomic_store(&failing, n);
        rc = attempt(&values, &err);
        atomic_store(&failing, 0);
        assert_int_equal(atomic_load(&held), before);
        if (rc == ERR_OK)
            break;
        assert_int_equal(rc, ERR_NO_MEMORY);
        assert_int_equal(err.code, ERR_NO_MEMORY);
        assert_true(err.message[0] != '\0');
    }
    assert_in_range(n, 2, MOST_ALLOCATIONS - 1);
    csr_fini(&values);
}

static enum err_code attempt_transpose(const struct csr *values, struct err *err)
{
    struct csr out;
    enum err_code rc = csr_transpose(&out, values, err);

    if (rc != ERR_OK)
        assert_null(out.offsets);
    csr_fini(&out);
    return rc;
}

static enum err_code attempt_training(const struct csr *values, enum als_solver solver, struct err *err)
{
    struct als_params params = usual;
    struct als_model model;
    enum err_code rc;

    params.solver = solver;
    rc = als_train(&model, values, &params, NULL, NULL, err);
    if (rc != ERR_OK)
        assert_null(model.x);
    als_model_fini(&model);
    return rc;
}

static enum err_code attempt_scaled(const struct csr *values, struct err *err)
{
    struct als_params params = usual;
    struct als_model model;
    enum err_code rc;

    params.regularization_scaling = ALS_SCALING_FREQUENCY;
    rc = als_train(&model, values, &params, NULL, NULL, err);
    als_model_fini(&model);
    return rc;
}

static enum err_code attempt_accelerated(const struct csr *values, struct err *err)
{
    struct als_params params = usual;
    struct als_model model;
    enum err_code rc;

    params.acceleration = true;
    rc = als_train(&model, values, &params, NULL, NULL, err);
    als_model_fini(&model);
    return rc;
}

static enum err_code attempt_exact(const struct csr *values, struct err *err)
{
    return attempt_training(values, ALS_SOLVER_EXACT, err);
}

/* So many factors that the longer side is solved by weights (weighted_rows.h). */
static enum err_code attempt_weighted(const struct csr *values, struct err *err)
{
    struct als_params params = usual;
    struct als_model model;
    enum err_code rc;

    params.factors = 300;
    assert_true(weighted_rows_pay(USERS, ITEMS, csr_nonzeros(values), 300));
    rc = als_train(&model, values, &params, NULL, NULL, err);
    als_model_fini(&model);
    return rc;
}

static enum err_code attempt_cg(const struct csr *values, struct err *err)
{
    return attempt_training(values, ALS_SOLVER_CG, err);
}

static enum err_code attempt_cholesky(const struct csr *values, struct err *err)
{
    return attempt_training(values, ALS_SOLVER_CHOLESKY, err);
}

static float factors[ITEMS * FACTORS];
static const int32_t candidates[] = {1, 2, 3, 5, 8};

static enum err_code attempt_top(const struct csr *values, struct err *err)
{
    struct als_model model = {.users = ITEMS, .items = ITEMS, .factors = FACTORS, .x = factors, .y = factors};
    struct als_lists lists;
    enum err_code rc = als_top_items(&lists, &model, candidates, 5, 3, 3, err);

    (void)values;
    als_lists_fini(&lists);
    return rc;
}

static enum err_code attempt_similar(const struct csr *values, struct err *err)
{
    struct als_model model = {.users = ITEMS, .items = ITEMS, .factors = FACTORS, .x = factors, .y = factors};
    struct als_lists lists;
    enum err_code rc = als_similar_items(&lists, &model, candidates, 5, 3, 0.1F, 3, err);

    (void)values;
    als_lists_fini(&lists);
    return rc;
}

static void training_survives_every_failed_allocation(void **state)
{
    (void)state;
    check_every_failure(attempt_exact);
    check_every_failure(attempt_scaled);
    check_every_failure(attempt_accelerated);
    check_every_failure(attempt_weighted);
    check_every_failure(attempt_cg);
    check_every_failure(attempt_cholesky);
}

static void transposing_survives_every_failed_allocation(void **state)
{
    (void)state;
    check_every_failure(attempt_transpose);
}

static void lists_survive_every_failed_allocation(void **state)
{
    (void)state;
    als_reference_fill(factors, ITEMS * FACTORS, 1, 6);
    check_every_failure(attempt_top);
    check_every_failure(attempt_similar);
}

static bool on_iteration(void *context, int iteration, double loss)
{
    long *seen = context;

    (void)loss;
    if (iteration == 1)
        *seen = atomic_load(&allocations);
    return true;
}

static void sweeps_allocate_nothing(void **state)
{
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};
    struct csr values;

    (void)state;
    als_reference_random(&values, USERS, ITEMS, 0.2, 4);
    for (size_t i = 0; i < 5; i++) {
        long after_first = -1;
        const struct als_observer observer = {.on_iteration = on_iteration, .context = &after_first};
        struct als_params params = usual;
        struct als_model model;

        params.solver = solvers[i < 4 ? i % 3 : 0];
        params.regularization_scaling = i == 3 ? ALS_SCALING_FREQUENCY : ALS_SCALING_NONE;
        params.acceleration = i == 4;
        atomic_store(&allocations, 0);
        assert_int_equal(als_train(&model, &values, &params, &observer, NULL, NULL), ERR_OK);
        assert_true(after_first > 0);
        assert_int_equal(atomic_load(&allocations), after_first);
        als_model_fini(&model);
    }
    csr_fini(&values);
}

/* Enough of everything that the small things do not count. */
static void the_figure_is_what_a_training_takes(void **state)
{
    enum { MANY_USERS = 3000, SOME_ITEMS = 700, MANY_FACTORS = 96 };
    struct csr values;
    struct csr by_item;
    struct als_shape shape;

    (void)state;
    als_reference_random(&values, MANY_USERS, SOME_ITEMS, 0.01, 4);
    assert_int_equal(csr_transpose(&by_item, &values, NULL), ERR_OK);
    als_memory_shape(&shape, &values, &by_item);
    csr_fini(&by_item);
    for (size_t i = 0; i < 5; i++) {
        struct als_params params = usual;
        struct als_model model;
        double measured;

        params.factors = MANY_FACTORS;
        params.iterations = 1;
        params.solver = (enum als_solver)(i < 4 ? i % 3 : ALS_SOLVER_EXACT);
        params.regularization_scaling = i == 3 ? ALS_SCALING_FREQUENCY : ALS_SCALING_NONE;
        params.acceleration = i == 4;
        atomic_store(&peak_bytes, atomic_load(&held_bytes));
        measured = -(double)atomic_load(&held_bytes);
        assert_int_equal(als_train(&model, &values, &params, NULL, NULL, NULL), ERR_OK);
        measured += (double)atomic_load(&peak_bytes);
        als_model_fini(&model);
        if (fabs(als_memory_bytes(&shape, &params) / measured - 1) > 0.1)
            fail_msg("case %zu: %.0f bytes foretold, %.0f taken", i, als_memory_bytes(&shape, &params), measured);
    }
    csr_fini(&values);
}

static void the_largest_shop_fits_four_gibibytes(void **state)
{
    const struct als_shape shape = {.users = 250000, .items = 40000, .nonzeros = 3000000, .longest_row = 40000};
    const struct als_params quality = {.solver = ALS_SOLVER_EXACT, .factors = 800, .alpha = 800, .threads = 8};
    double bytes = als_memory_bytes(&shape, &quality);

    (void)state;
    print_message("250,000 x 40,000 x 3,000,000 at 800 factors, 8 threads: %.0f MiB\n", bytes / (1 << 20));
    assert_true(bytes > 1.5 * (1 << 30)); /* factors and V alone */
    assert_true(bytes <= 4.0 * (1 << 30));
}

static void what_does_not_fit_is_refused_with_figures_before_it_is_allocated(void **state)
{
    enum { LARGE = 4096 };
    struct als_params params = usual;
    struct als_model model;
    struct csr values;
    struct err err = {0};
    long peak;

    (void)state;
    als_reference_random(&values, USERS, ITEMS, 0.2, 4);
    params.factors = LARGE;
    params.memory_limit = 64 << 20;
    atomic_store(&peak_bytes, atomic_load(&held_bytes));
    peak = -atomic_load(&held_bytes);
    assert_int_equal(als_train(&model, &values, &params, NULL, NULL, &err), ERR_TOO_LARGE);
    peak += atomic_load(&peak_bytes);
    assert_in_range(peak, 1, 1 << 20);
    assert_null(model.x);
    assert_non_null(strstr(err.message, "40 users x 30 items with "));
    assert_non_null(strstr(err.message, "and 64 MiB are free"));
    params.factors = FACTORS;
    assert_int_equal(als_train(&model, &values, &params, NULL, NULL, &err), ERR_OK);
    als_model_fini(&model);
    csr_fini(&values);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_survives_every_failed_allocation),
        cmocka_unit_test(transposing_survives_every_failed_allocation),
        cmocka_unit_test(lists_survive_every_failed_allocation),
        cmocka_unit_test(sweeps_allocate_nothing),
        cmocka_unit_test(the_figure_is_what_a_training_takes),
        cmocka_unit_test(the_largest_shop_fits_four_gibibytes),
        cmocka_unit_test(what_does_not_fit_is_refused_with_figures_before_it_is_allocated),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
