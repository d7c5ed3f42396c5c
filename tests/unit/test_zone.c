#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/zone.h"

static void utc_is_known_everywhere_and_has_no_offset(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(setenv("TZDIR", "/nowhere", 1), 0);
    assert_true(zone_is_known("UTC"));
    assert_false(zone_is_known("Europe/Berlin"));
    assert_int_equal(zone_use("UTC", &err), ERR_OK);
    assert_int_equal(zone_offset_s(1767225600), 0);
    assert_int_equal(zone_use("Europe/Berlin", &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "Europe/Berlin"));
    assert_int_equal(unsetenv("TZDIR"), 0);
}

static void a_zone_has_its_offset_of_that_time(void **state)
{
    (void)state;
    if (!zone_is_known("Europe/Berlin")) {
        print_message("this machine has no data base of time zones\n");
        skip();
    }
    assert_int_equal(zone_use("Europe/Berlin", NULL), ERR_OK);
    assert_int_equal(zone_offset_s(1767225600), 3600); /* 2026-01-01 */
    assert_int_equal(zone_offset_s(1782864000), 7200); /* 2026-07-01 */
    assert_int_equal(zone_offset_s(1774745999), 3600); /* 2026-03-29 01:59:59, */
    assert_int_equal(zone_offset_s(1774746000), 7200); /* the last second before summer */
    assert_int_equal(zone_use("Asia/Kolkata", NULL), ERR_OK);
    assert_int_equal(zone_offset_s(1767225600), 19800);
    assert_int_equal(zone_use("UTC", NULL), ERR_OK);
    assert_int_equal(zone_offset_s(1767225600), 0);
}

static void what_is_no_name_of_a_zone_is_refused(void **state)
{
    static const char *const names[] = {"",       "Nowhere/Atall", "/etc/passwd", "../../../etc/passwd",
                                        "Europe", "CET-1;x",       "tzdata.zi"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(zone_is_known(names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_is_known_everywhere_and_has_no_offset),
        cmocka_unit_test(a_zone_has_its_offset_of_that_time),
        cmocka_unit_test(what_is_no_name_of_a_zone_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
