#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "als_reference.h"
#include "common/base/mem.h"
#include "worker/als/als.h"
#include "worker/als/als_backend.h"

/* Linked twice: with CUDA itself (label gpu), and with the emulation of tests/support (label unit). */

/* Small whole numbers, so that scores are exact and many are equal; more rows and candidates than a tile has. */
enum { LIST_USERS = 1030, LIST_ITEMS = 4800, LIST_FACTORS = 5, N = 18 };

struct lists_fixture {
    struct als_model model;
    struct csr known;
    int32_t *candidates; /* every item that 7 does not divide */
    size_t candidate_count;
};

static void make_lists_fixture(struct lists_fixture *fixture)
{
    struct als_model *model = &fixture->model;

    *fixture = (struct lists_fixture){
        .model = {.users = LIST_USERS, .items = LIST_ITEMS, .factors = LIST_FACTORS},
        .candidates = mem_zeroed(LIST_ITEMS, sizeof(int32_t)),
    };
    model->x = mem_zeroed((size_t)LIST_USERS * LIST_FACTORS, sizeof(float));
    model->y = mem_zeroed((size_t)LIST_ITEMS * LIST_FACTORS, sizeof(float));
    assert_true(model->x != NULL && model->y != NULL && fixture->candidates != NULL);
    als_reference_fill(model->x, (size_t)LIST_USERS * LIST_FACTORS, 3.4F, 1);
    als_reference_fill(model->y, (size_t)LIST_ITEMS * LIST_FACTORS, 3.4F, 2);
    for (size_t i = 0; i < (size_t)LIST_USERS * LIST_FACTORS; i++)
        model->x[i] = rintf(model->x[i]);
    for (size_t i = 0; i < (size_t)LIST_ITEMS * LIST_FACTORS; i++)
        model->y[i] = rintf(model->y[i]);
    memset(model->x + 5 * LIST_FACTORS, 0, LIST_FACTORS * sizeof(float));
    memset(model->y + 8 * LIST_FACTORS, 0, LIST_FACTORS * sizeof(float));
    for (int32_t item = 0; item < LIST_ITEMS; item++) {
        if (item % 7 != 0)
            fixture->candidates[fixture->candidate_count++] = item;
    }
    als_reference_random(&fixture->known, LIST_USERS, LIST_ITEMS, 0.05, 3);
}

static void lists_fixture_fini(struct lists_fixture *fixture)
{
    als_model_fini(&fixture->model);
    csr_fini(&fixture->known);
    free(fixture->candidates);
}

static void check_same_lists(const struct als_lists *a, const struct als_lists *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_memory_equal(a->counts, b->counts, a->rows * sizeof *a->counts);
    for (size_t row = 0; row < a->rows; row++) {
        size_t count = (size_t)a->counts[row];

        assert_memory_equal(a->items + row * a->n, b->items + row * b->n, count * sizeof *a->items);
        assert_memory_equal(a->scores + row * a->n, b->scores + row * b->n, count * sizeof *a->scores);
    }
}

static void make_top(struct als_lists *lists, struct lists_fixture *fixture, enum als_backend_kind backend, size_t n,
                     bool only_new)
{
    struct err err = {0};

    fixture->model.backend = backend;
    if (als_top_new_items(lists, &fixture->model, only_new ? &fixture->known : NULL, fixture->candidates,
                          fixture->candidate_count, n, 1, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

static void need_device(void)
{
    const struct als_backend *backend = als_backend_find(ALS_BACKEND_CUDA);

    assert_non_null(backend);
    if (backend->probe(NULL) != ERR_OK) {
        print_message("no CUDA device\n");
        skip();
    }
}

static void lists_are_those_of_the_cpu(void **state)
{
    static const size_t candidate_counts[] = {LIST_ITEMS - LIST_ITEMS / 7 - 1, 7, 0, 100};
    static const size_t user_counts[] = {20, 20, 20, LIST_USERS};
    struct lists_fixture fixture;

    (void)state;
    need_device();
    make_lists_fixture(&fixture);
    for (size_t i = 0; i < 4; i++) {
        struct als_lists on_cpu;
        struct als_lists on_device;

        fixture.model.users = user_counts[i];
        fixture.known.rows = user_counts[i];
        fixture.candidate_count = candidate_counts[i];
        make_top(&on_cpu, &fixture, ALS_BACKEND_CPU, N, i % 2 == 0);
        make_top(&on_device, &fixture, ALS_BACKEND_CUDA, N, i % 2 == 0);
        check_same_lists(&on_cpu, &on_device);
        als_lists_fini(&on_cpu);
        als_lists_fini(&on_device);
    }
    lists_fixture_fini(&fixture);
}

/* Cosines are not exact: near ties may change places. */
static void similar_items_are_those_of_the_cpu(void **state)
{
    enum { SIMILAR = 10 };
    static const float floors[] = {0.8001F, -2};
    struct lists_fixture fixture;

    (void)state;
    need_device();
    make_lists_fixture(&fixture);
    fixture.model.items = 300;
    fixture.candidate_count = 250;
    for (size_t i = 0; i < 2; i++) {
        struct als_lists lists[2];

        for (size_t k = 0; k < 2; k++) {
            fixture.model.backend = k == 0 ? ALS_BACKEND_CPU : ALS_BACKEND_CUDA;
            assert_int_equal(als_similar_items(&lists[k], &fixture.model, fixture.candidates, fixture.candidate_count,
                                               SIMILAR, floors[i], 1, NULL),
                             ERR_OK);
        }
        assert_memory_equal(lists[0].counts, lists[1].counts, lists[0].rows * sizeof(int32_t));
        for (size_t row = 0; row < lists[0].rows; row++) {
            for (size_t k = row * SIMILAR; k < row * SIMILAR + (size_t)lists[0].counts[row]; k++) {
                assert_true(fabsf(lists[0].scores[k] - lists[1].scores[k]) < 1e-6F);
                assert_true(lists[1].items[k] != (int32_t)row && lists[1].items[k] % 7 != 0);
            }
        }
        assert_int_equal(lists[1].counts[8], 0);
        als_lists_fini(&lists[0]);
        als_lists_fini(&lists[1]);
    }
    lists_fixture_fini(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_those_of_the_cpu),
        cmocka_unit_test(similar_items_are_those_of_the_cpu),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
