#include "common/job/job_store_mongo_bson.h"

#include <limits.h>
#include <string.h>

#include "common/base/clock.h"

enum { INDEX_BYTES = 16 };

static bool is_time(const char *key)
{
    size_t length = strlen(key);

    return length > strlen("_at") && strcmp(key + length - strlen("_at"), "_at") == 0;
}

struct writer {
    bson_t *bson;
    bool is_top;
    bool failed;     /* larger than BSON can be */
    const char *bad; /* a member that should be a time */
};

static bool append_value(bson_t *bson, const char *key, const struct json *value);

static bool append_member(void *context, const char *key, const struct json *value)
{
    struct writer *writer = context;
    int64_t unix_ms;

    if (writer->is_top && is_time(key) && json_value_kind(value) == JSON_KIND_TEXT) {
        if (!clock_parse_iso8601(json_value_text(value), &unix_ms))
            writer->bad = key;
        else
            writer->failed = !bson_append_date_time(writer->bson, key, -1, unix_ms);
    } else {
        writer->failed = !append_value(writer->bson, key, value);
    }
    return !writer->failed && writer->bad == NULL;
}

static bool append_object(bson_t *bson, const char *key, const struct json *value)
{
    bson_t child;
    struct writer writer = {.bson = &child};

    if (!bson_append_document_begin(bson, key, -1, &child))
        return false;
    json_value_each(value, append_member, &writer);
    return bson_append_document_end(bson, &child) && !writer.failed;
}

static bool append_array(bson_t *bson, const char *key, const struct json *value)
{
    size_t count = json_value_count(value);
    bool ok = count <= UINT32_MAX;
    bson_t child;

    if (!bson_append_array_begin(bson, key, -1, &child))
        return false;
    for (size_t i = 0; ok && i < count; i++) {
        char buffer[INDEX_BYTES];
        const char *index;

        (void)bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        ok = append_value(&child, index, json_value_at(value, i));
    }
    return bson_append_array_end(bson, &child) && ok;
}

static bool append_value(bson_t *bson, const char *key, const struct json *value)
{
    int64_t integer = 0;
    double real = 0;
    bool truth = false;

    switch (json_value_kind(value)) {
    case JSON_KIND_BOOL:
        (void)json_value_to_bool(value, &truth);
        return bson_append_bool(bson, key, -1, truth);
    case JSON_KIND_INT:
        (void)json_value_to_int64(value, &integer);
        return bson_append_int64(bson, key, -1, integer);
    case JSON_KIND_REAL:
        (void)json_value_to_double(value, &real);
        return bson_append_double(bson, key, -1, real);
    case JSON_KIND_TEXT:
        return json_value_text_length(value) < INT_MAX &&
               bson_append_utf8(bson, key, -1, json_value_text(value), (int)json_value_text_length(value));
    case JSON_KIND_ARRAY:
        return append_array(bson, key, value);
    case JSON_KIND_OBJECT:
        return append_object(bson, key, value);
    case JSON_KIND_NULL:
    default:
        return bson_append_null(bson, key, -1);
    }
}

enum err_code job_store_mongo_to_bson(bson_t **out, const struct json *document, struct err *err)
{
    bson_t *bson = bson_new();
    struct writer writer = {.bson = bson, .is_top = true};

    *out = NULL;
    json_value_each(document, append_member, &writer);
    if (writer.failed || writer.bad != NULL) {
        bson_destroy(bson);
        return writer.failed ? ERR_SET(err, ERR_TOO_LARGE, "the document is larger than BSON can be")
                             : ERR_SET(err, ERR_FORMAT, "the document's member %.64s is no time", writer.bad);
    }
    *out = bson;
    return ERR_OK;
}

static struct json *read_value(const bson_iter_t *iter);

static struct json *read_children(const bson_iter_t *iter, bool is_array)
{
    struct json *out = is_array ? json_value_new_array() : json_value_new_object();
    bson_iter_t child;
    bool ok = out != NULL && bson_iter_recurse(iter, &child);

    while (ok && bson_iter_next(&child)) {
        struct json *value = read_value(&child);

        ok = is_array ? json_value_append(out, value) : json_value_set(out, bson_iter_key(&child), value);
    }
    if (ok)
        return out;
    json_value_destroy(out);
    return NULL;
}

static struct json *read_time(int64_t unix_ms)
{
    char text[CLOCK_ISO8601_BYTES];

    clock_format_iso8601(text, unix_ms);
    return json_value_new_text(text);
}

/* NULL when out of memory. */
static struct json *read_value(const bson_iter_t *iter)
{
    uint32_t length;
    const char *text;

    switch (bson_iter_type(iter)) {
    case BSON_TYPE_BOOL:
        return json_value_new_bool(bson_iter_bool(iter));
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        return json_value_new_int(bson_iter_as_int64(iter));
    case BSON_TYPE_DOUBLE:
        return json_value_new_real(bson_iter_double(iter));
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(iter, &length);
        return json_value_new_bytes(text, length);
    case BSON_TYPE_DATE_TIME:
        return read_time(bson_iter_date_time(iter));
    case BSON_TYPE_ARRAY:
        return read_children(iter, true);
    case BSON_TYPE_DOCUMENT:
        return read_children(iter, false);
    default:
        return json_value_new_null();
    }
}

enum err_code job_store_mongo_from_bson(struct json **out, const bson_t *bson, struct err *err)
{
    struct json *document = json_value_new_object();
    bson_iter_t iter;
    bool ok = document != NULL;

    *out = NULL;
    if (!bson_iter_init(&iter, bson)) {
        json_value_destroy(document);
        return ERR_SET(err, ERR_FORMAT, "the job store's answer is no BSON");
    }
    while (ok && bson_iter_next(&iter))
        ok = json_value_set(document, bson_iter_key(&iter), read_value(&iter));
    if (!ok) {
        json_value_destroy(document);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    }
    *out = document;
    return ERR_OK;
}
