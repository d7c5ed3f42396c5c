#include "common/base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAST_YEAR = 9999 };

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    if (clock_gettime(id, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_unix_ms(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

struct clock_source clock_system(void)
{
    return (struct clock_source){.unix_ms = system_unix_ms, .monotonic_ms = system_monotonic_ms, .context = NULL};
}

int64_t clock_unix_ms(const struct clock_source *source)
{
    return source->unix_ms(source->context);
}

int64_t clock_monotonic_ms(const struct clock_source *source)
{
    return source->monotonic_ms(source->context);
}

/* `digits` digits and what follows them; the place behind. */
static char *put_number(char *out, int value, int digits, char then)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[digits] = then;
    return out + digits + 1;
}

void clock_format_iso8601(char *out, int64_t unix_ms)
{
    int64_t seconds = unix_ms / 1000;
    int64_t millis = unix_ms % 1000;
    struct tm utc;
    time_t when;

    if (millis < 0) {
        millis += 1000;
        seconds--;
    }
    when = (time_t)seconds;
    if (gmtime_r(&when, &utc) == NULL || utc.tm_year < -1900 || utc.tm_year > LAST_YEAR - 1900)
        utc = (struct tm){.tm_year = -1900, .tm_mon = -1};
    out = put_number(out, utc.tm_year + 1900, 4, '-');
    out = put_number(out, utc.tm_mon + 1, 2, '-');
    out = put_number(out, utc.tm_mday, 2, 'T');
    out = put_number(out, utc.tm_hour, 2, ':');
    out = put_number(out, utc.tm_min, 2, ':');
    out = put_number(out, utc.tm_sec, 2, '.');
    out = put_number(out, (int)millis, 3, 'Z');
    *out = '\0';
}

/* Reads exactly `digits` digits at *text and steps over them. */
static bool read_digits(const char **text, int digits, int *out)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)**text))
            return false;
        value = value * 10 + (**text - '0');
        (*text)++;
    }
    *out = value;
    return true;
}

static bool read_char(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

/* ".123" and longer, cut to milliseconds; nothing is 0. */
static bool read_fraction(const char **text, int *millis)
{
    int scale = 100;

    *millis = 0;
    if (**text != '.')
        return true;
    (*text)++;
    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++) {
        *millis += (**text - '0') * scale;
        scale /= 10;
    }
    return true;
}

static bool read_zone(const char **text, int *offset_minutes)
{
    int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;

    *offset_minutes = 0;
    if (read_char(text, 'Z'))
        return true;
    if (**text != '+' && **text != '-')
        return false;
    (*text)++;
    if (!read_digits(text, 2, &hours) || !read_char(text, ':') || !read_digits(text, 2, &minutes) || hours > 14 ||
        minutes > 59)
        return false;
    *offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool clock_parse_iso8601(const char *text, int64_t *unix_ms)
{
    struct tm utc = {0};
    struct tm normal;
    int year;
    int millis;
    int offset_minutes;
    time_t when;

    if (!read_digits(&text, 4, &year) || !read_char(&text, '-') || !read_digits(&text, 2, &utc.tm_mon) ||
        !read_char(&text, '-') || !read_digits(&text, 2, &utc.tm_mday) || !read_char(&text, 'T') ||
        !read_digits(&text, 2, &utc.tm_hour) || !read_char(&text, ':') || !read_digits(&text, 2, &utc.tm_min) ||
        !read_char(&text, ':') || !read_digits(&text, 2, &utc.tm_sec) || !read_fraction(&text, &millis) ||
        !read_zone(&text, &offset_minutes) || *text != '\0')
        return false;
    utc.tm_year = year - 1900;
    utc.tm_mon--;
    normal = utc;
    when = timegm(&normal);
    if (normal.tm_mon != utc.tm_mon || normal.tm_mday != utc.tm_mday || normal.tm_hour != utc.tm_hour ||
        normal.tm_min != utc.tm_min)
        return false; /* 31 February and the like */
    *unix_ms = ((int64_t)when - (int64_t)offset_minutes * 60) * 1000 + millis;
    return true;
}
