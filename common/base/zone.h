/*
 * The time zone of the process (TZ, tzset): a name of the IANA data base. Times themselves stay unix seconds. Choose it
 * once, before threads start.
 */
#ifndef COMMON_BASE_ZONE_H
#define COMMON_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

/* Whether this machine knows the zone; UTC it always does. */
bool zone_is_known(const char *name);

/* Makes it the zone of the process. ERR_CONFIG: there is no such zone. */
enum err_code zone_use(const char *name, struct err *err) MUST_CHECK;

/* Seconds to add to a time in UTC for that of the zone in use. */
int32_t zone_offset_s(int64_t unix_s);

#endif
