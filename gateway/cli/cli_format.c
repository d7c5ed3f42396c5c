#include "gateway/cli/cli_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"

void cli_format_count(char *out, int64_t number)
{
    char digits[24];
    size_t length;
    size_t used = 0;
    size_t first;

    (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    length = strlen(digits);
    first = digits[0] == '-' ? 1 : 0;
    for (size_t i = 0; i < length; i++) {
        if (i > first && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

void cli_format_duration(char *out, double seconds)
{
    int64_t whole = seconds > 0 ? (int64_t)(seconds + 0.5) : 0;

    if (seconds < 9.95)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%.1f s", seconds > 0 ? seconds : 0);
    else if (whole < 60)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " s", whole);
    else if (whole < 3600)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
    else if (whole < 86400)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " h %02" PRId64 " min", whole / 3600, whole / 60 % 60);
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " d %" PRId64 " h", whole / 86400, whole / 3600 % 24);
}

/* One unit is enough for what is some time away. */
static void format_span(char *out, int64_t seconds)
{
    if (seconds < 60)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " s", seconds);
    else if (seconds < 3600)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " min", seconds / 60);
    else if (seconds < 2 * 86400)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " h", seconds / 3600);
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "%" PRId64 " d", seconds / 86400);
}

void cli_format_ago(char *out, int64_t then_ms, int64_t now_ms)
{
    int64_t seconds = (now_ms - then_ms) / 1000;
    char span[CLI_FORMAT_BYTES];

    format_span(span, seconds < 0 ? -seconds : seconds);
    if (seconds >= 2)
        (void)snprintf(out, CLI_FORMAT_BYTES, "%.40s ago", span);
    else if (seconds > -2) /* clocks differ by as much */
        (void)snprintf(out, CLI_FORMAT_BYTES, "just now");
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "in %.40s", span);
}

int64_t cli_format_member_ms(const struct json *object, const char *key)
{
    const char *text = json_value_get_text(object, key);
    int64_t unix_ms;

    return text != NULL && clock_parse_iso8601(text, &unix_ms) ? unix_ms : 0;
}

void cli_format_member_ago(char *out, const struct json *object, const char *key, int64_t now_ms)
{
    int64_t then_ms = cli_format_member_ms(object, key);

    if (then_ms != 0)
        cli_format_ago(out, then_ms, now_ms);
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "-");
}

const char *cli_format_text(const struct json *object, const char *key)
{
    const char *text = json_value_get_text(object, key);

    return text != NULL && text[0] != '\0' ? text : "-";
}

void cli_format_value(char *out, const struct json *value)
{
    const char *text = json_value_text(value);
    int64_t integer;
    double real;
    bool truth;

    if (text != NULL && text[0] != '\0')
        str_copy(out, CLI_FORMAT_BYTES, text);
    else if (json_value_to_int64(value, &integer))
        cli_format_count(out, integer);
    else if (json_value_to_double(value, &real))
        (void)snprintf(out, CLI_FORMAT_BYTES, "%.6g", real);
    else if (json_value_to_bool(value, &truth))
        str_copy(out, CLI_FORMAT_BYTES, truth ? "yes" : "no");
    else
        (void)snprintf(out, CLI_FORMAT_BYTES, "-");
}

void cli_format_member(char *out, const struct json *object, const char *key)
{
    cli_format_value(out, json_value_get(object, key));
}
