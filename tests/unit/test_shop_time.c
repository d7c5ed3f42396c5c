#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/zone.h"
#include "worker/pipeline/shop_time.h"

struct moment {
    int64_t unix_s;
    struct shop_time local;
};

static void assert_moments(const struct moment *moments, size_t count, shop_time_offset_fn offset_s)
{
    for (size_t i = 0; i < count; i++) {
        struct shop_time found = shop_time_of(moments[i].unix_s, offset_s);
        const struct shop_time *expected = &moments[i].local;

        if (found.date_s != expected->date_s || found.hour != expected->hour || found.weekday != expected->weekday ||
            found.month != expected->month)
            fail_msg("%lld: date %lld, hour %d, weekday %d, month %d", (long long)moments[i].unix_s,
                     (long long)found.date_s, found.hour, found.weekday, found.month);
    }
}

#define ASSERT_MOMENTS(moments, offset_s) assert_moments((moments), sizeof(moments) / sizeof(moments)[0], (offset_s))

static void use_zone(const char *name)
{
    if (!zone_is_known(name)) {
        print_message("this machine has no data base of time zones\n");
        skip();
    }
    assert_int_equal(zone_use(name, NULL), ERR_OK);
}

static void without_a_zone_it_is_utc(void **state)
{
    static const struct moment moments[] = {
        {1767225600, {1767225600, 0, 3, 1}},   /* 2026-01-01T00:00:00, a Thursday */
        {1767225599, {1767139200, 23, 2, 12}}, /* and the second before */
        {1709164800, {1709164800, 0, 3, 2}},   /* 2024-02-29 */
        {0, {0, 0, 3, 1}},
        {-1, {-86400, 23, 2, 12}},
    };

    (void)state;
    ASSERT_MOMENTS(moments, NULL);
}

static void the_hour_that_summer_skips_is_nobodys(void **state)
{
    static const struct moment moments[] = {
        {1774745999, {1774742400, 1, 6, 3}}, /* 2026-03-29T00:59:59Z is 01:59:59, a Sunday */
        {1774746000, {1774742400, 3, 6, 3}}, /* a second later it is 03:00 */
        {1774821600, {1774828800, 0, 0, 3}}, /* 22:00Z is midnight already */
    };

    (void)state;
    use_zone("Europe/Berlin");
    ASSERT_MOMENTS(moments, zone_offset_s);
}

static void the_hour_that_autumn_repeats_is_twice_as_long(void **state)
{
    static const struct moment moments[] = {
        {1792888200, {1792886400, 2, 6, 10}}, /* 2026-10-25T00:30Z is 02:30 in summer */
        {1792891800, {1792886400, 2, 6, 10}}, /* an hour later it is 02:30 again */
        {1792895400, {1792886400, 3, 6, 10}},
    };

    (void)state;
    use_zone("Europe/Berlin");
    ASSERT_MOMENTS(moments, zone_offset_s);
}

static void a_zone_moves_the_day_the_month_and_the_year(void **state)
{
    static const struct moment berlin[] = {{1767223800, {1767225600, 0, 3, 1}}};    /* 2025-12-31T23:30Z */
    static const struct moment kolkata[] = {{1767205800, {1767225600, 0, 3, 1}},    /* 18:30Z is midnight */
                                            {1767205799, {1767139200, 23, 2, 12}}}; /* half hours count */
    static const struct moment new_york[] = {{1767225600, {1767139200, 19, 2, 12}}};

    (void)state;
    use_zone("Europe/Berlin");
    ASSERT_MOMENTS(berlin, zone_offset_s);
    use_zone("Asia/Kolkata");
    ASSERT_MOMENTS(kolkata, zone_offset_s);
    use_zone("America/New_York");
    ASSERT_MOMENTS(new_york, zone_offset_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_zone_it_is_utc),
        cmocka_unit_test(the_hour_that_summer_skips_is_nobodys),
        cmocka_unit_test(the_hour_that_autumn_repeats_is_twice_as_long),
        cmocka_unit_test(a_zone_moves_the_day_the_month_and_the_year),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
