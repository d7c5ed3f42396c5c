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

static bool may_allocate(void)
{
    if (atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&failing))
        return false;
    (void)atomic_fetch_add(&held, 1);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate() ? __real_aligned_alloc(alignment, size) : NULL;
}

void __wrap_free(void *memory)
{
    if (memory != NULL)
        (void)atomic_fetch_sub(&held, 1);
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

static enum err_code attempt_exact(const struct csr *values, struct err *err)
{
    return attempt_training(values, ALS_SOLVER_EXACT, err);
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
    for (size_t i = 0; i < 3; i++) {
        long after_first = -1;
        const struct als_observer observer = {.on_iteration = on_iteration, .context = &after_first};
        struct als_params params = usual;
        struct als_model model;

        params.solver = solvers[i];
        atomic_store(&allocations, 0);
        assert_int_equal(als_train(&model, &values, &params, &observer, NULL, NULL), ERR_OK);
        assert_true(after_first > 0);
        assert_int_equal(atomic_load(&allocations), after_first);
        als_model_fini(&model);
    }
    csr_fini(&values);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_survives_every_failed_allocation),
        cmocka_unit_test(transposing_survives_every_failed_allocation),
        cmocka_unit_test(lists_survive_every_failed_allocation),
        cmocka_unit_test(sweeps_allocate_nothing),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
