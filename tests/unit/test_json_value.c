#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/json_value.h"

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s", err.message);
    return value;
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    static const char *const bad[] = {"", "{", "{\"a\":1,}", "[1] 2", "{\"a\":1,\"a\":2}", "nul", "\"\xff\""};
    struct json *value = NULL;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(json_value_parse(&value, bad[i], strlen(bad[i]), &err), ERR_FORMAT);
        assert_null(value);
        assert_non_null(strstr(err.message, "line 1 column"));
    }
    assert_int_equal(json_value_parse_lenient(&value, "{\"a\":1,\"a\":2}", 13, NULL), ERR_OK);
    json_value_destroy(value);
}

static void members_are_read_by_kind(void **state)
{
    struct json *value =
        parse("{\"i\":9007199254740993,\"r\":0.5,\"t\":\"x\\u0000y\",\"b\":true,\"n\":null,\"a\":[1,2]}");
    int64_t integer;
    double real;
    bool truth;

    (void)state;
    assert_true(json_value_get_int64(value, "i", &integer) && integer == 9007199254740993);
    assert_true(json_value_get_double(value, "r", &real) && real == 0.5);
    assert_true(json_value_get_double(value, "i", &real));
    assert_false(json_value_get_int64(value, "r", &integer));
    assert_int_equal(json_value_text_length(json_value_get(value, "t")), 3);
    assert_true(json_value_get_bool(value, "b", &truth) && truth);
    assert_int_equal(json_value_kind(json_value_get(value, "n")), JSON_KIND_NULL);
    assert_int_equal(json_value_count(json_value_get(value, "a")), 2);
    json_value_destroy(value);
}

static void what_is_missing_is_null_all_the_way(void **state)
{
    int64_t integer;

    (void)state;
    assert_null(json_value_get(json_value_get(NULL, "a"), "b"));
    assert_null(json_value_at(NULL, 3));
    assert_null(json_value_text(NULL));
    assert_int_equal(json_value_count(NULL), 0);
    assert_false(json_value_to_int64(NULL, &integer));
    assert_int_equal(json_value_kind(NULL), JSON_KIND_NULL);
    json_value_destroy(NULL);
}

static void a_share_outlives_the_whole(void **state)
{
    struct json *whole = parse("{\"a\":{\"b\":[1,\"two\"]}}");
    struct json *share = json_value_share(json_value_get(whole, "a"));
    char *text;

    (void)state;
    assert_ptr_equal(share, json_value_get(whole, "a"));
    json_value_destroy(whole);
    text = json_value_print(share, false, 0);
    assert_string_equal(text, "{\"b\":[1,\"two\"]}");
    free(text);
    json_value_destroy(share);
    assert_null(json_value_share(NULL));
}

static void values_are_built_and_printed(void **state)
{
    struct json *object = json_value_new_object();
    struct json *array = json_value_new_array();
    struct json *copy;
    char *text;

    (void)state;
    assert_true(json_value_set_int(object, "b", 2) && json_value_set_text(object, "a", "x\xff") &&
                json_value_set_null(object, "n") && json_value_set_bool(object, "t", false));
    assert_true(json_value_append(array, json_value_new_real(0.25)));
    assert_true(json_value_append(array, json_value_new_real(1.0 / 0.0)));
    assert_true(json_value_set(object, "list", array));
    assert_false(json_value_set(object, "nothing", NULL));
    text = json_value_print(object, true, 0);
    assert_string_equal(text, "{\"a\":\"x\xef\xbf\xbd\",\"b\":2,\"list\":[0.25,null],\"n\":null,\"t\":false}");
    free(text);
    copy = json_value_dup(object);
    json_value_remove(copy, "list");
    assert_int_equal(json_value_count(copy), 4);
    assert_int_equal(json_value_count(object), 5);
    assert_true(json_value_merge(copy, object));
    assert_int_equal(json_value_count(copy), 5);
    json_value_destroy(copy);
    json_value_destroy(object);
}

/* Their keys are sorted, so that the two ways of printing must agree to the byte. */
static void one_line_is_printed_as_the_library_would(void **state)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "[[],{},[{}]]",
                                        "null",
                                        "true",
                                        "\"\"",
                                        "-0.0",
                                        "0.0",
                                        "1e300",
                                        "1E-7",
                                        "-1.5e-300",
                                        "123456789012345678",
                                        "1.0",
                                        "100000000000000000000.0",
                                        "0.1",
                                        "1.7976931348623157e308",
                                        "5e-324",
                                        "-9223372036854775808",
                                        "\"plain\"",
                                        "\"\\u0000\\u0001\\b\\f\\n\\r\\t\\u001f\\\"\\\\\\/\\u007f\"",
                                        "\"\\u00e4\\u20ac\\ud83d\\ude00\"",
                                        "{\"\":1,\"a\\nb\":[1,2.5,\"x\",null,false],\"c\":{\"d\":{\"e\":[{}]}}}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json *value = parse(texts[i]);
        char *sorted = json_value_print(value, true, 0);
        char *text = json_value_print(value, false, 0);

        assert_string_equal(text, sorted);
        free(text);
        free(sorted);
        json_value_destroy(value);
    }
    assert_null(json_value_print(NULL, false, 0));
}

static void reals_are_printed_as_the_library_would(void **state)
{
    uint64_t bits = 88172645463325252;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double real;
        struct json *value;
        char *sorted;
        char *text;

        bits ^= bits << 13; /* xorshift64 */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&real, &bits, sizeof real);
        value = json_value_new_real(real);
        sorted = json_value_print(value, true, 0);
        text = json_value_print(value, false, 0);
        assert_string_equal(text, sorted);
        free(text);
        free(sorted);
        json_value_destroy(value);
    }
}

static bool count_members(void *context, const char *key, const struct json *value)
{
    int *count = context;

    (void)key;
    (void)value;
    return ++*count < 2;
}

static void walking_stops_when_told(void **state)
{
    struct json *object = parse("{\"a\":1,\"b\":2,\"c\":3}");
    int count = 0;

    (void)state;
    json_value_each(object, count_members, &count);
    assert_int_equal(count, 2);
    json_value_destroy(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(members_are_read_by_kind),
        cmocka_unit_test(what_is_missing_is_null_all_the_way),
        cmocka_unit_test(a_share_outlives_the_whole),
        cmocka_unit_test(values_are_built_and_printed),
        cmocka_unit_test(one_line_is_printed_as_the_library_would),
        cmocka_unit_test(reals_are_printed_as_the_library_would),
        cmocka_unit_test(walking_stops_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
