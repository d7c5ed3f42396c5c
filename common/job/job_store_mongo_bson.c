#include "common/job/job_store_mongo_bson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"

static bool is_time(const char *key)
{
    size_t length = strlen(key);

    return length > 3 && strcmp(key + length - 3, "_at") == 0;
}

struct writer {
    struct str text; /* MongoDB's extended JSON */
    const char *bad; /* a member that cannot be written */
};

static void append_key(struct str *text, const char *key)
{
    if (text->length > 1)
        str_append_char(text, ',');
    str_append_json(text, key, strlen(key));
    str_append_char(text, ':');
}

static bool append_member(void *context, const char *key, const struct json *value)
{
    struct writer *writer = context;
    int64_t number;
    char *printed;

    append_key(&writer->text, key);
    if (strcmp(key, "fence") == 0 && json_value_to_int64(value, &number)) {
        str_append_format(&writer->text, "{\"$numberLong\":\"%lld\"}", (long long)number);
    } else if (is_time(key) && json_value_kind(value) == JSON_KIND_TEXT) {
        if (!clock_parse_iso8601(json_value_text(value), &number)) {
            writer->bad = key;
            return false;
        }
        str_append_format(&writer->text, "{\"$date\":{\"$numberLong\":\"%lld\"}}", (long long)number);
    } else {
        printed = json_value_print(value, false, 0);
        if (printed == NULL)
            writer->text.failed = true;
        else
            str_append_text(&writer->text, printed);
        free(printed);
    }
    return true;
}

enum err_code job_store_mongo_to_bson(bson_t **out, const struct json *document, struct err *err)
{
    struct writer writer = {0};
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    *out = NULL;
    str_append_char(&writer.text, '{');
    json_value_each(document, append_member, &writer);
    str_append_char(&writer.text, '}');
    if (writer.text.failed)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    else if (writer.bad != NULL)
        rc = ERR_SET(err, ERR_FORMAT, "the document's member %s is no time", writer.bad);
    else {
        *out = bson_new_from_json((const uint8_t *)writer.text.text, (ssize_t)writer.text.length, &error);
        if (*out == NULL)
            rc = ERR_SET(err, ERR_FORMAT, "the document cannot become BSON: %s", error.message);
    }
    str_fini(&writer.text);
    return rc;
}

enum err_code job_store_mongo_report_to_bson(bson_t **out, const struct json *report, const char *id, int64_t fence,
                                             struct err *err)
{
    struct json *document = json_value_dup(report);
    enum err_code rc;

    *out = NULL;
    if (document == NULL || (id != NULL && !json_value_set_text(document, "_id", id)) ||
        !json_value_set_int(document, "fence", fence))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    else
        rc = job_store_mongo_to_bson(out, document, err);
    json_value_destroy(document);
    return rc;
}

enum err_code job_store_mongo_changes_to_bson(bson_t **out, const struct json *changes, int64_t fence, struct err *err)
{
    return job_store_mongo_report_to_bson(out, changes, NULL, fence, err);
}

struct reader {
    struct json *out;
    bool ok;
};

/* {"$date": "2026-01-01T00:00:00Z"} becomes the text that was written. */
static bool read_member(void *context, const char *key, const struct json *value)
{
    struct reader *reader = context;
    const char *text = json_value_get_text(value, "$date");
    char time[CLOCK_ISO8601_BYTES];
    int64_t unix_ms;

    if (is_time(key) && text != NULL && clock_parse_iso8601(text, &unix_ms)) {
        clock_format_iso8601(time, unix_ms);
        reader->ok = json_value_set_text(reader->out, key, time);
    } else {
        reader->ok = json_value_set(reader->out, key, json_value_dup(value));
    }
    return reader->ok;
}

enum err_code job_store_mongo_from_bson(struct json **out, const bson_t *bson, struct err *err)
{
    size_t length;
    char *text = bson_as_relaxed_extended_json(bson, &length);
    struct json *parsed = NULL;
    struct reader reader = {.out = json_value_new_object(), .ok = true};
    enum err_code rc;

    *out = NULL;
    if (text == NULL || reader.out == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
        goto done;
    }
    rc = json_value_parse(&parsed, text, length, err);
    if (rc != ERR_OK)
        goto done;
    json_value_each(parsed, read_member, &reader);
    if (!reader.ok) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
        goto done;
    }
    *out = reader.out;
    reader.out = NULL; /* now the caller's */
done:
    json_value_destroy(reader.out);
    json_value_destroy(parsed);
    bson_free(text);
    return rc;
}
