#include "common/net/json_print.h"

#include <stdio.h>
#include <string.h>

enum { REAL_DIGITS = 15, REAL_BYTES = 48 };

static void append_escape(struct str *out, unsigned char byte)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};

    if (byte < sizeof letters && letters[byte] != '\0') {
        str_append_char(out, '\\');
        str_append_char(out, letters[byte]);
    } else {
        str_append_format(out, "\\u%04X", byte);
    }
}

void json_print_append_text(struct str *out, const char *text, size_t length)
{
    str_append_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        size_t plain = str_plain_length(text + i, length - i);
        unsigned char byte;

        str_append(out, text + i, plain);
        i += plain;
        if (i == length)
            break;
        byte = (unsigned char)text[i];
        if (byte >= 0x80)
            str_append_char(out, text[i]);
        else
            append_escape(out, byte);
    }
    str_append_char(out, '"');
}

/* A real stays one when it is read again: with a point or an exponent, and that without + and leading zeros. */
static void append_real(struct str *out, double value)
{
    char text[REAL_BYTES];
    char *exponent;

    (void)snprintf(text, sizeof text, "%.*g", REAL_DIGITS, value);
    exponent = strchr(text, 'e');
    if (exponent == NULL) {
        str_append_text(out, text);
        if (strchr(text, '.') == NULL)
            str_append_text(out, ".0");
        return;
    }
    exponent++;
    str_append(out, text, (size_t)(exponent - text));
    if (*exponent == '-')
        str_append_char(out, '-');
    exponent += strspn(exponent, "+-");
    exponent += strspn(exponent, "0");
    str_append_text(out, exponent);
}

struct members {
    struct str *out;
    bool follows; /* another */
};

static bool append_member(void *context, const char *key, const struct json *value)
{
    struct members *members = context;

    if (members->follows)
        str_append_char(members->out, ',');
    members->follows = true;
    json_print_append_text(members->out, key, strlen(key));
    str_append_char(members->out, ':');
    json_print_append(members->out, value);
    return !members->out->failed;
}

static void append_object(struct str *out, const struct json *value)
{
    struct members members = {.out = out};

    str_append_char(out, '{');
    json_value_each(value, append_member, &members);
    str_append_char(out, '}');
}

static void append_array(struct str *out, const struct json *value)
{
    size_t count = json_value_count(value);

    str_append_char(out, '[');
    for (size_t i = 0; i < count && !out->failed; i++) {
        if (i > 0)
            str_append_char(out, ',');
        json_print_append(out, json_value_at(value, i));
    }
    str_append_char(out, ']');
}

void json_print_append(struct str *out, const struct json *value)
{
    int64_t integer = 0;
    double real = 0;
    bool truth = false;

    switch (json_value_kind(value)) {
    case JSON_KIND_BOOL:
        (void)json_value_to_bool(value, &truth);
        str_append_text(out, truth ? "true" : "false");
        return;
    case JSON_KIND_INT:
        (void)json_value_to_int64(value, &integer);
        str_append_int(out, integer);
        return;
    case JSON_KIND_REAL:
        (void)json_value_to_double(value, &real);
        append_real(out, real);
        return;
    case JSON_KIND_TEXT:
        json_print_append_text(out, json_value_text(value), json_value_text_length(value));
        return;
    case JSON_KIND_ARRAY:
        append_array(out, value);
        return;
    case JSON_KIND_OBJECT:
        append_object(out, value);
        return;
    case JSON_KIND_NULL:
    default:
        str_append_text(out, "null");
    }
}
