/*
 * Logs: one JSON object a line on stderr: time, level, event, fields. The event is a constant ("job.started"); data
 * goes into fields. Never a credential. Thread-safe: a line is one write.
 *
 *     log_info("job.started", log_text("job", id), log_int("attempt", attempt));
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_REAL, LOG_FIELD_MS };

struct log_field {
    const char *name; /* NULL: left out */
    enum log_field_kind kind;
    union {
        const char *text; /* NULL prints null */
        int64_t integer;
        double real;
    } value;
};

static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .value.text = text};
}

static inline struct log_field log_int(const char *name, int64_t integer)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_INT, .value.integer = integer};
}

static inline struct log_field log_real(const char *name, double real)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_REAL, .value.real = real};
}

/* Microseconds, printed as milliseconds with three digits behind the point. */
static inline struct log_field log_ms(const char *name, int64_t us)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_MS, .value.integer = us};
}

/* Where an event has nothing to add. */
#define LOG_NO_FIELDS   ((struct log_field){0})

#define LOG_FIELDS(...) ((struct log_field[]){__VA_ARGS__})
#define LOG_WRITE(level, event, ...) \
    log_write((level), (event), LOG_FIELDS(__VA_ARGS__), sizeof(LOG_FIELDS(__VA_ARGS__)) / sizeof(struct log_field))

#define log_debug(event, ...) LOG_WRITE(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_WRITE(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_WRITE(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_WRITE(LOG_LEVEL_ERROR, event, __VA_ARGS__)

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* For many lines in one write: the line that log_write would write, behind what `lines` has; and all of them. */
void log_gather(struct str *lines, enum log_level level, const char *event, const struct log_field *fields,
                size_t count);
void log_write_lines(const struct str *lines);

/* The error's code, message and place, at level error. */
void log_err(const char *event, const struct err *err);

/* Below this level nothing is written (default LOG_LEVEL_INFO). Set once, before threads start. */
void log_set_level(enum log_level level);

#endif
