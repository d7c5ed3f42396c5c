#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/job/job.h"
#include "common/job/job_new.h"
#include "common/job/job_params.h"

static int64_t fixed_ms(void *context)
{
    return *(const int64_t *)context;
}

static void names_and_values_go_both_ways(void **state)
{
    enum job_type type;
    enum job_state job_state;

    (void)state;
    for (int i = 0; i < JOB_TYPE_COUNT; i++) {
        assert_true(job_type_parse(job_type_name((enum job_type)i), &type));
        assert_int_equal(type, i);
    }
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        assert_true(job_state_parse(job_state_name((enum job_state)i), &job_state));
        assert_int_equal(job_state, i);
    }
    assert_false(job_type_parse("training", &type));
    assert_false(job_type_parse(NULL, &type));
    assert_false(job_state_parse("done", &job_state));
    assert_true(job_state_is_terminal(JOB_SUPERSEDED));
    assert_false(job_state_is_terminal(JOB_RETRYING));
}

static void ids_are_ulids_and_sort_by_time(void **state)
{
    int64_t now = 1767225600000;
    struct clock_source clock = {.unix_ms = fixed_ms, .monotonic_ms = fixed_ms, .context = &now};
    char first[JOB_ID_BYTES];
    char second[JOB_ID_BYTES];
    char later[JOB_ID_BYTES];

    (void)state;
    assert_int_equal(job_id_generate(first, &clock, NULL), ERR_OK);
    assert_int_equal(job_id_generate(second, &clock, NULL), ERR_OK);
    now++;
    assert_int_equal(job_id_generate(later, &clock, NULL), ERR_OK);
    assert_true(job_id_is_valid(first));
    assert_memory_equal(first, "01KDVDNA00", 10); /* 48 bits of 1767225600000 in Crockford's base 32 */
    assert_string_not_equal(first, second);
    assert_true(strcmp(first, later) < 0 && strcmp(second, later) < 0);
    assert_false(job_id_is_valid("01KDVGEG00"));
    assert_false(job_id_is_valid("01KDVGEG00IIIIIIIIIIIIIIII"));
    assert_false(job_id_is_valid("01KDVGEG00AAAAAAAAAAAAAAAAA"));
}

/* Also where the clock is set back a little; by a lot, the ids follow it. */
static void ids_of_a_source_ascend(void **state)
{
    int64_t now = 1767225600000;
    struct clock_source clock = {.unix_ms = fixed_ms, .monotonic_ms = fixed_ms, .context = &now};
    struct job_id_source source = {0};
    char last[JOB_ID_BYTES] = "";
    char next[JOB_ID_BYTES];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        now += i % 7 == 0 ? 1 : i % 11 == 0 ? -1 : 0;
        assert_int_equal(job_id_next(next, &source, &clock, NULL), ERR_OK);
        assert_true(job_id_is_valid(next));
        assert_true(strcmp(last, next) < 0);
        memcpy(last, next, sizeof last);
    }
    now -= 3600000;
    assert_int_equal(job_id_next(next, &source, &clock, NULL), ERR_OK);
    assert_true(strcmp(last, next) > 0);
}

static void an_id_behind_the_last_of_a_millisecond_is_drawn_anew(void **state)
{
    int64_t now = 1767225600000;
    struct clock_source clock = {.unix_ms = fixed_ms, .monotonic_ms = fixed_ms, .context = &now};
    struct job_id_source source = {.unix_ms = now};
    char id[JOB_ID_BYTES];

    (void)state;
    memset(source.chance, 0xff, sizeof source.chance);
    source.chance[sizeof source.chance - 1] = 0xfe;
    assert_int_equal(job_id_next(id, &source, &clock, NULL), ERR_OK);
    assert_string_equal(id, "01KDVDNA00ZZZZZZZZZZZZZZZZ");
    assert_int_equal(job_id_next(id, &source, &clock, NULL), ERR_OK);
    assert_memory_equal(id, "01KDVDNA00", 10);
    assert_string_not_equal(id, "01KDVDNA000000000000000000");
}

static void a_view_shows_the_id_and_nothing_internal(void **state)
{
    struct job_request request = {.id = "01KE0YGV0000000000000000AA",
                                  .type = JOB_CROSS_SELL,
                                  .shop = "shop",
                                  .queue = "train",
                                  .requested_by = "key",
                                  .fingerprint = "f"};
    struct json *document = job_document_create(&request, 1767225600000);
    struct json *view = job_document_view(document);

    (void)state;
    assert_string_equal(json_value_get_text(view, "id"), request.id);
    assert_string_equal(json_value_get_text(view, "state"), "accepted");
    assert_string_equal(json_value_get_text(view, "created_at"), "2026-01-01T00:00:00.000Z");
    assert_string_equal(json_value_get_text(json_value_get(view, "links"), "self"),
                        "/v1/jobs/01KE0YGV0000000000000000AA");
    assert_string_equal(json_value_get_text(json_value_get(view, "links"), "cancel"),
                        "/v1/jobs/01KE0YGV0000000000000000AA/cancel");
    assert_string_equal(json_value_get_text(json_value_get(view, "links"), "events"),
                        "/v1/jobs/01KE0YGV0000000000000000AA/events");
    assert_string_equal(json_value_get_text(json_value_get(view, "links"), "report"),
                        "/v1/jobs/01KE0YGV0000000000000000AA/report");
    assert_null(json_value_get(view, "_id"));
    assert_null(json_value_get(view, "fingerprint"));
    assert_null(json_value_get(view, "fence"));
    json_value_destroy(view);
    json_value_destroy(document);
}

static void assert_printed_as(const struct str *text, struct json *value)
{
    char *wanted = json_value_print(value, false, 0);

    assert_non_null(value);
    assert_false(text->failed);
    assert_string_equal(text->text, wanted);
    free(wanted);
    json_value_destroy(value);
}

static void assert_new_job_is_printed(const struct job_request *request, enum job_state state)
{
    static const int64_t now_ms = 1767225600000;
    struct json *document = job_document_create(request, now_ms);
    struct job_new job;
    struct str text = {0};

    assert_true(job_new_init(&job, request, now_ms));
    job_new_print_document(&text, &job);
    assert_printed_as(&text, json_value_dup(document));
    str_clear(&text);
    assert_true(json_value_set_text(document, "state", job_state_name(state)));
    job_new_print_view(&text, &job, state);
    assert_printed_as(&text, job_document_view(document));
    str_fini(&text);
    job_new_fini(&job);
    json_value_destroy(document);
}

static void a_new_job_is_printed_to_the_byte(void **state)
{
    struct json *params = json_value_new_object();
    struct job_request request = {.id = "01KE0YGV0000000000000000AA",
                                  .type = JOB_WAREHOUSE,
                                  .shop = "a \"shop\"",
                                  .queue = "train",
                                  .requested_by = "key",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct job_new job;
    struct str text = {0};

    (void)state;
    assert_new_job_is_printed(&request, JOB_QUEUED);
    assert_true(json_value_set_text(params, "namespace", "a \"shop\"") && json_value_set_real(params, "alpha", 1.5));
    request.params = params;
    request.run_at_ms = 1;
    request.idempotency_hash = "h";
    request.fingerprint = "f";
    assert_new_job_is_printed(&request, JOB_SCHEDULED);
    assert_true(job_new_init(&job, &request, 1));
    json_value_destroy(params); /* it has its own */
    job_new_print_args(&text, &job);
    assert_string_equal(
        text.text, "{\"params\":{\"namespace\":\"a \\\"shop\\\"\",\"alpha\":1.5},\"namespace\":\"a \\\"shop\\\"\"}");
    str_fini(&text);
    job_new_fini(&job);
}

static enum err_code check(const char *text, struct err *err)
{
    struct json *params = NULL;
    enum err_code rc;

    assert_int_equal(json_value_parse(&params, text, strlen(text), NULL), ERR_OK);
    rc = job_params_check(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, params, err);
    json_value_destroy(params);
    return rc;
}

static void good_parameters_pass(void **state)
{
    (void)state;
    assert_int_equal(check("{\"factors\":64,\"regularization\":0.01,\"alpha\":40,\"publish\":false,\"solver\":\"cg\","
                           "\"now\":1767225600,\"window_days\":0,\"namespace\":\"shop\",\"seed\":42}",
                           NULL),
                     ERR_OK);
    assert_int_equal(check("null", NULL), ERR_OK);
    assert_int_equal(check("{}", NULL), ERR_OK);
}

static void bad_parameters_are_named(void **state)
{
    static const char *const bad[][2] = {
        {"{\"factor\":1}", "\"factor\""},
        {"{\"factors\":0}", "factors must be a whole number from 1 to 4096"},
        {"{\"factors\":1.5}", "factors"},
        {"{\"factors\":\"64\"}", "factors"},
        {"{\"alpha\":-1}", "alpha"},
        {"{\"publish\":1}", "publish must be true or false"},
        {"{\"solver\":\"lu\"}", "exact, cg"},
        {"{\"namespace\":\"\"}", "namespace"},
        {"{\"session_hours\":1}", "session_hours"},
        {"[1]", "object"},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(check(bad[i][0], &err), ERR_ARGUMENT);
        assert_non_null(strstr(err.message, bad[i][1]));
    }
}

static void texts_become_values_of_their_kind(void **state)
{
    struct json *params = json_value_new_object();
    enum job_type type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS;
    char *text;

    (void)state;
    assert_int_equal(job_params_set_text(params, type, "factors", "64", NULL), ERR_OK);
    assert_int_equal(job_params_set_text(params, type, "alpha", ".5", NULL), ERR_OK);
    assert_int_equal(job_params_set_text(params, type, "publish", "no", NULL), ERR_OK);
    assert_int_equal(job_params_set_text(params, type, "solver", "cg", NULL), ERR_OK);
    text = json_value_print(params, true, 0);
    assert_string_equal(text, "{\"alpha\":0.5,\"factors\":64,\"publish\":false,\"solver\":\"cg\"}");
    free(text);
    assert_int_equal(job_params_set_text(params, type, "factors", "many", NULL), ERR_ARGUMENT);
    assert_int_equal(job_params_set_text(params, type, "factors", "9999", NULL), ERR_ARGUMENT);
    assert_int_equal(job_params_set_text(params, type, "colour", "red", NULL), ERR_ARGUMENT);
    assert_int_equal(job_params_set_text(params, JOB_WAREHOUSE, "factors", "64", NULL), ERR_ARGUMENT);
    json_value_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_go_both_ways),
        cmocka_unit_test(ids_are_ulids_and_sort_by_time),
        cmocka_unit_test(ids_of_a_source_ascend),
        cmocka_unit_test(an_id_behind_the_last_of_a_millisecond_is_drawn_anew),
        cmocka_unit_test(a_view_shows_the_id_and_nothing_internal),
        cmocka_unit_test(a_new_job_is_printed_to_the_byte),
        cmocka_unit_test(good_parameters_pass),
        cmocka_unit_test(bad_parameters_are_named),
        cmocka_unit_test(texts_become_values_of_their_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
