#include "common/net/json_value.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/net/json_print.h"

enum { FIRST_BYTES = 1000 /* of a printed text: that of most jobs */ };

/* struct json is jansson's json_t under a name of ours: the two pointers convert here and nowhere else. */
static json_t *inner(const struct json *value)
{
    union {
        const struct json *from;
        json_t *to;
    } pointer = {.from = value};

    return pointer.to;
}

static struct json *outer(json_t *value)
{
    return (struct json *)value;
}

static enum err_code parse(struct json **out, const char *text, size_t length, size_t flags, struct err *err)
{
    json_error_t error;
    json_t *value = json_loadb(text, length, flags | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    *out = outer(value);
    if (value == NULL && (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory))
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu bytes of JSON", length);
    if (value == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to read JSON of %zu bytes", length);
    if (value == NULL)
        return ERR_SET(err, ERR_FORMAT, "JSON line %d column %d: %s", error.line, error.column, error.text);
    return ERR_OK;
}

enum err_code json_value_parse(struct json **out, const char *text, size_t length, struct err *err)
{
    return parse(out, text, length, JSON_REJECT_DUPLICATES, err);
}

enum err_code json_value_parse_lenient(struct json **out, const char *text, size_t length, struct err *err)
{
    return parse(out, text, length, 0, err);
}

void json_value_destroy(struct json *value)
{
    json_decref(inner(value));
}

struct json *json_value_dup(const struct json *value)
{
    return outer(json_deep_copy(inner(value)));
}

struct json *json_value_share(const struct json *value)
{
    return outer(json_incref(inner(value)));
}

static int append_printed(const char *text, size_t length, void *context)
{
    str_append(context, text, length);
    return 0; /* a failure stays in the buffer: jansson does not look at every answer */
}

char *json_value_print(const struct json *value, bool sorted, unsigned indent)
{
    size_t flags = JSON_ENCODE_ANY | JSON_INDENT(indent) | (sorted ? JSON_SORT_KEYS : 0) | JSON_REAL_PRECISION(15);
    struct str text = {0};

    str_reserve(&text, FIRST_BYTES);
    if (value != NULL && !sorted && indent == 0) {
        json_print_append(&text, value);
    } else if (json_dump_callback(inner(value), append_printed, &text, indent == 0 ? flags | JSON_COMPACT : flags) !=
               0) {
        str_fini(&text);
        return NULL;
    }
    return str_take(&text);
}

enum json_kind json_value_kind(const struct json *value)
{
    if (value == NULL)
        return JSON_KIND_NULL;
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
    default:
        return JSON_KIND_NULL;
    }
}

size_t json_value_count(const struct json *value)
{
    switch (json_value_kind(value)) {
    case JSON_KIND_ARRAY:
        return json_array_size(inner(value));
    case JSON_KIND_OBJECT:
        return json_object_size(inner(value));
    default:
        return 0;
    }
}

const struct json *json_value_at(const struct json *array, size_t index)
{
    return outer(json_array_get(inner(array), index));
}

const struct json *json_value_get(const struct json *object, const char *key)
{
    return outer(json_object_get(inner(object), key));
}

struct json *json_value_get_mutable(struct json *object, const char *key)
{
    return outer(json_object_get(inner(object), key));
}

const char *json_value_text(const struct json *value)
{
    return json_string_value(inner(value));
}

size_t json_value_text_length(const struct json *value)
{
    return json_string_length(inner(value));
}

bool json_value_to_int64(const struct json *value, int64_t *out)
{
    if (json_value_kind(value) != JSON_KIND_INT)
        return false;
    *out = json_integer_value(inner(value));
    return true;
}

bool json_value_to_double(const struct json *value, double *out)
{
    if (value == NULL || !json_is_number(inner(value)))
        return false;
    *out = json_number_value(inner(value));
    return true;
}

bool json_value_to_bool(const struct json *value, bool *out)
{
    if (json_value_kind(value) != JSON_KIND_BOOL)
        return false;
    *out = json_is_true(inner(value));
    return true;
}

const char *json_value_get_text(const struct json *object, const char *key)
{
    return json_value_text(json_value_get(object, key));
}

bool json_value_get_int64(const struct json *object, const char *key, int64_t *out)
{
    return json_value_to_int64(json_value_get(object, key), out);
}

bool json_value_get_double(const struct json *object, const char *key, double *out)
{
    return json_value_to_double(json_value_get(object, key), out);
}

bool json_value_get_bool(const struct json *object, const char *key, bool *out)
{
    return json_value_to_bool(json_value_get(object, key), out);
}

void json_value_each(const struct json *object, json_value_member_fn fn, void *context)
{
    const char *key;
    json_t *value;

    json_object_foreach(inner(object), key, value)
    {
        if (!fn(context, key, outer(value)))
            return;
    }
}

struct json *json_value_new_object(void)
{
    return outer(json_object());
}

struct json *json_value_new_array(void)
{
    return outer(json_array());
}

struct json *json_value_new_null(void)
{
    return outer(json_null());
}

struct json *json_value_new_bool(bool value)
{
    return outer(json_boolean(value));
}

struct json *json_value_new_int(int64_t value)
{
    return outer(json_integer(value));
}

struct json *json_value_new_real(double value)
{
    return outer(isfinite(value) ? json_real(value) : json_null());
}

/* jansson refuses text that is not UTF-8: mend it by way of the JSON writer. */
static json_t *mended_text(const char *text, size_t length)
{
    struct str quoted = {0};
    json_t *value = NULL;

    str_append_json(&quoted, text, length);
    if (!quoted.failed)
        value = json_loadb(quoted.text, quoted.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    str_fini(&quoted);
    return value;
}

/* Which is UTF-8 too, and told sooner than jansson tells that. */
static bool is_ascii(const char *text, size_t length)
{
    unsigned char all = 0;

    for (size_t i = 0; i < length; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

struct json *json_value_new_bytes(const char *text, size_t length)
{
    json_t *value = is_ascii(text, length) ? json_stringn_nocheck(text, length) : json_stringn(text, length);

    return outer(value != NULL ? value : mended_text(text, length));
}

struct json *json_value_new_text(const char *text)
{
    return text != NULL ? json_value_new_bytes(text, strlen(text)) : outer(json_null());
}

bool json_value_set(struct json *object, const char *key, struct json *value)
{
    return is_ascii(key, strlen(key)) ? json_object_set_new_nocheck(inner(object), key, inner(value)) == 0
                                      : json_object_set_new(inner(object), key, inner(value)) == 0;
}

bool json_value_append(struct json *array, struct json *value)
{
    return json_array_append_new(inner(array), inner(value)) == 0;
}

bool json_value_set_text(struct json *object, const char *key, const char *text)
{
    return json_value_set(object, key, json_value_new_text(text));
}

bool json_value_set_int(struct json *object, const char *key, int64_t value)
{
    return json_value_set(object, key, json_value_new_int(value));
}

bool json_value_set_real(struct json *object, const char *key, double value)
{
    return json_value_set(object, key, json_value_new_real(value));
}

bool json_value_set_bool(struct json *object, const char *key, bool value)
{
    return json_value_set(object, key, json_value_new_bool(value));
}

bool json_value_set_null(struct json *object, const char *key)
{
    return json_value_set(object, key, json_value_new_null());
}

bool json_value_merge(struct json *object, const struct json *changes)
{
    const char *key;
    json_t *value;

    json_object_foreach(inner(changes), key, value)
    {
        if (json_object_set_new(inner(object), key, json_deep_copy(value)) != 0)
            return false;
    }
    return true;
}

void json_value_remove(struct json *object, const char *key)
{
    (void)json_object_del(inner(object), key);
}
