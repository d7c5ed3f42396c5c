#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_store_mongo_bson.h"

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s", err.message);
    return value;
}

static void assert_reads_as(const bson_t *bson, const char *expected)
{
    struct json *value = NULL;
    char *text;

    assert_int_equal(job_store_mongo_from_bson(&value, bson, NULL), ERR_OK);
    text = json_value_print(value, false, 0);
    assert_string_equal(text, expected);
    free(text);
    json_value_destroy(value);
}

static void all_that_json_holds_comes_back(void **state)
{
    static const char text[] = "{\"_id\":\"x\",\"int\":-9223372036854775808,\"real\":0.1,\"whole\":3.0,\"yes\":true,"
                               "\"no\":false,\"null\":null,"
                               "\"text\":\"\u00e4\\u0000\\\"\",\"list\":[1,[],{\"a\":[null,\"b\"]}],\"object\":{\"c\":{"
                               "},\"$oid\":\"y\",\"d.e\":2}}";
    struct json *value = parse(text);
    bson_t *bson = NULL;

    (void)state;
    assert_int_equal(job_store_mongo_to_bson(&bson, value, NULL), ERR_OK);
    assert_reads_as(bson, text);
    bson_destroy(bson);
    json_value_destroy(value);
}

static void only_times_of_the_top_level_become_dates(void **state)
{
    struct json *value = parse("{\"a_at\":\"2026-01-01T00:00:00.001Z\",\"b_at\":null,\"_at\":\"no time\","
                               "\"in\":{\"c_at\":\"no time\"}}");
    bson_t *bson = NULL;
    bson_iter_t iter;

    (void)state;
    assert_int_equal(job_store_mongo_to_bson(&bson, value, NULL), ERR_OK);
    assert_true(bson_iter_init_find(&iter, bson, "a_at"));
    assert_int_equal(bson_iter_type(&iter), BSON_TYPE_DATE_TIME);
    assert_int_equal(bson_iter_date_time(&iter), 1767225600001);
    assert_reads_as(bson, "{\"a_at\":\"2026-01-01T00:00:00.001Z\",\"b_at\":null,\"_at\":\"no time\","
                          "\"in\":{\"c_at\":\"no time\"}}");
    bson_destroy(bson);
    json_value_destroy(value);
}

static void what_is_no_time_is_refused(void **state)
{
    struct json *value = parse("{\"a_at\":\"yesterday\"}");
    bson_t *bson = NULL;
    struct err err;

    (void)state;
    assert_int_equal(job_store_mongo_to_bson(&bson, value, &err), ERR_FORMAT);
    assert_non_null(strstr(err.message, "a_at"));
    assert_null(bson);
    json_value_destroy(value);
}

static void what_json_has_no_word_for_is_null(void **state)
{
    bson_oid_t oid;
    bson_t *bson = bson_new();

    (void)state;
    bson_oid_init(&oid, NULL);
    assert_true(BSON_APPEND_OID(bson, "_id", &oid));
    assert_true(BSON_APPEND_INT32(bson, "i", 7));
    assert_true(BSON_APPEND_DOUBLE(bson, "r", 1.0 / 0.0));
    assert_reads_as(bson, "{\"_id\":null,\"i\":7,\"r\":null}");
    bson_destroy(bson);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_json_holds_comes_back),
        cmocka_unit_test(only_times_of_the_top_level_become_dates),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_json_has_no_word_for_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
