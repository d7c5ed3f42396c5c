/*
 * Times as exports write them: unix seconds or ISO 8601.
 */
#ifndef WORKER_CONNECT_FOLDER_TIME_H
#define WORKER_CONNECT_FOLDER_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Unix seconds (a fraction is cut off; from 10^11 on they are milliseconds), or ISO 8601: "2026-01-31", "2026-01-31
 * 13:45", "2026-01-31T13:45:10.5+02:00"; also +0200, +02 and UTC as the zone. Without a zone it is UTC.
 */
bool folder_time_parse(const char *text, size_t length, int64_t *unix_s);

#endif
