#include "common/base/log.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { LINE_BYTES = 400 /* of most */ };

static enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void append_text(struct str *line, const char *text, const char *more)
{
    str_append_text(line, text);
    str_append_text(line, more);
}

/* Without printf, whose reals cost more than the rest of a line. */
static void append_ms(struct str *line, int64_t us)
{
    int64_t rest = us % 1000;

    str_append_int(line, us / 1000);
    str_append_char(line, '.');
    str_append_char(line, (char)('0' + rest / 100));
    str_append_char(line, (char)('0' + rest / 10 % 10));
    str_append_char(line, (char)('0' + rest % 10));
}

static void append_field(struct str *line, const struct log_field *field)
{
    if (field->name == NULL)
        return;
    str_append_char(line, ',');
    str_append_json(line, field->name, strlen(field->name));
    str_append_char(line, ':');
    if (field->kind == LOG_FIELD_INT)
        str_append_int(line, field->value.integer);
    else if (field->kind == LOG_FIELD_MS)
        append_ms(line, field->value.integer);
    else if (field->kind == LOG_FIELD_REAL && isfinite(field->value.real))
        str_append_format(line, "%.9g", field->value.real);
    else if (field->kind == LOG_FIELD_TEXT && field->value.text != NULL)
        str_append_json(line, field->value.text, strlen(field->value.text));
    else
        str_append_text(line, "null");
}

void log_gather(struct str *lines, enum log_level level, const char *event, const struct log_field *fields,
                size_t count)
{
    struct clock_source clock = clock_system();
    char time[CLOCK_ISO8601_BYTES];

    if (level < log_threshold)
        return;
    clock_format_iso8601(time, clock_unix_ms(&clock));
    str_reserve(lines, LINE_BYTES);
    append_text(lines, "{\"time\":\"", time);
    append_text(lines, "\",\"level\":\"", level_names[level]);
    str_append_text(lines, "\",\"event\":");
    str_append_json(lines, event, strlen(event));
    for (size_t i = 0; i < count; i++)
        append_field(lines, &fields[i]);
    str_append_text(lines, "}\n");
}

void log_write_lines(const struct str *lines)
{
    size_t written = 0;

    while (!lines->failed && written < lines->length) {
        ssize_t n = write(STDERR_FILENO, lines->text + written, lines->length - written);

        if (n <= 0)
            break; /* nobody to tell */
        written += (size_t)n;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct str line = {0};

    log_gather(&line, level, event, fields, count);
    log_write_lines(&line);
    str_fini(&line);
}

void log_err(const char *event, const struct err *err)
{
    log_error(event, log_text("code", err_code_name(err->code)), log_text("message", err->message),
              log_text("file", err->file), log_int("line", err->line));
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}
