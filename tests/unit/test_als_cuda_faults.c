#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cuda_runtime.h>

#include "als_reference.h"
#include "worker/als/als.h"
#include "worker/als/als_backend.h"

/* A device that is not there, too small, busy, or lost: what only the emulation can do. */

enum { USERS = 12, ITEMS = 9, FACTORS = 4, N = 3 };

static const struct als_params usual = {.solver = ALS_SOLVER_EXACT,
                                        .backend = ALS_BACKEND_CUDA,
                                        .factors = FACTORS,
                                        .regularization = 0.1,
                                        .alpha = 800,
                                        .iterations = 1,
                                        .cg_steps = 3,
                                        .seed = 42,
                                        .threads = 1};

struct fixture {
    struct csr values;
    struct cuda_emulation before;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    als_reference_random(&fixture->values, USERS, ITEMS, 0.4, 5);
    fixture->before = *cuda_emulation_get();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    *cuda_emulation_get() = fixture->before;
    csr_fini(&fixture->values);
    free(fixture);
    return 0;
}

static void check_refused(const struct csr *values, enum err_code expected, const char *const *words)
{
    struct als_model model;
    struct err err = {0};

    assert_int_equal(als_train(&model, values, &usual, NULL, NULL, &err), expected);
    assert_null(model.x);
    for (; *words != NULL; words++) {
        if (strstr(err.message, *words) == NULL)
            fail_msg("'%s' is not in '%s'", *words, err.message);
    }
}

static void check_falls_back(const struct csr *values)
{
    struct als_params params = usual;
    struct als_model model;

    params.backend = ALS_BACKEND_AUTO;
    assert_int_equal(als_train(&model, values, &params, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(model.backend, ALS_BACKEND_CPU);
    als_model_fini(&model);
}

static void without_a_device_cuda_is_refused_and_auto_takes_the_cpu(void **state)
{
    static const char *const words[] = {"no CUDA device", NULL};
    const struct fixture *fixture = *state;
    char text[64];

    cuda_emulation_get()->devices = 0;
    check_refused(&fixture->values, ERR_CONFIG, words);
    check_falls_back(&fixture->values);
    als_describe_backend(ALS_BACKEND_AUTO, text, sizeof text);
    assert_memory_equal(text, "cpu ", 4);
}

static void acceleration_is_refused_and_auto_takes_the_cpu(void **state)
{
    const struct fixture *fixture = *state;
    struct als_params params = usual;
    struct als_model model;
    struct err err = {0};

    params.acceleration = true;
    params.solver = ALS_SOLVER_EXACT;
    assert_int_equal(als_train(&model, &fixture->values, &params, NULL, NULL, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "acceleration"));
    params.backend = ALS_BACKEND_AUTO;
    assert_int_equal(als_train(&model, &fixture->values, &params, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(model.backend, ALS_BACKEND_CPU);
    als_model_fini(&model);
}

static void a_device_that_never_has_the_memory_is_refused_with_the_sizes(void **state)
{
    static const char *const words[] = {"12 users x 9 items with 4 factors", "needs ", "1000 of 2000 are free", NULL};
    const struct fixture *fixture = *state;

    cuda_emulation_get()->total_bytes = 2000;
    cuda_emulation_get()->free_bytes = 1000;
    check_refused(&fixture->values, ERR_TOO_LARGE, words);
    check_falls_back(&fixture->values);
}

static void a_device_that_lacks_the_memory_now_is_busy(void **state)
{
    static const char *const words[] = {"needs ", "1000 of 4294967296 are free", NULL};
    const struct fixture *fixture = *state;

    cuda_emulation_get()->free_bytes = 1000;
    check_refused(&fixture->values, ERR_DEVICE_BUSY, words);
    assert_true(err_is_transient(ERR_DEVICE_BUSY));
    check_falls_back(&fixture->values);
}

/* The device goes at the first call, at the second, ...: always the job is given back, and all memory. */
static void a_device_lost_at_any_call_gives_the_job_back(void **state)
{
    struct fixture *fixture = *state;
    static const enum als_solver solvers[] = {ALS_SOLVER_EXACT, ALS_SOLVER_CG, ALS_SOLVER_CHOLESKY};

    for (size_t i = 0; i < 3; i++) {
        struct als_params params = usual;
        int calls = 2;

        params.solver = solvers[i];
        for (enum err_code rc = ERR_DEVICE_LOST; rc != ERR_OK; calls++) {
            struct als_model model;
            struct err err = {0};

            cuda_emulation_get()->calls_until_lost = calls;
            rc = als_train(&model, &fixture->values, &params, NULL, NULL, &err);
            assert_int_equal(cuda_emulation_get()->free_bytes, fixture->before.free_bytes);
            if (rc != ERR_OK && rc != ERR_DEVICE_LOST)
                fail_msg("call %d: %s", calls, err.message);
            als_model_fini(&model);
        }
        assert_true(calls > 20);
    }
}

static void a_device_lost_at_any_call_gives_no_lists(void **state)
{
    struct fixture *fixture = *state;
    static const int32_t candidates[] = {1, 2, 3, 5, 8};
    struct als_model model;
    int calls = 2;

    assert_int_equal(als_train(&model, &fixture->values, &usual, NULL, NULL, NULL), ERR_OK);
    for (enum err_code rc = ERR_DEVICE_LOST; rc != ERR_OK; calls++) {
        struct als_lists lists;

        cuda_emulation_get()->calls_until_lost = calls;
        rc = als_top_new_items(&lists, &model, &fixture->values, candidates, 5, N, 1, NULL);
        assert_true(rc == ERR_OK || rc == ERR_DEVICE_LOST);
        assert_true(rc == ERR_OK || lists.items == NULL);
        assert_int_equal(cuda_emulation_get()->free_bytes, fixture->before.free_bytes);
        als_lists_fini(&lists);
    }
    assert_true(calls > 10);
    als_model_fini(&model);
}

/* The double refuge would hide what the dual form does wrong, but it takes launches: without it there are one for F'F,
 * two for A0, one for its factor, two for the inverse and one for all rows. */
static void rows_of_usual_confidence_need_no_refuge(void **state)
{
    enum { F = 16, LAUNCHES = 7 };
    struct fixture *fixture = *state;
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CUDA);
    struct als_params params = usual;
    struct als_training *training = NULL;
    struct csr by_item;
    static float x[USERS * F];
    static float y[ITEMS * F];
    const struct als_problem problem = {
        .by_user = &fixture->values, .by_item = &by_item, .params = &params, .x = x, .y = y};

    params.factors = F;
    als_reference_fill(y, ITEMS * F, 0.3F, 2);
    assert_int_equal(csr_transpose(&by_item, &fixture->values, NULL), ERR_OK);
    assert_int_equal(backend->create(&training, &problem, NULL), ERR_OK);
    cuda_emulation_get()->launches = 0;
    assert_int_equal(backend->half_sweep(training, ALS_SIDE_USERS, NULL), ERR_OK);
    assert_int_equal(cuda_emulation_get()->launches, LAUNCHES);
    backend->destroy(training);
    csr_fini(&by_item);
}

static void lists_are_made_on_the_cpu_where_the_device_is_busy(void **state)
{
    struct fixture *fixture = *state;
    static const int32_t candidates[] = {1, 2, 3, 5, 8};
    struct als_model model;
    struct als_lists lists;

    assert_int_equal(als_train(&model, &fixture->values, &usual, NULL, NULL, NULL), ERR_OK);
    cuda_emulation_get()->free_bytes = 1000;
    assert_int_equal(als_top_items(&lists, &model, candidates, 5, N, 1, NULL), ERR_OK);
    assert_int_equal(lists.counts[0], N);
    als_lists_fini(&lists);
    als_model_fini(&model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_device_cuda_is_refused_and_auto_takes_the_cpu),
        TEST(acceleration_is_refused_and_auto_takes_the_cpu),
        TEST(a_device_that_never_has_the_memory_is_refused_with_the_sizes),
        TEST(a_device_that_lacks_the_memory_now_is_busy),
        TEST(a_device_lost_at_any_call_gives_the_job_back),
        TEST(a_device_lost_at_any_call_gives_no_lists),
        TEST(rows_of_usual_confidence_need_no_refuge),
        TEST(lists_are_made_on_the_cpu_where_the_device_is_busy),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
