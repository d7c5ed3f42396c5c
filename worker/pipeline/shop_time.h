/*
 * A moment as the shop's clock and calendar show it.
 */
#ifndef WORKER_PIPELINE_SHOP_TIME_H
#define WORKER_PIPELINE_SHOP_TIME_H

#include <stdint.h>

/* Seconds to add to a time in UTC for the shop's own; NULL: none. */
typedef int32_t (*shop_time_offset_fn)(int64_t unix_s);

struct shop_time {
    int64_t date_s; /* the day's beginning as if the calendar were UTC's: 2026-03-29 is 2026-03-29T00:00:00Z */
    int hour;       /* 0 to 23 */
    int weekday;    /* 0: Monday */
    int month;      /* 1: January */
};

/* Any time counts, also one before 1970. */
struct shop_time shop_time_of(int64_t unix_s, shop_time_offset_fn offset_s);

#endif
