#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/err.h"

static void setting_an_error_gives_its_code_back(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(ERR_SET(&err, ERR_IO, "open %s", "x"), ERR_IO);
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(err.message, "open x");
    assert_non_null(strstr(err.file, "test_err.c"));
    assert_true(err.line > 0);
    assert_int_equal(ERR_SET(NULL, ERR_FORMAT, "nobody listens"), ERR_FORMAT);
}

static void a_long_message_is_cut(void **state)
{
    char text[2 * ERR_MESSAGE_BYTES];
    struct err err;

    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)ERR_SET(&err, ERR_IO, "%s", text);
    assert_int_equal(strlen(err.message), ERR_MESSAGE_BYTES - 1);
    assert_int_equal(err_wrap(&err, "%s", text), ERR_IO);
    assert_int_equal(strlen(err.message), ERR_MESSAGE_BYTES - 1);
}

static void wrapping_puts_context_before_the_message(void **state)
{
    struct err err;

    (void)state;
    (void)ERR_SET(&err, ERR_NETWORK, "reset");
    assert_int_equal(err_wrap(&err, "page %d", 3), ERR_NETWORK);
    assert_string_equal(err.message, "page 3: reset");
    assert_int_equal(err_wrap(NULL, "x"), ERR_INTERNAL);
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++)
        assert_int_equal(err_code_from_name(err_code_name((enum err_code)code)), code);
    assert_string_equal(err_code_name((enum err_code)999), "internal");
    assert_int_equal(err_code_from_name("no such code"), ERR_INTERNAL);
}

static void what_may_pass_is_transient_and_nothing_else(void **state)
{
    (void)state;
    assert_true(err_is_transient(ERR_NETWORK));
    assert_true(err_is_transient(ERR_UNAVAILABLE));
    assert_true(err_is_transient(ERR_DEVICE_BUSY));
    assert_false(err_is_transient(ERR_FORMAT));
    assert_false(err_is_transient(ERR_CONFIG));
    assert_false(err_is_transient(ERR_NO_DATA));
    assert_false(err_is_transient(ERR_GUARD));
    assert_false(err_is_transient(ERR_REMOTE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_gives_its_code_back),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(wrapping_puts_context_before_the_message),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(what_may_pass_is_transient_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
