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
#include "worker/als/cpu/row_heavy.h"

enum { FACTORS = 150, ITEMS = 700 };

static const float ALPHA = 800;

/* Values by their confidence at alpha 800. */
static const float HIGH = 3.7F;        /* c = 2960 */
static const float MIDDLE = 0.01F;     /* c = 8 */
static const float ONE = 1 / 800.0F;   /* c = 1, d = 0 */
static const float LOW = 0.0004F;      /* c = .32 */
static const float DISLIKED = -2;      /* c = 1600, preference 0 */
static const float FAINTLY = -0.0005F; /* c = .4, preference 0 */

struct row_class {
    const char *name;
    struct {
        float value;
        size_t count;
    } parts[4];
};

/* Of more than f entries any, of fewer those that are mostly weak. */
static const struct row_class heavy[] = {
    {"all weak", {{LOW, 70}, {MIDDLE, 60}}},
    {"few strong", {{HIGH, 20}, {LOW, 60}, {MIDDLE, 40}, {ONE, 20}}},
    {"disliked", {{DISLIKED, 15}, {FAINTLY, 80}, {HIGH, 5}, {LOW, 40}}},
    {"more than f, few strong", {{HIGH, 40}, {LOW, 200}, {MIDDLE, 100}}},
    {"more than f, all strong", {{HIGH, 160}, {DISLIKED, 40}}},
    {"more than f, many strong", {{HIGH, 200}, {LOW, 300}, {FAINTLY, 40}}},
    {"more than f of c = 1", {{ONE, 160}}},
};

enum { CLASSES = sizeof heavy / sizeof heavy[0] };

struct fixture {
    struct csr rows;
    float *v; /* ITEMS x f, V'V <= I */
    double *gram;
    struct als_params params;
    struct row_dual *dual;
    struct row_heavy *heavy;
    float d[ITEMS];
    float b[ITEMS];
    struct confidence_row row;
};

static void make_rows(struct csr *csr)
{
    float *values = mem_zeroed((size_t)CLASSES * ITEMS, sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < (size_t)CLASSES * ITEMS; i++)
        values[i] = NAN;
    for (size_t row = 0; row < CLASSES; row++) {
        size_t column = row * 13;

        for (size_t part = 0; part < 4; part++) {
            for (size_t i = 0; i < heavy[row].parts[part].count; i++, column += 11)
                values[row * ITEMS + column % ITEMS] = heavy[row].parts[part].value;
        }
    }
    als_reference_csr(csr, values, CLASSES, ITEMS);
    free(values);
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);

    assert_non_null(fixture);
    make_rows(&fixture->rows);
    fixture->v = mem_zeroed((size_t)ITEMS * FACTORS, sizeof(float));
    fixture->gram = mem_zeroed((size_t)FACTORS * FACTORS, sizeof(double));
    assert_true(fixture->v != NULL && fixture->gram != NULL);
    als_reference_fill(fixture->v, (size_t)ITEMS * FACTORS, 0.05F, 2);
    fixture->params = (struct als_params){.factors = FACTORS, .regularization = 1, .alpha = (double)ALPHA};
    fixture->row = (struct confidence_row){.d = fixture->d, .b = fixture->b};
    assert_int_equal(row_dual_create(&fixture->dual, FACTORS - 1, FACTORS, NULL), ERR_OK);
    assert_int_equal(row_heavy_create(&fixture->heavy, fixture->dual, ITEMS, FACTORS, NULL), ERR_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    row_heavy_destroy(fixture->heavy);
    row_dual_destroy(fixture->dual);
    csr_fini(&fixture->rows);
    free(fixture->v);
    free(fixture->gram);
    free(fixture);
    return 0;
}

static void check_classes(struct fixture *fixture)
{
    for (size_t i = 0; i < CLASSES; i++) {
        double expected[FACTORS];
        float t[FACTORS];
        double error;

        confidence_fill(&fixture->row, &fixture->rows, i, ALPHA);
        als_reference_row(expected, &fixture->rows, i, fixture->v, fixture->gram, &fixture->params);
        if (!row_heavy_solve(fixture->heavy, &fixture->row, fixture->v, t))
            fail_msg("row class '%s' is not solved", heavy[i].name);
        error = als_reference_error(t, expected, FACTORS);
        if (!(error < 2e-4))
            fail_msg("row class '%s': relative error %g", heavy[i].name, error);
    }
}

static void rows_of_many_entries_are_solved(void **state)
{
    check_classes(*state);
}

static void rows_are_solved_where_every_second_item_is_a_copy(void **state)
{
    struct fixture *fixture = *state;

    for (size_t item = 1; item < ITEMS; item += 2)
        memcpy(fixture->v + item * FACTORS, fixture->v + (item - 1) * FACTORS, FACTORS * sizeof(float));
    check_classes(fixture);
}

static void a_row_of_strong_entries_below_f_is_left_to_the_dual_form(void **state)
{
    struct fixture *fixture = *state;
    float t[FACTORS];

    confidence_fill(&fixture->row, &fixture->rows, 4, ALPHA); /* all strong */
    fixture->row.count = FACTORS - 10;
    assert_false(row_heavy_solve(fixture->heavy, &fixture->row, fixture->v, t));
}

static void what_is_not_positive_definite_is_not_solved(void **state)
{
    struct fixture *fixture = *state;
    float t[FACTORS];

    als_reference_fill(fixture->v, (size_t)ITEMS * FACTORS, 5, 2); /* V'V > I, which A0 would not let be */
    for (size_t i = 0; i < CLASSES; i++) {
        confidence_fill(&fixture->row, &fixture->rows, i, ALPHA);
        for (size_t j = 0; j < fixture->row.count; j++)
            fixture->d[j] = -0.9F;
        assert_false(row_heavy_solve(fixture->heavy, &fixture->row, fixture->v, t));
    }
    fixture->v[0] = NAN;
    confidence_fill(&fixture->row, &fixture->rows, 0, ALPHA);
    assert_false(row_heavy_solve(fixture->heavy, &fixture->row, fixture->v, t));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_of_many_entries_are_solved),
        TEST(rows_are_solved_where_every_second_item_is_a_copy),
        TEST(a_row_of_strong_entries_below_f_is_left_to_the_dual_form),
        TEST(what_is_not_positive_definite_is_not_solved),
    };

    (void)argc;
    als_choose_blas_kernels(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
