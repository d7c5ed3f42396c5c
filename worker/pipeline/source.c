#include "worker/pipeline/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void source_count_bad(struct source_counts *counts, const char *reason, const char *format, ...)
{
    struct source_bad *bad = counts->bad;
    struct source_bad *last = &counts->bad[SOURCE_BAD_REASONS - 1];
    va_list args;

    while (bad < last && bad->reason != NULL && strcmp(bad->reason, reason) != 0)
        bad++;
    bad->reason = reason;
    if (bad->count < SOURCE_BAD_SAMPLES) {
        va_start(args, format);
        (void)vsnprintf(bad->samples[bad->count], sizeof bad->samples[0], format, args);
        va_end(args);
    }
    bad->count++;
}

size_t source_bad_total(const struct source_counts *counts)
{
    size_t total = 0;

    for (size_t i = 0; i < SOURCE_BAD_REASONS; i++)
        total += counts->bad[i].count;
    return total;
}
