#include "worker/connect/folder_time.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"

enum { MOST_BYTES = 48, NORMAL_BYTES = 64, ZONE_BYTES = 8, DATE_BYTES = 10, MINUTES_BYTES = 16, MS_PER_S = 1000 };

static const int64_t least_ms = INT64_C(100000000000); /* as seconds the year 5138, as milliseconds 1973 */

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool parse_number(const char *text, int64_t *unix_s)
{
    int64_t whole;
    double real;

    if (str_to_int64(text, &whole))
        *unix_s = whole >= least_ms ? whole / MS_PER_S : whole;
    else if (str_to_double(text, &real) && real > -1e15 && real < 1e15)
        *unix_s = (int64_t)(real >= (double)least_ms ? real / MS_PER_S : real);
    else
        return false;
    return true;
}

/* Where the zone begins: behind the last of "hh:mm[:ss[.fraction]]", and the spaces that follow it. */
static size_t find_zone(const char *text, size_t length)
{
    size_t at = MINUTES_BYTES;

    while (at < length && (is_digit(text[at]) || text[at] == ':' || text[at] == '.'))
        at++;
    return at;
}

/* "Z", "UTC", "+hh", "+hhmm", "+hh:mm", or nothing, as "Z" or "+hh:mm" */
static void print_zone(char out[ZONE_BYTES], const char *zone)
{
    size_t length;

    while (*zone == ' ')
        zone++;
    length = strlen(zone);
    if (length == 0 || strcmp(zone, "UTC") == 0)
        (void)snprintf(out, ZONE_BYTES, "Z");
    else if (length == 3)
        (void)snprintf(out, ZONE_BYTES, "%.3s:00", zone);
    else if (length == 5)
        (void)snprintf(out, ZONE_BYTES, "%.3s:%.2s", zone, zone + 3);
    else
        (void)snprintf(out, ZONE_BYTES, "%.7s", zone);
}

/* Into the form that clock_parse_iso8601 reads. */
static bool normalize(char out[NORMAL_BYTES], const char *text, size_t length)
{
    char zone[ZONE_BYTES];
    size_t end;

    if (length == DATE_BYTES) {
        (void)snprintf(out, NORMAL_BYTES, "%.10sT00:00:00Z", text);
        return true;
    }
    if (length < MINUTES_BYTES || (text[DATE_BYTES] != ' ' && text[DATE_BYTES] != 'T'))
        return false;
    end = find_zone(text, length);
    print_zone(zone, text + end);
    (void)snprintf(out, NORMAL_BYTES, "%.*sT%.*s%s%s", DATE_BYTES, text, (int)(end - DATE_BYTES - 1),
                   text + DATE_BYTES + 1, end == MINUTES_BYTES ? ":00" : "", zone);
    return true;
}

bool folder_time_parse(const char *text, size_t length, int64_t *unix_s)
{
    char copy[MOST_BYTES];
    char normal[NORMAL_BYTES];
    int64_t unix_ms;

    if (length == 0 || length >= sizeof copy || memchr(text, '\0', length) != NULL)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (parse_number(copy, unix_s))
        return true;
    if (!normalize(normal, copy, length) || !clock_parse_iso8601(normal, &unix_ms))
        return false;
    *unix_s = unix_ms >= 0 ? unix_ms / MS_PER_S : -((MS_PER_S - 1 - unix_ms) / MS_PER_S);
    return true;
}
