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
#include "worker/als/cpu/quantized.h"
#include "worker/als/cpu/top_search.h"

enum { ROWS = 70, CANDIDATES = 1300, FACTORS = 50, N = 18 };

/* The kernels that this CPU can run; the plain ones always. */
static size_t find_kernels(const struct quantized_kernels **out)
{
    out[0] = &quantized_kernels_plain;
    out[1] = &quantized_kernels_vnni;
    return quantized_is_fast() ? 2 : 1;
}

/* Rows and candidates with what is hard on 8 bits: large single cells, zero rows, rows that are alike. */
struct fixture {
    float *rows;       /* ROWS x FACTORS */
    float *candidates; /* CANDIDATES x FACTORS */
    int32_t items[CANDIDATES];
    struct pool *pool;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);

    assert_non_null(fixture);
    fixture->rows = mem_zeroed((size_t)ROWS * FACTORS, sizeof(float));
    fixture->candidates = mem_zeroed((size_t)CANDIDATES * FACTORS, sizeof(float));
    assert_true(fixture->rows != NULL && fixture->candidates != NULL);
    als_reference_fill(fixture->rows, (size_t)ROWS * FACTORS, 1, 21);
    als_reference_fill(fixture->candidates, (size_t)CANDIDATES * FACTORS, 0.5F, 22);
    fixture->rows[3 * FACTORS + 7] = 40; /* one cell takes all of the scale */
    memset(fixture->rows + (size_t)5 * FACTORS, 0, FACTORS * sizeof(float));
    memset(fixture->candidates + (size_t)9 * FACTORS, 0, FACTORS * sizeof(float));
    fixture->candidates[100 * FACTORS] = -25;
    for (size_t i = 400; i < 440; i++) /* the best of many rows, and all alike */
        memcpy(fixture->candidates + i * FACTORS, fixture->rows + (size_t)11 * FACTORS, FACTORS * sizeof(float));
    for (int32_t i = 0; i < CANDIDATES; i++)
        fixture->items[i] = 2 * i;
    assert_int_equal(pool_create(&fixture->pool, 2, NULL), ERR_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    pool_destroy(fixture->pool);
    free(fixture->rows);
    free(fixture->candidates);
    free(fixture);
    return 0;
}

static double dot(const float *a, const float *b)
{
    double sum = 0;

    for (size_t k = 0; k < FACTORS; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* Which of the candidates the bounds of QUANTIZED_ROWS rows from `first` on name, at the row's own score. */
static void check_bounds(const struct fixture *fixture, const struct quantized_kernels *kernels,
                         const struct quantized *packed, size_t first)
{
    static float scores[QUANTIZED_ROWS * CANDIDATES * 2];
    static int32_t selected[CANDIDATES * 2];
    static float bounds[CANDIDATES * 2];
    struct quantized_row rows[QUANTIZED_ROWS];
    int8_t cells[QUANTIZED_ROWS][FACTORS + QUANTIZED_CELLS];

    for (size_t i = 0; i < QUANTIZED_ROWS; i++) {
        rows[i].cells = cells[i];
        quantized_row_set(&rows[i], fixture->rows + (first + i) * FACTORS, FACTORS, packed->depth, 0.5F);
    }
    kernels->multiply(packed, 0, packed->rows, rows, scores, packed->rows);
    for (size_t i = 0; i < QUANTIZED_ROWS; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            size_t count = kernels->select(packed, 0, packed->rows, &rows[i], scores + i * packed->rows, (float)sign,
                                           -INFINITY, selected, bounds);

            assert_int_equal(count, packed->rows);
            for (size_t j = 0; j < CANDIDATES; j++) {
                double score = 0.5 * dot(fixture->rows + (first + i) * FACTORS, fixture->candidates + j * FACTORS);

                assert_int_equal(selected[j], j);
                assert_true(sign > 0 ? (double)bounds[j] >= score : (double)bounds[j] <= score);
            }
        }
    }
}

static void no_product_is_beyond_its_bounds(void **state)
{
    struct fixture *fixture = *state;
    const struct quantized_kernels *kinds[2];
    struct quantized packed;

    assert_int_equal(quantized_init(&packed, fixture->candidates, CANDIDATES, FACTORS, NULL), ERR_OK);
    for (size_t kind = 0, count = find_kernels(kinds); kind < count; kind++) {
        for (size_t first = 0; first + QUANTIZED_ROWS <= ROWS; first += QUANTIZED_ROWS)
            check_bounds(fixture, kinds[kind], &packed, first);
    }
    quantized_fini(&packed);
}

static void check_selection(const struct fixture *fixture, const struct quantized_kernels *kernels,
                            const struct quantized *packed)
{
    static float scores[QUANTIZED_ROWS * CANDIDATES * 2];
    static int32_t selected[CANDIDATES * 2];
    static float bounds[CANDIDATES * 2];
    const float *row = fixture->rows + (size_t)11 * FACTORS;
    int8_t cells[FACTORS + QUANTIZED_CELLS];
    struct quantized_row rows[QUANTIZED_ROWS];
    size_t count;

    rows[0].cells = cells;
    quantized_row_set(&rows[0], row, FACTORS, packed->depth, 1);
    for (size_t i = 1; i < QUANTIZED_ROWS; i++)
        rows[i] = rows[0];
    kernels->multiply(packed, 0, packed->rows, rows, scores, packed->rows);
    count = kernels->select(packed, 0, packed->rows, &rows[0], scores, 1, (float)dot(row, row), selected, bounds);
    assert_int_equal(count, 40); /* itself, forty times */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(selected[i], 400 + i);
}

static void only_bounds_that_reach_the_threshold_are_selected(void **state)
{
    struct fixture *fixture = *state;
    const struct quantized_kernels *kinds[2];
    struct quantized packed;

    assert_int_equal(quantized_init(&packed, fixture->candidates, CANDIDATES, FACTORS, NULL), ERR_OK);
    for (size_t kind = 0, count = find_kernels(kinds); kind < count; kind++)
        check_selection(fixture, kinds[kind], &packed);
    quantized_fini(&packed);
}

struct result {
    int32_t items[ROWS * N];
    float scores[ROWS * N];
    int32_t counts[ROWS];
};

/* kernels NULL: by SGEMM */
static void run(const struct top_search *search, struct result *result, const struct quantized_kernels *kernels)
{
    struct als_lists lists = {
        .rows = ROWS, .n = N, .items = result->items, .scores = result->scores, .counts = result->counts};
    struct top_search own = *search;

    memset(result, 0, sizeof *result);
    own.lists = &lists;
    assert_int_equal(kernels != NULL ? top_search_quantized(&own, kernels, NULL) : top_search_by_sgemm(&own, NULL),
                     ERR_OK);
}

static void check_lists(const struct result *got, const struct result *expected)
{
    for (size_t row = 0; row < ROWS; row++) {
        assert_int_equal(got->counts[row], expected->counts[row]);
        for (size_t i = row * N; i < row * N + (size_t)expected->counts[row]; i++) {
            assert_int_equal(got->items[i], expected->items[i]);
            assert_true(fabsf(got->scores[i] - expected->scores[i]) <= 1e-4F);
        }
    }
}

static void check_same_lists(const struct top_search *search)
{
    const struct quantized_kernels *kinds[2];
    static struct result expected;
    static struct result got;

    run(search, &expected, NULL);
    for (size_t kind = 0, count = find_kernels(kinds); kind < count; kind++) {
        run(search, &got, kinds[kind]);
        check_lists(&got, &expected);
    }
}

static struct top_search search_of(struct fixture *fixture)
{
    return (struct top_search){.pool = fixture->pool,
                               .factors = FACTORS,
                               .rows = fixture->rows,
                               .floor = -INFINITY,
                               .candidate_count = CANDIDATES,
                               .candidate_items = fixture->items,
                               .candidates = fixture->candidates};
}

static void the_lists_are_those_of_sgemm(void **state)
{
    struct top_search search = search_of(*state);

    check_same_lists(&search);
}

static void fewer_candidates_than_asked_for_are_all_listed(void **state)
{
    struct top_search search = search_of(*state);

    search.candidate_count = 5;
    check_same_lists(&search);
    search.candidate_count = 0;
    check_same_lists(&search);
}

static void floors_scales_and_oneself_count_as_with_sgemm(void **state)
{
    struct top_search search = search_of(*state);
    float scale[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        scale[i] = i % 7 == 0 ? 0 : 1 / (1 + (float)i);
    search.row_scale = scale;
    search.skips_itself = true;
    check_same_lists(&search);
    search.floor = 0.05F;
    check_same_lists(&search);
}

/* More candidates of one score than are remembered at a time. */
static void a_flood_of_equal_candidates_is_listed_by_number(void **state)
{
    enum { MANY = 5000 };
    struct top_search search = search_of(*state);
    float *alike = mem_zeroed((size_t)MANY * FACTORS, sizeof *alike);
    int32_t *items = mem_zeroed(MANY, sizeof *items);
    static struct result result;

    assert_true(alike != NULL && items != NULL);
    for (int32_t i = 0; i < MANY; i++) {
        memcpy(alike + (size_t)i * FACTORS, search.rows, FACTORS * sizeof(float));
        items[i] = i;
    }
    search.candidates = alike;
    search.candidate_items = items;
    search.candidate_count = MANY;
    run(&search, &result, quantized_is_fast() ? &quantized_kernels_vnni : &quantized_kernels_plain);
    for (int32_t i = 0; i < N; i++) {
        assert_int_equal(result.items[i], i);
        assert_int_equal(result.items[5 * N + i], i); /* the row of zeros */
    }
    free(alike);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_product_is_beyond_its_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_bounds_that_reach_the_threshold_are_selected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_lists_are_those_of_sgemm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fewer_candidates_than_asked_for_are_all_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floors_scales_and_oneself_count_as_with_sgemm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_equal_candidates_is_listed_by_number, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
