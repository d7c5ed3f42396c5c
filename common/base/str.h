/*
 * Text: a growing buffer, strict number parsing, hexadecimal.
 */
#ifndef COMMON_BASE_STR_H
#define COMMON_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A growing, always terminated buffer. Init with {0}. A failed append sets `failed` and later ones do nothing, so a
 * writer appends freely and asks once at the end.
 */
struct str {
    char *text; /* NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

/* Room for so much more, in one go. */
void str_reserve(struct str *str, size_t extra);

/* Appends where there is no room yet. */
void str_append_growing(struct str *str, const char *text, size_t length);

static inline void str_append(struct str *str, const char *text, size_t length)
{
    if (str->failed || length >= str->capacity - str->length) {
        str_append_growing(str, text, length);
        return;
    }
    if (length > 0)
        memcpy(str->text + str->length, text, length);
    str->length += length;
    str->text[str->length] = '\0';
}

static inline void str_append_text(struct str *str, const char *text)
{
    str_append(str, text, strlen(text)); /* of a constant the compiler knows it */
}

void str_append_char(struct str *str, char character);
void str_append_int(struct str *str, int64_t value);
void str_append_format(struct str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_append_arguments(struct str *str, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Appends text as a JSON string with its quotes; invalid UTF-8 bytes become U+FFFD. */
void str_append_json(struct str *str, const char *text, size_t length);

/* Forgets the text and keeps the memory. */
void str_clear(struct str *str);
void str_fini(struct str *str);

/* The text for the caller to free(), and *str empty again; NULL when an append failed. */
char *str_take(struct str *str);

/* A malloc'd, formatted text; NULL when out of memory. */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole text as a number: no spaces, no rest, no overflow; for a real also finite. */
bool str_to_int64(const char *text, int64_t *out);
bool str_to_double(const char *text, double *out);

/* true|false|1|0|yes|no|on|off, any case */
bool str_to_bool(const char *text, bool *out);

/* 2 * size lower-case hexadecimal digits and the terminator. */
void str_hex(char *out, const void *bytes, size_t size);

/* No overlong forms, no surrogates (RFC 3629). */
bool str_is_utf8(const char *text, size_t length);

/* How many bytes from text on a JSON string has as they are: those before the first control character, quote, backslash
 * or byte that is not ASCII. */
size_t str_plain_length(const char *text, size_t length);

/* As much of the text as fits, terminated; `size` is not 0. */
void str_copy(char *out, size_t size, const char *text);

bool str_starts_with(const char *text, const char *prefix);

#endif
