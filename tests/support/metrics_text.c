#include "tests/support/metrics_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_REST  NAME_FIRST "0123456789"

enum { NAME_BYTES = 128, LINE_BYTES = 2048, FAMILIES = 128 };

enum expectation { EXPECT_HELP, EXPECT_TYPE, EXPECT_SAMPLE };

struct reader {
    enum expectation expected;
    char family[NAME_BYTES];
    char kind[16];
    size_t samples; /* of this family */
    char seen[FAMILIES][NAME_BYTES];
    size_t seen_count;
    /* the series of a histogram that is being read */
    char series[LINE_BYTES];
    double last_bound;
    double last_count;
    char *problem;
    size_t size;
};

static bool complain(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reader->problem, reader->size, format, args);
    va_end(args);
    return false;
}

static bool take_name(const char **at, char *name)
{
    size_t length = strspn(*at, NAME_REST);

    if (length == 0 || length >= NAME_BYTES || strchr(NAME_FIRST, **at) == NULL)
        return false;
    memcpy(name, *at, length);
    name[length] = '\0';
    *at += length;
    return true;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t wanted = strlen(suffix);

    return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

static bool read_help(struct reader *reader, const char *line)
{
    const char *at = line + strlen("# HELP ");

    if (!take_name(&at, reader->family) || *at != ' ' || at[1] == '\0')
        return complain(reader, "HELP without name or text");
    for (size_t i = 0; i < reader->seen_count; i++) {
        if (strcmp(reader->seen[i], reader->family) == 0)
            return complain(reader, "%s comes twice", reader->family);
    }
    if (reader->seen_count == FAMILIES)
        return complain(reader, "too many families");
    (void)snprintf(reader->seen[reader->seen_count++], NAME_BYTES, "%s", reader->family);
    reader->expected = EXPECT_TYPE;
    return true;
}

static bool read_type(struct reader *reader, const char *line)
{
    const char *at = line + strlen("# TYPE ");
    char name[NAME_BYTES];
    bool counter;

    if (!take_name(&at, name) || strcmp(name, reader->family) != 0 || *at != ' ')
        return complain(reader, "TYPE is not of %s", reader->family);
    (void)snprintf(reader->kind, sizeof reader->kind, "%s", at + 1);
    counter = strcmp(reader->kind, "counter") == 0;
    if (!counter && strcmp(reader->kind, "gauge") != 0 && strcmp(reader->kind, "histogram") != 0)
        return complain(reader, "unknown type %s", reader->kind);
    if (counter != ends_with(name, "_total"))
        return complain(reader, "%s: counters, and only they, end in _total", name);
    if (strstr(name, "_ms") != NULL || strstr(name, "_milli") != NULL || ends_with(name, "_minutes"))
        return complain(reader, "%s is not in a base unit", name);
    reader->expected = EXPECT_SAMPLE;
    reader->samples = 0;
    reader->series[0] = '\0';
    return true;
}

/* {a="b",…}; the labels but le go to `rest`, le to *bound (NAN: there is none). */
static bool read_labels(struct reader *reader, const char **at, char *rest, double *bound)
{
    *bound = NAN;
    rest[0] = '\0';
    if (**at != '{')
        return true;
    do {
        char name[NAME_BYTES];
        const char *value;

        (*at)++;
        if (!take_name(at, name) || strncmp(*at, "=\"", 2) != 0)
            return complain(reader, "a label without name or value");
        *at += 2;
        for (value = *at; **at != '"'; (*at)++) {
            if (**at == '\0')
                return complain(reader, "a label's value does not end");
            if (**at == '\\' && strchr("\\\"n", *++*at) == NULL)
                return complain(reader, "an unknown escape in a label's value");
        }
        if (strcmp(name, "le") == 0)
            *bound = strncmp(value, "+Inf", 4) == 0 ? HUGE_VAL : strtod(value, NULL);
        else
            (void)snprintf(rest + strlen(rest), LINE_BYTES - strlen(rest), "%s=%.*s,", name, (int)(*at - value), value);
        (*at)++;
    } while (**at == ',');
    if (**at != '}')
        return complain(reader, "the labels do not end");
    (*at)++;
    return true;
}

static bool check_histogram(struct reader *reader, const char *suffix, const char *labels, double bound, double value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        bool first = strcmp(reader->series, labels) != 0 || isnan(reader->last_bound);

        if (isnan(bound))
            return complain(reader, "a bucket without le");
        if (!first && (bound <= reader->last_bound || value < reader->last_count))
            return complain(reader, "buckets do not ascend");
        (void)snprintf(reader->series, sizeof reader->series, "%s", labels);
        reader->last_bound = bound;
        reader->last_count = value;
        return true;
    }
    if (!isinf(reader->last_bound) || strcmp(reader->series, labels) != 0)
        return complain(reader, "the last bucket is not +Inf");
    if (strcmp(suffix, "_count") == 0) {
        bool equal = value >= reader->last_count && value <= reader->last_count;

        reader->last_bound = NAN;
        return equal || complain(reader, "_count is not that of the last bucket");
    }
    return strcmp(suffix, "_sum") == 0 || complain(reader, "%s is not of a histogram", suffix);
}

static bool read_sample(struct reader *reader, const char *line)
{
    const char *at = line;
    char name[NAME_BYTES];
    char labels[LINE_BYTES];
    char *end;
    double bound;
    double value;

    if (!take_name(&at, name) || strncmp(name, reader->family, strlen(reader->family)) != 0)
        return complain(reader, "a sample that is not of %s", reader->family);
    if (!read_labels(reader, &at, labels, &bound))
        return false;
    if (*at != ' ')
        return complain(reader, "no value");
    value = strtod(at + 1, &end);
    if (end == at + 1 || *end != '\0')
        return complain(reader, "\"%s\" is no value", at + 1);
    reader->samples++;
    if (strcmp(reader->kind, "histogram") == 0)
        return check_histogram(reader, name + strlen(reader->family), labels, bound, value);
    if (strcmp(name, reader->family) != 0)
        return complain(reader, "a sample that is not of %s", reader->family);
    return strcmp(reader->kind, "counter") != 0 || value >= 0 || complain(reader, "a counter below 0");
}

static bool read_line(struct reader *reader, const char *line)
{
    if (strncmp(line, "# HELP ", 7) == 0)
        return reader->expected != EXPECT_TYPE && (reader->seen_count == 0 || reader->samples > 0)
                   ? read_help(reader, line)
                   : complain(reader, "%s has no type or no sample", reader->family);
    if (strncmp(line, "# TYPE ", 7) == 0)
        return reader->expected == EXPECT_TYPE ? read_type(reader, line) : complain(reader, "TYPE without HELP");
    return reader->expected == EXPECT_SAMPLE ? read_sample(reader, line) : complain(reader, "a sample without TYPE");
}

bool metrics_text_check(const char *text, int *line, char *problem, size_t size)
{
    struct reader *reader = calloc(1, sizeof *reader);
    char buffer[LINE_BYTES];
    bool fine = reader != NULL;

    *line = 0;
    while (fine && *text != '\0') {
        size_t length = strcspn(text, "\n");

        ++*line;
        reader->problem = problem;
        reader->size = size;
        if (text[length] != '\n' || length >= sizeof buffer) {
            fine = complain(reader, "the line is too long or does not end");
            break;
        }
        memcpy(buffer, text, length);
        buffer[length] = '\0';
        fine = read_line(reader, buffer);
        text += length + 1;
    }
    fine = fine && *line > 0;
    free(reader);
    return fine;
}

bool metrics_text_value(const char *text, const char *sample, double *value)
{
    size_t length = strlen(sample);

    for (const char *at = text; (at = strstr(at, sample)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[length] == ' ') {
            *value = strtod(at + length + 1, NULL);
            return true;
        }
    }
    return false;
}
