#include "worker/pipeline/shop_time.h"

#include <stddef.h>
#include <time.h>

enum { DAY_S = 86400, HOUR_S = 3600, WEEKDAYS = 7, SUNDAY_TO_MONDAY = 6 };

struct shop_time shop_time_of(int64_t unix_s, shop_time_offset_fn offset_s)
{
    time_t local_s = (time_t)(unix_s + (offset_s != NULL ? offset_s(unix_s) : 0));
    struct shop_time out = {.month = 1};
    struct tm calendar;
    int64_t second_of_day;

    if (gmtime_r(&local_s, &calendar) == NULL)
        return out; /* a year that no int can hold */
    second_of_day = ((int64_t)local_s % DAY_S + DAY_S) % DAY_S;
    out.date_s = (int64_t)local_s - second_of_day;
    out.hour = (int)(second_of_day / HOUR_S);
    out.weekday = (calendar.tm_wday + SUNDAY_TO_MONDAY) % WEEKDAYS;
    out.month = calendar.tm_mon + 1;
    return out;
}
