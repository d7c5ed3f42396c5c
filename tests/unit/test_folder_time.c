#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/connect/folder_time.h"

struct time_case {
    const char *text;
    int64_t unix_s;
};

static void check(const struct time_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t unix_s = -1;

        if (!folder_time_parse(cases[i].text, strlen(cases[i].text), &unix_s))
            fail_msg("\"%s\" is not understood", cases[i].text);
        if (unix_s != cases[i].unix_s)
            fail_msg("\"%s\" is %lld", cases[i].text, (long long)unix_s);
    }
}

static void numbers_are_unix_seconds_or_milliseconds(void **state)
{
    static const struct time_case cases[] = {
        {"1767225600", 1767225600},    {"0", 0},
        {"1767225600.75", 1767225600}, {"1.7672256e9", 1767225600},
        {"1767225600123", 1767225600}, {"99999999999", 99999999999},
        {"100000000000", 100000000},   {"1767225600123.5", 1767225600},
    };

    (void)state;
    check(cases, sizeof cases / sizeof cases[0]);
}

static void iso_8601_is_read_in_the_forms_that_databases_write(void **state)
{
    static const struct time_case cases[] = {
        {"2026-01-01T00:00:00Z", 1767225600},
        {"2026-01-01", 1767225600},
        {"2026-01-01 00:00", 1767225600},
        {"2026-01-01T00:00", 1767225600},
        {"2026-01-01 00:00:01", 1767225601},
        {"2026-01-01 00:00:01.999", 1767225601},
        {"2026-01-01T02:00:00+02:00", 1767225600},
        {"2026-01-01T02:00:00+0200", 1767225600},
        {"2026-01-01 02:00:00+02", 1767225600},
        {"2026-01-01 00:00:00 UTC", 1767225600},
        {"2025-12-31 18:30:00-05:30", 1767225600},
        {"2026-01-01 02:00:00 +0200", 1767225600},
        {"2024-02-29", 1709164800},
        {"1969-12-31T23:59:59.5Z", -1},
    };

    (void)state;
    check(cases, sizeof cases / sizeof cases[0]);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "yesterday",
        "2026-13-01",
        "2026-02-30",
        "01/02/2026",
        "2026-01-01T",
        "2026-01-01 25:00",
        "2026-01-01T00:00:00+2",
        "2026-1-1",
        "2026-01-01x00:00",
        "2026-01-01 00:00 PM",
        "nan",
        "inf",
        "1e300",
        "2026-01-01T00:00:00.000000000000000000000000000000000000000Z",
    };
    int64_t unix_s;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (folder_time_parse(texts[i], strlen(texts[i]), &unix_s))
            fail_msg("\"%s\" is %lld", texts[i], (long long)unix_s);
    }
    assert_false(folder_time_parse("17\0", 3, &unix_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_unix_seconds_or_milliseconds),
        cmocka_unit_test(iso_8601_is_read_in_the_forms_that_databases_write),
        cmocka_unit_test(what_is_no_time_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
