#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/job/job_params.h"

static enum err_code check_as(enum job_type type, const char *name, const char *value, struct err *err)
{
    char text[256];
    struct json *params = NULL;
    enum err_code rc;

    (void)snprintf(text, sizeof text, "{\"%s\":%s}", name, value);
    assert_int_equal(json_value_parse(&params, text, strlen(text), err), ERR_OK);
    rc = job_params_check(type, params, err);
    json_value_destroy(params);
    return rc;
}

static enum job_type first_type(const struct job_param *param)
{
    return (enum job_type)__builtin_ctz(param->types);
}

static void assert_passes(const struct job_param *param, const char *value)
{
    struct err err;

    if (check_as(first_type(param), param->name, value, &err) != ERR_OK)
        fail_msg("%s = %s: %s", param->name, value, err.message);
}

static void assert_refused(const struct job_param *param, const char *value)
{
    struct err err;

    if (check_as(first_type(param), param->name, value, &err) != ERR_ARGUMENT)
        fail_msg("%s = %s passes", param->name, value);
    assert_non_null(strstr(err.message, param->name));
}

static void assert_number_refused(const struct job_param *param, double value)
{
    char text[64];

    (void)snprintf(text, sizeof text, param->kind == JOB_PARAM_INT ? "%.0f" : "%.17g", value);
    assert_refused(param, text);
}

static void both_ends_of_every_range_pass_and_nothing_beyond(void **state)
{
    size_t count;
    const struct job_param *table = job_params_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct job_param *param = &table[i];
        double step = param->kind == JOB_PARAM_INT ? 1 : (param->high - param->low) / 1e6;
        char text[64];

        if (param->kind != JOB_PARAM_INT && param->kind != JOB_PARAM_REAL)
            continue;
        (void)snprintf(text, sizeof text, "%.17g", param->low);
        assert_passes(param, text);
        (void)snprintf(text, sizeof text, "%.17g", param->high);
        assert_passes(param, text);
        assert_number_refused(param, param->low - step);
        assert_number_refused(param, param->high + step);
    }
}

static void other_kinds_of_values_are_refused(void **state)
{
    static const char *const others[] = {"null", "[1]", "{\"a\":1}"};
    size_t count;
    const struct job_param *table = job_params_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct job_param *param = &table[i];

        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++)
            assert_refused(param, others[j]);
        if (param->kind == JOB_PARAM_INT)
            assert_refused(param, "1.5");
        if (param->kind != JOB_PARAM_BOOL)
            assert_refused(param, "true");
        if (param->kind != JOB_PARAM_TEXT)
            assert_refused(param, "\"no such value\"");
        if (param->kind != JOB_PARAM_INT && param->kind != JOB_PARAM_REAL)
            assert_refused(param, "1");
    }
}

static void a_number_as_a_text_is_refused_with_its_reason(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(check_as(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "factors", "\"64\"", &err), ERR_ARGUMENT);
    assert_string_equal(err.message, "parameter factors must be a whole number from 1 to 4096, not a text");
}

static void the_type_is_named_where_a_parameter_is_not_its(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(check_as(JOB_CROSS_SELL, "factors", "64", &err), ERR_ARGUMENT);
    assert_string_equal(err.message, "a job of type cross_sell has no parameter \"factors\"");
    assert_int_equal(check_as(JOB_WAREHOUSE, "publish", "true", &err), ERR_ARGUMENT);
    assert_int_equal(check_as(JOB_CROSS_SELL, "session_hours", "12", NULL), ERR_OK);
}

static void of_several_parameters_one_that_is_bad_is_found(void **state)
{
    struct json *params = NULL;
    struct err err;

    (void)state;
    assert_int_equal(json_value_parse(&params, "{\"factors\":64,\"seed\":-1,\"alpha\":1}", 34, NULL), ERR_OK);
    assert_int_equal(job_params_check(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, params, &err), ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "seed"));
    json_value_destroy(params);
}

static void names_are_unique_and_each_belongs_somewhere(void **state)
{
    size_t count;
    const struct job_param *table = job_params_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        unsigned types = table[i].types & ((1u << JOB_PARAM_LISTS) - 1);
        unsigned lists = table[i].types >> JOB_PARAM_LISTS;

        assert_true(types != 0 && types < 1u << JOB_TYPE_COUNT);
        assert_int_equal(lists & ~types, 0);
        assert_true(table[i].meaning[0] != '\0');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(table[i].name, table[j].name);
    }
}

static void each_default_is_a_value_that_passes(void **state)
{
    static const char *const in_words[] = {"namespace", "now", "params_from"};
    size_t count;
    const struct job_param *table = job_params_table(&count);
    struct err err;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct json *params = json_value_new_object();
        bool is_in_words = false;

        for (size_t j = 0; j < sizeof in_words / sizeof in_words[0]; j++)
            is_in_words = is_in_words || strcmp(table[i].name, in_words[j]) == 0;
        if (!is_in_words &&
            job_params_set_text(params, first_type(&table[i]), table[i].name, table[i].fallback, &err) != ERR_OK)
            fail_msg("%s", err.message);
        json_value_destroy(params);
    }
}

/* Scripts of others use these (architecture.md, Build and black-box interface). */
static void the_stable_names_are_there(void **state)
{
    static const char *const given[][2] = {
        {"factors", "64"},      {"regularization", ".005"}, {"alpha", "800"},
        {"iterations", "35"},   {"solver", "cholesky"},     {"seed", "42"},
        {"profile", "service"}, {"namespace", "shop"},      {"window_days", "0"},
        {"publish", "false"},   {"force", "true"},          {"warm_start", "off"},
        {"now", "1767225600"},  {"repeat_decay", "each"},   {"precision", "fp32"},
        {"cg_steps", "3"},      {"tolerance", ".001"},      {"regularization_scaling", "frequency"},
    };
    struct json *params = json_value_new_object();
    struct err err;
    bool truth = true;

    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (job_params_set_text(params, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, given[i][0], given[i][1], &err) != ERR_OK)
            fail_msg("%s", err.message);
    }
    assert_int_equal(json_value_count(params), sizeof given / sizeof given[0]);
    assert_int_equal(job_params_check(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, params, NULL), ERR_OK);
    assert_true(json_value_get_bool(params, "warm_start", &truth));
    assert_false(truth);
    json_value_destroy(params);
}

static void assert_message(enum job_type type, const char *name, const char *value, const char *expected)
{
    struct err err;

    assert_int_equal(check_as(type, name, value, &err), ERR_ARGUMENT);
    assert_string_equal(err.message, expected);
}

static void a_search_takes_lists_and_a_training_does_not(void **state)
{
    static const enum job_type search = JOB_HYPERPARAMETER_SEARCH;
    char many[512] = "[1";

    (void)state;
    assert_int_equal(check_as(search, "factors", "[64,128]", NULL), ERR_OK);
    assert_int_equal(check_as(search, "factors", "64", NULL), ERR_OK);
    assert_int_equal(check_as(search, "solver", "[\"exact\",\"cg\"]", NULL), ERR_OK);
    assert_int_equal(check_as(search, "alpha", "[1,0.5]", NULL), ERR_OK);
    assert_message(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "factors", "[64]",
                   "parameter factors must be a whole number from 1 to 4096");
    assert_message(search, "seed", "[1]", "parameter seed must be a whole number from 0 to 9007199254740991");
    assert_message(search, "factors", "[]", "parameter factors: a list has 1 to 64 values, not 0");
    assert_message(search, "factors", "[64,0]", "parameter factors must be a whole number from 1 to 4096");
    assert_message(search, "factors", "[[64]]", "parameter factors must be a whole number from 1 to 4096");
    assert_message(search, "alpha", "[1,2,1.0]", "parameter alpha: values 1 and 3 are the same");
    assert_message(search, "solver", "[\"cg\",\"cg\"]", "parameter solver: values 1 and 2 are the same");
    assert_message(search, "solver", "[\"cg\",1]", "parameter solver must be one of exact, cg, cholesky");
    for (int i = 2; i <= 65; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",%d%s", i, i == 65 ? "]" : "");
    assert_message(search, "factors", many, "parameter factors: a list has 1 to 64 values, not 65");
}

static void a_list_as_text_has_commas(void **state)
{
    static const enum job_type search = JOB_HYPERPARAMETER_SEARCH;
    static const char *const wrong[][2] = {{"factors", "64,"},     {"factors", ",64"}, {"factors", "64,,128"},
                                           {"factors", "64, 128"}, {"seed", "1,2"},    {"solver", "exact,best"},
                                           {"alpha", "1,2,1"},     {"factors", ","},   {"validation", "time,random"}};
    struct json *params = json_value_new_object();
    const struct json *list;
    double real;

    (void)state;
    assert_int_equal(job_params_set_text(params, search, "regularization", ".005,30,1e2", NULL), ERR_OK);
    list = json_value_get(params, "regularization");
    assert_int_equal(json_value_count(list), 3);
    assert_true(json_value_to_double(json_value_at(list, 2), &real) && real == 100);
    assert_int_equal(job_params_set_text(params, search, "regularization", "30", NULL), ERR_OK);
    assert_int_equal(json_value_kind(json_value_get(params, "regularization")), JSON_KIND_REAL);
    assert_int_equal(job_params_set_text(params, search, "solver", "exact,cg", NULL), ERR_OK);
    assert_int_equal(json_value_count(json_value_get(params, "solver")), 2);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err;

        if (job_params_set_text(params, search, wrong[i][0], wrong[i][1], &err) != ERR_ARGUMENT)
            fail_msg("%s=%s passes", wrong[i][0], wrong[i][1]);
        assert_non_null(strstr(err.message, wrong[i][0]));
    }
    assert_int_equal(job_params_set_text(params, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "factors", "64,128", NULL),
                     ERR_ARGUMENT);
    json_value_destroy(params);
}

static void what_goes_with_another_validation_is_refused(void **state)
{
    static const struct {
        const char *params;
        const char *found; /* in the message; NULL: it passes */
    } cases[] = {
        {"{\"bm25\":\"before\"}", "parameter bm25"},
        {"{\"bm25\":\"before\",\"validation\":\"time\"}", "parameter bm25"},
        {"{\"bm25\":\"before\",\"validation\":\"random\"}", NULL},
        {"{\"test_days\":7}", NULL},
        {"{\"test_days\":7,\"validation\":\"last_out\"}", "parameter test_days goes with validation time, not last"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *params = NULL;
        struct err err = {0};
        enum err_code rc;

        assert_int_equal(json_value_parse(&params, cases[i].params, strlen(cases[i].params), NULL), ERR_OK);
        rc = job_params_check(JOB_HYPERPARAMETER_SEARCH, params, &err);
        assert_int_equal(rc, cases[i].found != NULL ? ERR_ARGUMENT : ERR_OK);
        assert_true(cases[i].found == NULL || strstr(err.message, cases[i].found) != NULL);
        json_value_destroy(params);
    }
}

static void a_namespace_has_a_length(void **state)
{
    struct json *params = json_value_new_object();
    struct str text = {0};

    (void)state;
    for (int i = 0; i < 63; i++)
        str_append_char(&text, 'n');
    assert_int_equal(job_params_set_text(params, JOB_WAREHOUSE, "namespace", text.text, NULL), ERR_OK);
    str_append_char(&text, 'n');
    assert_int_equal(job_params_set_text(params, JOB_WAREHOUSE, "namespace", text.text, NULL), ERR_ARGUMENT);
    assert_int_equal(check_as(JOB_WAREHOUSE, "namespace", "\"a\\u0000b\"", NULL), ERR_ARGUMENT);
    str_fini(&text);
    json_value_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_of_every_range_pass_and_nothing_beyond),
        cmocka_unit_test(other_kinds_of_values_are_refused),
        cmocka_unit_test(a_number_as_a_text_is_refused_with_its_reason),
        cmocka_unit_test(the_type_is_named_where_a_parameter_is_not_its),
        cmocka_unit_test(of_several_parameters_one_that_is_bad_is_found),
        cmocka_unit_test(names_are_unique_and_each_belongs_somewhere),
        cmocka_unit_test(each_default_is_a_value_that_passes),
        cmocka_unit_test(the_stable_names_are_there),
        cmocka_unit_test(a_search_takes_lists_and_a_training_does_not),
        cmocka_unit_test(a_list_as_text_has_commas),
        cmocka_unit_test(what_goes_with_another_validation_is_refused),
        cmocka_unit_test(a_namespace_has_a_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
