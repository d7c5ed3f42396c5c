#include "common/base/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

enum { INT_DIGITS = 20 /* with the sign */ };

static bool reserve(struct str *str, size_t extra)
{
    if (str->failed)
        return false;
    if (extra < str->capacity - str->length)
        return true;
    if (extra > SIZE_MAX - str->length - 1 ||
        mem_grow(&str->text, &str->capacity, str->length + extra + 1, 1, NULL) != ERR_OK)
        str->failed = true;
    return !str->failed;
}

void str_append_growing(struct str *str, const char *text, size_t length)
{
    if (!reserve(str, length))
        return;
    if (length > 0)
        memcpy(str->text + str->length, text, length);
    str->length += length;
    str->text[str->length] = '\0';
}

void str_reserve(struct str *str, size_t extra)
{
    (void)reserve(str, extra);
}

void str_append_char(struct str *str, char character)
{
    if (str->failed || str->length + 1 >= str->capacity) {
        str_append(str, &character, 1);
        return;
    }
    str->text[str->length++] = character;
    str->text[str->length] = '\0';
}

void str_append_int(struct str *str, int64_t value)
{
    char digits[INT_DIGITS];
    size_t begin = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--begin] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--begin] = '-';
    str_append(str, digits + begin, sizeof digits - begin);
}

void str_append_arguments(struct str *str, const char *format, va_list args)
{
    size_t room = str->failed ? 0 : str->capacity - str->length;
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(room > 0 ? str->text + str->length : NULL, room, format, again);
    va_end(again);
    if (length < 0)
        str->failed = true;
    if (!reserve(str, length < 0 ? 0 : (size_t)length)) {
        if (room > 0)
            str->text[str->length] = '\0';
        return;
    }
    if ((size_t)length >= room)
        (void)vsnprintf(str->text + str->length, (size_t)length + 1, format, args);
    str->length += (size_t)length;
}

void str_append_format(struct str *str, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    str_append_arguments(str, format, args);
    va_end(args);
}

/* The length of the valid UTF-8 sequence at text (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) || (first == 0xf0 && text[1] < 0x90) ||
        (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

bool str_is_utf8(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_length(bytes + i, length - i);

        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

/* Of eight bytes at once, whether each is plain: a byte that is less than n has its top bit set by b - n, if it was not
 * set before; one that is c makes b ^ c a 0, which is less than 1. A bit too many costs a look at each byte. */
static bool are_plain(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quotes = bytes ^ ones * '"';
    uint64_t backslashes = bytes ^ ones * '\\';
    uint64_t special = (bytes - ones * 0x20) | (quotes - ones) | (backslashes - ones) | bytes;

    return (special & ones * 0x80) == 0;
}

size_t str_plain_length(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    uint64_t eight;
    size_t i = 0;

    for (; i + sizeof eight <= length; i += sizeof eight) {
        memcpy(&eight, bytes + i, sizeof eight);
        if (!are_plain(eight))
            break;
    }
    while (i < length && bytes[i] >= 0x20 && bytes[i] < 0x80 && bytes[i] != '"' && bytes[i] != '\\')
        i++;
    return i;
}

void str_append_json(struct str *str, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;

    str_append_char(str, '"');
    while (i < length) {
        size_t plain = str_plain_length(text + i, length - i);
        size_t sequence;

        str_append(str, text + i, plain);
        i += plain;
        if (i == length)
            break;
        sequence = utf8_length(bytes + i, length - i);
        if (sequence == 0)
            str_append_text(str, "\xef\xbf\xbd");
        else if (bytes[i] == '"' || bytes[i] == '\\')
            str_append_format(str, "\\%c", bytes[i]);
        else if (bytes[i] < 0x20)
            str_append_format(str, "\\u%04x", bytes[i]);
        else
            str_append(str, text + i, sequence);
        i += sequence > 0 ? sequence : 1;
    }
    str_append_char(str, '"');
}

void str_clear(struct str *str)
{
    str->length = 0;
    if (str->text != NULL)
        str->text[0] = '\0';
    str->failed = false;
}

void str_fini(struct str *str)
{
    free(str->text);
    *str = (struct str){0};
}

char *str_take(struct str *str)
{
    char *text;

    str_append(str, "", 0); /* an empty buffer still gives a text */
    if (str->failed) {
        str_fini(str);
        return NULL;
    }
    text = str->text;
    *str = (struct str){0};
    return text;
}

char *str_format(const char *format, ...)
{
    struct str str = {0};
    va_list args;

    va_start(args, format);
    str_append_arguments(&str, format, args);
    va_end(args);
    return str_take(&str);
}

bool str_to_int64(const char *text, int64_t *out)
{
    char *end;
    long long value;

    if (text == NULL || !(*text == '-' || (*text >= '0' && *text <= '9')))
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return false;
    *out = value;
    return true;
}

bool str_to_double(const char *text, double *out)
{
    char *end;
    double value;

    if (text == NULL || !(*text == '-' || *text == '.' || (*text >= '0' && *text <= '9')))
        return false;
    value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || strpbrk(text, "xX") != NULL) /* hexadecimal is none */
        return false;
    *out = value;
    return true;
}

bool str_to_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *out = true;
            return true;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

void str_hex(char *out, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[byte[i] >> 4];
        out[2 * i + 1] = digits[byte[i] & 15];
    }
    out[2 * size] = '\0';
}

void str_copy(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);

    memcpy(out, text, length);
    out[length] = '\0';
}

bool str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}
