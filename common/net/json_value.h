/*
 * JSON values: parsing, reading, building, printing. Wraps jansson. Not thread-safe per value.
 * Readers accept NULL and the wrong kind, and say so by false or NULL, so that a chain of gets needs no checks between.
 */
#ifndef COMMON_NET_JSON_VALUE_H
#define COMMON_NET_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json;

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* One value and nothing behind it; ERR_FORMAT names line and column. A key given twice is an error. */
enum err_code json_value_parse(struct json **out, const char *text, size_t length, struct err *err) MUST_CHECK;

/* The same for what others wrote: of a key given twice the last wins. */
enum err_code json_value_parse_lenient(struct json **out, const char *text, size_t length, struct err *err) MUST_CHECK;
void json_value_destroy(struct json *value);

/* A deep copy; NULL when out of memory or for NULL. */
struct json *json_value_dup(const struct json *value);

/* The same value, to be destroyed once more. Neither of the two may be changed, nor used by another thread. */
struct json *json_value_share(const struct json *value);

/* malloc'd text, keys in their order of insertion (`sorted`: bytewise); indent 0: one line. NULL when out of memory. */
char *json_value_print(const struct json *value, bool sorted, unsigned indent);

/* Reading. NULL is JSON_KIND_NULL. */
enum json_kind json_value_kind(const struct json *value);
size_t json_value_count(const struct json *value); /* elements or members; 0 for all else */
const struct json *json_value_at(const struct json *array, size_t index);
const struct json *json_value_get(const struct json *object, const char *key);
struct json *json_value_get_mutable(struct json *object, const char *key);
const char *json_value_text(const struct json *value);            /* a string's text, else NULL */
size_t json_value_text_length(const struct json *value);          /* its bytes (it may hold NULs), else 0 */
bool json_value_to_int64(const struct json *value, int64_t *out); /* an integer */
bool json_value_to_double(const struct json *value, double *out); /* an integer or a real */
bool json_value_to_bool(const struct json *value, bool *out);

/* The same of a member. */
const char *json_value_get_text(const struct json *object, const char *key);
bool json_value_get_int64(const struct json *object, const char *key, int64_t *out);
bool json_value_get_double(const struct json *object, const char *key, double *out);
bool json_value_get_bool(const struct json *object, const char *key, bool *out);

/* Members in order of insertion, until the function answers false. */
typedef bool (*json_value_member_fn)(void *context, const char *key, const struct json *value);
void json_value_each(const struct json *object, json_value_member_fn fn, void *context);

/* Building: NULL when out of memory. json_value_new_text(NULL) is null; bytes that are not UTF-8 become U+FFFD. */
struct json *json_value_new_object(void);
struct json *json_value_new_array(void);
struct json *json_value_new_null(void);
struct json *json_value_new_bool(bool value);
struct json *json_value_new_int(int64_t value);
struct json *json_value_new_real(double value); /* not finite: null */
struct json *json_value_new_text(const char *text);
struct json *json_value_new_bytes(const char *text, size_t length); /* the same, NULs in it allowed */

/* Take `value` whatever happens; false when out of memory or when value is NULL. */
bool json_value_set(struct json *object, const char *key, struct json *value);
bool json_value_append(struct json *array, struct json *value);

bool json_value_set_text(struct json *object, const char *key, const char *text);
bool json_value_set_int(struct json *object, const char *key, int64_t value);
bool json_value_set_real(struct json *object, const char *key, double value);
bool json_value_set_bool(struct json *object, const char *key, bool value);
bool json_value_set_null(struct json *object, const char *key);

/* Sets every member of `changes` (copied) in `object`. */
bool json_value_merge(struct json *object, const struct json *changes);
void json_value_remove(struct json *object, const char *key);

#endif
