/* Two reports side by side, as JSON and as the command line shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/cli_compare.h"
#include "gateway/report_compare.h"
#include "tests/support/failing_memory.h"

static const char first[] =
    "{\"id\":\"A\",\"type\":\"homepage_and_similar_products\",\"namespace\":\"toys\",\"seconds\":10.5,\"published\":"
    "true,"
    "\"stages\":[{\"name\":\"fetch\",\"seconds\":1.5,\"rows_in\":1000,\"rows_out\":900},"
    "{\"name\":\"als\",\"seconds\":8.0,\"rows_in\":900,\"rows_out\":90}],"
    "\"matrix\":{\"users\":400,\"density\":0.5,\"percentiles\":{\"50\":0.25}},\"published_counts\":{\"homepage_keys\":"
    "41},"
    "\"counts\":{\"variant\":\"intended\",\"fetch\":{\"rows\":900}},\"als\":{\"solver\":\"exact\",\"factors\":800},"
    "\"loss\":[0.5,0.25],\"metrics\":{\"k\":10,\"als\":{\"ndcg\":0.2}},"
    "\"samples\":{\"user\":{\"user_uid\":\"ann\",\"recommended\":[{\"product_id\":1},{\"product_id\":2},"
    "{\"product_id\":3},{\"product_id\":4}]},\"top_overall\":[{\"product_id\":7}],"
    "\"similar\":{\"product_id\":5,\"similar\":[{\"product_id\":6}]}}}";

static const char second[] =
    "{\"id\":\"B\",\"type\":\"homepage_and_similar_products\",\"namespace\":\"toys\",\"seconds\":12,\"published\":"
    "false,"
    "\"error\":{\"message\":\"no room\"},"
    "\"stages\":[{\"name\":\"fetch\",\"seconds\":2.0,\"rows_in\":1100,\"rows_out\":950},"
    "{\"name\":\"matrix\",\"seconds\":1.0,\"rows_in\":950,\"rows_out\":95}],"
    "\"matrix\":{\"users\":380,\"density\":0.25},\"als\":{\"solver\":\"cg\",\"factors\":64},"
    "\"loss\":[0.5,0.125],\"metrics\":null,"
    "\"samples\":{\"user\":{\"user_uid\":\"ann\",\"recommended\":[{\"product_id\":2},{\"product_id\":1},"
    "{\"product_id\":9}]},\"similar\":{\"product_id\":6,\"similar\":[{\"product_id\":6}]}}}";

static struct json *parse(const char *text)
{
    struct json *value;

    assert_int_equal(json_value_parse(&value, text, strlen(text), NULL), ERR_OK);
    return value;
}

static struct json *compare(const char *a, const char *b)
{
    struct json *one = parse(a);
    struct json *other = parse(b);
    struct json *made = report_compare_make(one, other);

    json_value_destroy(one);
    json_value_destroy(other);
    assert_non_null(made);
    return made;
}

/* The entry of a list with that name, as text; "" where there is none. Static buffer. */
static const char *entry(const struct json *comparison, const char *list, const char *name)
{
    static char out[1024];

    out[0] = '\0';
    for (size_t i = 0; i < json_value_count(json_value_get(comparison, list)); i++) {
        const struct json *found = json_value_at(json_value_get(comparison, list), i);
        char *text;

        if (strcmp(json_value_get_text(found, "name"), name) != 0)
            continue;
        text = json_value_print(found, false, 0);
        (void)strncpy(out, text, sizeof out - 1);
        free(text);
    }
    return out;
}

static void figures_stand_beside_each_other_with_their_change(void **state)
{
    struct json *made = compare(first, second);

    (void)state;
    assert_string_equal(entry(made, "counts", "matrix.users"),
                        "{\"name\":\"matrix.users\",\"a\":400,\"b\":380,\"change\":-20}");
    assert_string_equal(entry(made, "counts", "matrix.density"),
                        "{\"name\":\"matrix.density\",\"a\":0.5,\"b\":0.25,\"change\":-0.25}");
    assert_string_equal(entry(made, "counts", "matrix.percentiles.50"),
                        "{\"name\":\"matrix.percentiles.50\",\"a\":0.25,\"b\":null,\"change\":null}");
    assert_string_equal(entry(made, "counts", "fetch.rows"),
                        "{\"name\":\"fetch.rows\",\"a\":900,\"b\":null,\"change\":null}");
    assert_string_equal(entry(made, "counts", "variant"), "");
    assert_string_equal(entry(made, "parameters", "factors"),
                        "{\"name\":\"factors\",\"a\":800,\"b\":64,\"change\":-736}");
    assert_string_equal(entry(made, "metrics", "als.ndcg"),
                        "{\"name\":\"als.ndcg\",\"a\":0.2,\"b\":null,\"change\":null}");
    json_value_destroy(made);
    made = compare(second, first);
    assert_string_equal(entry(made, "counts", "published_counts.homepage_keys"),
                        "{\"name\":\"published_counts.homepage_keys\",\"a\":null,\"b\":41,\"change\":null}");
    json_value_destroy(made);
}

static void stages_are_matched_by_name(void **state)
{
    struct json *made = compare(first, second);

    (void)state;
    assert_int_equal(json_value_count(json_value_get(made, "stages")), 3);
    assert_string_equal(entry(made, "stages", "fetch"),
                        "{\"name\":\"fetch\",\"a\":{\"seconds\":1.5,\"rows_in\":1000,\"rows_out\":900},"
                        "\"b\":{\"seconds\":2.0,\"rows_in\":1100,\"rows_out\":950}}");
    assert_string_equal(entry(made, "stages", "als"),
                        "{\"name\":\"als\",\"a\":{\"seconds\":8.0,\"rows_in\":900,\"rows_out\":90},\"b\":null}");
    assert_string_equal(entry(made, "stages", "matrix"),
                        "{\"name\":\"matrix\",\"a\":null,\"b\":{\"seconds\":1.0,\"rows_in\":950,\"rows_out\":95}}");
    json_value_destroy(made);
}

static void lists_of_one_subject_overlap(void **state)
{
    struct json *made = compare(first, second);

    (void)state;
    assert_string_equal(entry(made, "samples", "user.recommended"),
                        "{\"subject\":{\"a\":\"ann\",\"b\":\"ann\"},\"name\":\"user.recommended\",\"a\":[1,2,3,4],"
                        "\"b\":[2,1,9],\"common\":2,\"overlap\":0.5}");
    assert_string_equal(entry(made, "samples", "similar.similar"),
                        "{\"subject\":{\"a\":5,\"b\":6},\"name\":\"similar.similar\",\"a\":[6],\"b\":[6],"
                        "\"common\":null,\"overlap\":null}");
    assert_string_equal(entry(made, "samples", "top_overall"),
                        "{\"subject\":{\"a\":null,\"b\":null},\"name\":\"top_overall\",\"a\":[7],\"b\":null,"
                        "\"common\":null,\"overlap\":null}");
    json_value_destroy(made);
}

static void reports_with_nothing_in_them_are_compared(void **state)
{
    static const char *const odd[] = {"{}", "[]", "null",
                                      "{\"stages\":[1,{}],\"loss\":[],\"matrix\":[],\"samples\":3,\"als\":\"x\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct json *made = compare(odd[i], first);

        assert_int_equal(json_value_count(json_value_get(made, "stages")), 2);
        json_value_destroy(made);
        made = compare(first, odd[i]);
        assert_string_equal(entry(made, "counts", "matrix.users"),
                            "{\"name\":\"matrix.users\",\"a\":400,\"b\":null,\"change\":null}");
        json_value_destroy(made);
    }
}

static void the_command_line_shows_a_b_and_the_change(void **state)
{
    const struct cli_style plain = {0};
    struct json *made = compare(first, second);
    struct str text = {0};

    (void)state;
    cli_compare_append(&plain, &text, made);
    assert_false(text.failed);
    assert_non_null(strstr(text.text, "a  A  homepage_and_similar_products of toys"));
    assert_non_null(strstr(text.text, "failed after 12 s"));
    assert_non_null(strstr(text.text, "-20 (-5.0 %)"));
    assert_non_null(strstr(text.text, "after the last iteration"));
    assert_non_null(strstr(text.text, "-0.125 (-50.0 %)"));
    assert_non_null(strstr(text.text, "user.recommended"));
    assert_non_null(strstr(text.text, "50 %"));
    str_fini(&text);
    json_value_destroy(made);
}

static void a_lack_of_memory_makes_no_half_comparison(void **state)
{
    struct json *one = parse(first);
    struct json *other = parse(second);
    struct json *whole = report_compare_make(one, other);
    char *expected = json_value_print(whole, false, 0);
    size_t n = 0;

    (void)state;
    do {
        struct json *made;

        assert_true(++n < 10000);
        failing_memory_set(n);
        made = report_compare_make(one, other);
        failing_memory_set(0);
        assert_true(made == NULL ? failing_memory_has_failed() : !failing_memory_has_failed());
        if (made != NULL) {
            char *text = json_value_print(made, false, 0);

            assert_string_equal(text, expected);
            free(text);
        }
        json_value_destroy(made);
    } while (failing_memory_has_failed());
    free(expected);
    json_value_destroy(whole);
    json_value_destroy(one);
    json_value_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_stand_beside_each_other_with_their_change),
        cmocka_unit_test(stages_are_matched_by_name),
        cmocka_unit_test(lists_of_one_subject_overlap),
        cmocka_unit_test(reports_with_nothing_in_them_are_compared),
        cmocka_unit_test(the_command_line_shows_a_b_and_the_change),
        cmocka_unit_test(a_lack_of_memory_makes_no_half_comparison),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
