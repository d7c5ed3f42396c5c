#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"

static void times_are_written_in_utc_with_milliseconds(void **state)
{
    char text[CLOCK_ISO8601_BYTES];

    (void)state;
    clock_format_iso8601(text, 1767225600007);
    assert_string_equal(text, "2026-01-01T00:00:00.007Z");
    clock_format_iso8601(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    clock_format_iso8601(text, -62135596800000);
    assert_string_equal(text, "0001-01-01T00:00:00.000Z");
}

static void times_beyond_four_digits_of_years_are_none(void **state)
{
    static const int64_t times[] = {253402300800000, INT64_MAX - INT64_MAX % 1000, -62167219201000};
    char text[CLOCK_ISO8601_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        clock_format_iso8601(text, times[i]);
        assert_string_equal(text, "0000-00-00T00:00:00.000Z");
    }
}

static void what_is_written_is_read_back(void **state)
{
    static const int64_t times[] = {0, 1767225600123, 951782400000, -1, 253402300799999};
    char text[CLOCK_ISO8601_BYTES];
    int64_t read;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        clock_format_iso8601(text, times[i]);
        assert_true(clock_parse_iso8601(text, &read));
        assert_int_equal(read, times[i]);
    }
}

static void fractions_and_zones_are_read(void **state)
{
    int64_t read;

    (void)state;
    assert_true(clock_parse_iso8601("2026-01-01T00:00:00Z", &read));
    assert_int_equal(read, 1767225600000);
    assert_true(clock_parse_iso8601("2026-01-01T02:30:00.5+02:30", &read));
    assert_int_equal(read, 1767225600500);
    assert_true(clock_parse_iso8601("2025-12-31T19:00:00.123456789-05:00", &read));
    assert_int_equal(read, 1767225600123);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "yesterday",
        "2026-01-01 00:00:00Z",
        "2026-01-01T24:30:00Z",
        "2026-01-01T00:00:00+15:00",
        "2026-01-01T00:00:00.Z",
    };
    int64_t read;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(clock_parse_iso8601(bad[i], &read));
}

static void the_system_clock_goes_on(void **state)
{
    struct clock_source clock = clock_system();
    int64_t before = clock_monotonic_ms(&clock);

    (void)state;
    assert_true(clock_unix_ms(&clock) > 1700000000000);
    assert_true(clock_monotonic_ms(&clock) >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(times_beyond_four_digits_of_years_are_none),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(fractions_and_zones_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(the_system_clock_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
