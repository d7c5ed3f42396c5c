#include "common/net/metrics.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { KEY_BYTES = 96 /* of most series */ };

struct series {
    char *key; /* the labels' values, each with its terminator */
    size_t key_length;
    double value;     /* of a histogram: the sum */
    uint64_t *counts; /* of a histogram: by bucket, not cumulated, +Inf last */
};

struct metrics_family {
    struct metrics *metrics;
    struct metrics_family *next;
    const struct metrics_description *description;
    size_t label_count;
    struct series *series; /* in the order they came */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* a hash table of 1 + index into series; 0: free. At most half full. */
    size_t slot_count;
};

struct metrics {
    struct metrics_family *first;
    struct metrics_family *last;
    uint64_t overflows;
    bool incomplete;
};

struct metrics *metrics_create(void)
{
    return mem_zeroed(1, sizeof(struct metrics));
}

static void forget_series(struct metrics_family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        free(family->series[i].key);
        free(family->series[i].counts);
    }
    family->count = 0;
    if (family->slots != NULL)
        memset(family->slots, 0, family->slot_count * sizeof *family->slots);
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (struct metrics_family *family = metrics->first, *next; family != NULL; family = next) {
        next = family->next;
        forget_series(family);
        free(family->series);
        free(family->slots);
        free(family);
    }
    free(metrics);
}

/* FNV-1a */
static uint32_t hash(const char *bytes, size_t length)
{
    uint32_t value = 2166136261u;

    for (size_t i = 0; i < length; i++)
        value = (value ^ (unsigned char)bytes[i]) * 16777619u;
    return value;
}

/* Where the key is, or the free slot where it would be. */
static uint32_t *find_slot(const struct metrics_family *family, const char *key, size_t length)
{
    size_t mask = family->slot_count - 1;

    for (size_t at = hash(key, length) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &family->slots[at];
        const struct series *series = *slot != 0 ? &family->series[*slot - 1] : NULL;

        if (series == NULL || (series->key_length == length && memcmp(series->key, key, length) == 0))
            return slot;
    }
}

static bool grow_slots(struct metrics_family *family)
{
    size_t wanted = family->slot_count > 0 ? family->slot_count * 2 : 8;
    uint32_t *slots = mem_zeroed(wanted, sizeof *slots);

    if (slots == NULL)
        return false;
    free(family->slots);
    family->slots = slots;
    family->slot_count = wanted;
    for (size_t i = 0; i < family->count; i++)
        *find_slot(family, family->series[i].key, family->series[i].key_length) = (uint32_t)i + 1;
    return true;
}

static struct series *add_series(struct metrics_family *family, const char *key, size_t length)
{
    const struct metrics_description *description = family->description;
    struct series *series;

    if ((family->count + 1) * 2 > family->slot_count && !grow_slots(family))
        return NULL;
    if (mem_grow(&family->series, &family->capacity, family->count + 1, sizeof *family->series, NULL) != ERR_OK)
        return NULL;
    series = &family->series[family->count];
    *series = (struct series){.key = mem_zeroed(length + 1, 1), .key_length = length};
    if (description->kind == METRICS_HISTOGRAM)
        series->counts = mem_zeroed(description->bound_count + 1, sizeof *series->counts);
    if (series->key == NULL || (description->kind == METRICS_HISTOGRAM && series->counts == NULL)) {
        free(series->key);
        free(series->counts);
        return NULL;
    }
    memcpy(series->key, key, length);
    *find_slot(family, key, length) = (uint32_t)++family->count;
    return series;
}

static void append_values(const struct metrics_family *family, const char *const *values, struct str *key)
{
    str_reserve(key, KEY_BYTES);
    str_append(key, "", 0);
    for (size_t i = 0; i < family->label_count; i++)
        str_append(key, values != NULL ? values[i] : "other",
                   (values != NULL ? strlen(values[i]) : strlen("other")) + 1);
}

/* The series of these values, made where there is none; NULL over the bound or out of memory. */
static struct series *get_series(struct metrics_family *family, const char *const *values, size_t bound)
{
    struct str key = {0};
    struct series *series = NULL;

    append_values(family, values, &key);
    if (!key.failed && family->slot_count > 0) {
        uint32_t at = *find_slot(family, key.text, key.length);

        series = at != 0 ? &family->series[at - 1] : NULL;
    }
    if (!key.failed && series == NULL && family->count < bound)
        series = add_series(family, key.text, key.length);
    str_fini(&key);
    return series;
}

static struct series *touch(struct metrics_family *family, const char *const *values)
{
    const struct metrics_description *description = family->description;
    size_t bound = description->max_series > 0 ? description->max_series : METRICS_MAX_SERIES;
    struct series *series = get_series(family, values, bound);

    if (series != NULL)
        return series;
    family->metrics->overflows++;
    return description->kind == METRICS_GAUGE ? NULL : get_series(family, NULL, bound + 1);
}

struct metrics_family *metrics_add(struct metrics *metrics, const struct metrics_description *description)
{
    struct metrics_family *family = mem_zeroed(1, sizeof *family);

    if (family == NULL) {
        metrics->incomplete = true;
        return NULL;
    }
    family->metrics = metrics;
    family->description = description;
    while (family->label_count < METRICS_MAX_LABELS && description->labels[family->label_count] != NULL)
        family->label_count++;
    if (metrics->last != NULL)
        metrics->last->next = family;
    else
        metrics->first = family;
    metrics->last = family;
    if (family->label_count == 0 && get_series(family, NULL, 1) == NULL)
        metrics->incomplete = true;
    return family;
}

bool metrics_is_whole(const struct metrics *metrics)
{
    return !metrics->incomplete;
}

void metrics_increase(struct metrics_family *family, double by, const char *const *values)
{
    struct series *series = family != NULL ? touch(family, values) : NULL;

    if (series != NULL)
        series->value += by;
}

void metrics_set(struct metrics_family *family, double value, const char *const *values)
{
    struct series *series = family != NULL ? touch(family, values) : NULL;

    if (series != NULL)
        series->value = value;
}

void metrics_observe(struct metrics_family *family, double value, const char *const *values)
{
    struct series *series = family != NULL ? touch(family, values) : NULL;
    size_t bucket = 0;

    if (series == NULL || series->counts == NULL)
        return;
    while (bucket < family->description->bound_count && !(value <= family->description->bounds[bucket]))
        bucket++;
    series->counts[bucket]++;
    series->value += value;
}

void metrics_clear(struct metrics_family *family)
{
    if (family != NULL)
        forget_series(family);
}

/* The text format */

static void append_escaped(struct str *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            str_append_text(out, "\\n");
        else if (*text == '\\')
            str_append_text(out, "\\\\");
        else if (*text == '"' && quotes)
            str_append_text(out, "\\\"");
        else
            str_append_char(out, *text);
    }
}

/* The shortest text that reads back as the same number. */
static void append_number(struct str *out, double value)
{
    char text[40];

    if (isnan(value)) {
        str_append_text(out, "NaN");
        return;
    }
    if (isinf(value)) {
        str_append_text(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    str_append_text(out, text);
}

/* {method="GET",le="0.5"}; le NULL: none */
static void append_labels(struct str *out, const struct metrics_family *family, const struct series *series,
                          const double *le)
{
    const char *value = series->key;

    if (family->label_count == 0 && le == NULL)
        return;
    str_append_char(out, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        str_append_format(out, "%s%s=\"", i > 0 ? "," : "", family->description->labels[i]);
        append_escaped(out, value, true);
        str_append_char(out, '"');
        value += strlen(value) + 1;
    }
    if (le != NULL) {
        str_append_format(out, "%sle=\"", family->label_count > 0 ? "," : "");
        append_number(out, *le);
        str_append_char(out, '"');
    }
    str_append_char(out, '}');
}

static void append_sample(struct str *out, const struct metrics_family *family, const char *suffix,
                          const struct series *series, const double *le, double value)
{
    str_append_format(out, "%s%s", family->description->name, suffix);
    append_labels(out, family, series, le);
    str_append_char(out, ' ');
    append_number(out, value);
    str_append_char(out, '\n');
}

static void append_histogram(struct str *out, const struct metrics_family *family, const struct series *series)
{
    const struct metrics_description *description = family->description;
    uint64_t count = 0;

    for (size_t i = 0; i <= description->bound_count; i++) {
        double bound = i < description->bound_count ? description->bounds[i] : HUGE_VAL;

        count += series->counts[i];
        append_sample(out, family, "_bucket", series, &bound, (double)count);
    }
    append_sample(out, family, "_sum", series, NULL, series->value);
    append_sample(out, family, "_count", series, NULL, (double)count);
}

static void append_family(struct str *out, const struct metrics_family *family)
{
    static const char *const kinds[] = {
        [METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};
    const struct metrics_description *description = family->description;

    if (family->count == 0)
        return;
    str_append_format(out, "# HELP %s ", description->name);
    append_escaped(out, description->help, false);
    str_append_format(out, "\n# TYPE %s %s\n", description->name, kinds[description->kind]);
    for (size_t i = 0; i < family->count; i++) {
        if (description->kind == METRICS_HISTOGRAM)
            append_histogram(out, family, &family->series[i]);
        else
            append_sample(out, family, "", &family->series[i], NULL, family->series[i].value);
    }
}

bool metrics_print(const struct metrics *metrics, struct str *out)
{
    for (const struct metrics_family *family = metrics->first; family != NULL; family = family->next)
        append_family(out, family);
    str_append_format(out,
                      "# HELP recfleet_metrics_overflows_total Values beyond a metric's bound on sets of labels.\n"
                      "# TYPE recfleet_metrics_overflows_total counter\n"
                      "recfleet_metrics_overflows_total %llu\n",
                      (unsigned long long)metrics->overflows);
    return !out->failed;
}
