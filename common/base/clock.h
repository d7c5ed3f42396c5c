/*
 * Time. What waits or measures takes a struct clock, so that tests turn the hands themselves.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLOCK_ISO8601_BYTES = 32 };

/* A source of time, passed by value; the functions get `context` back. */
struct clock_source {
    int64_t (*unix_ms)(void *context);      /* wall clock, milliseconds since 1970 UTC */
    int64_t (*monotonic_ms)(void *context); /* never goes back, any origin */
    void *context;
};

/* The machine's own clock. */
struct clock_source clock_system(void);

int64_t clock_unix_ms(const struct clock_source *source);
int64_t clock_monotonic_ms(const struct clock_source *source);

/* "2026-01-01T00:00:00.000Z" into out[CLOCK_ISO8601_BYTES]. */
void clock_format_iso8601(char *out, int64_t unix_ms);

/* Reads that form (fraction optional, `Z` or ±hh:mm required). */
bool clock_parse_iso8601(const char *text, int64_t *unix_ms);

#endif
