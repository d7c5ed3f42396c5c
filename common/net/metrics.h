/*
 * What a program counts and measures, printed in the text format 0.0.4 that Prometheus scrapes. A registry has
 * families, a family one series for each set of label values; their number is bounded. One thread; families live as
 * long as their registry.
 */
#ifndef COMMON_NET_METRICS_H
#define COMMON_NET_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/str.h"

enum { METRICS_MAX_LABELS = 4, METRICS_MAX_SERIES = 1000, METRICS_MAX_BOUNDS = 24 };

struct metrics;
struct metrics_family;

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* Borrowed as long as the registry lives: a constant. */
struct metrics_description {
    const char *name; /* recfleet_…, with its unit; a counter's ends in _total */
    const char *help;
    enum metrics_kind kind;
    const char *labels[METRICS_MAX_LABELS + 1]; /* ended by NULL */
    const double *bounds;                       /* of a histogram: upper ends of its buckets, ascending, without +Inf */
    size_t bound_count;                         /* at most METRICS_MAX_BOUNDS */
    size_t max_series;                          /* 0: METRICS_MAX_SERIES */
};

/* NULL when out of memory. */
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

/* Adds a family; one without labels shows from the start, with 0. NULL when out of memory, and then the registry is not
 * whole; the functions below do nothing with it. */
struct metrics_family *metrics_add(struct metrics *metrics, const struct metrics_description *description);
bool metrics_is_whole(const struct metrics *metrics);

/*
 * The labels' values in the family's order, as many as it has: METRICS_LABELS("POST", "202"), or NULL for none. Beyond
 * the bound, counters and histograms go to a series whose values are all "other"; gauges are dropped. Both are told by
 * recfleet_metrics_overflows_total.
 */
#define METRICS_LABELS(...) ((const char *const[]){__VA_ARGS__})

void metrics_increase(struct metrics_family *family, double by, const char *const *values);
void metrics_set(struct metrics_family *family, double value,
                 const char *const *values); /* or a count kept elsewhere */
void metrics_observe(struct metrics_family *family, double value, const char *const *values);

/* Forgets all series: for gauges that are read anew at each scrape. */
void metrics_clear(struct metrics_family *family);

/* Appends all families; false when out of memory. */
bool metrics_print(const struct metrics *metrics, struct str *out);

#endif
