#include "worker/connect/folder_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file_text.h"
#include "common/base/str.h"
#include "worker/connect/folder_csv.h"
#include "worker/connect/folder_file.h"
#include "worker/connect/folder_rows.h"

enum {
    LINES_PER_PROGRESS = 8192,
    SHOWN_BYTES = 60, /* of what is at fault */
    PROGRESS_NOTE_BYTES = 64,
    MAX_PRODUCTS_BYTES = 64 << 20
};

static const char too_long[] = "line_too_long";
static const char utf8_mark[] = "\xef\xbb\xbf";

/* One file being read. */
struct reading {
    struct folder_reader *reader;
    struct folder_file file;
    size_t lines_told;
};

static bool tell_progress(struct reading *reading)
{
    const struct folder_reader *reader = reading->reader;
    char note[PROGRESS_NOTE_BYTES];

    if (reading->file.line - reading->lines_told < LINES_PER_PROGRESS)
        return true;
    reading->lines_told = reading->file.line;
    (void)snprintf(note, sizeof note, "%zu lines of %s", reading->file.line - 1, reading->file.name);
    return progress_report(reader->progress, "fetch", folder_file_fraction(&reading->file), note);
}

/* Counts a bad line; of what is at fault the beginning is shown, as a JSON string. */
static void refuse(const struct reading *reading, const char *reason, size_t line, const char *what, const char *text,
                   size_t length)
{
    struct str shown = {0};

    str_append_json(&shown, text, length < SHOWN_BYTES ? length : SHOWN_BYTES);
    source_count_bad(reading->reader->counts, reason, "%s line %zu: %s %s%s", reading->file.name, line, what,
                     shown.failed ? "" : shown.text, length < SHOWN_BYTES ? "" : "…");
    str_fini(&shown);
}

/* Hands the JSON over, and destroys it. */
static enum err_code hand_over(const struct folder_reader *reader, enum action action, struct json *json,
                               struct err *err)
{
    enum err_code rc;

    if (json == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a line");
    else if (reader->on_activity != NULL)
        rc = reader->on_activity(reader->context, action, json, err);
    else
        rc = reader->on_product(reader->context, json, err);
    json_value_destroy(json);
    return rc;
}

static bool is_too_old(const struct folder_reader *reader, enum action action, int64_t created)
{
    if (created >= reader->from_s[action])
        return false;
    reader->counts->too_old++;
    return true;
}

static enum err_code take_record(struct reading *reading, const struct folder_columns *columns,
                                 const struct folder_csv *record, size_t line, struct err *err)
{
    const struct folder_reader *reader = reading->reader;
    struct folder_activity activity = {0};
    struct folder_csv_field field;
    const char *reason;

    if (record->count == 1 && record->fields[0].length == 0)
        return ERR_OK; /* an empty line */
    if (record->count != columns->count) {
        source_count_bad(reader->counts, "line_columns", "%s line %zu: %zu fields under a header of %zu",
                         reading->file.name, line, record->count, columns->count);
        return ERR_OK;
    }
    if (columns->table == FOLDER_PRODUCTS)
        return hand_over(reader, ACTION_COUNT, folder_rows_product(columns, record, line), err);
    reason = folder_rows_check(&activity, columns, record, &field);
    if (reason != NULL)
        refuse(reading, reason, line, "not understood:", field.text, field.length);
    else if (!is_too_old(reader, activity.action, activity.created))
        return hand_over(reader, activity.action, folder_rows_activity(columns, record, &activity, line), err);
    return ERR_OK;
}

/* What is no record: its first line is stepped over, since a quote that was never closed spoils no other. */
static enum err_code skip_record(struct reading *reading, enum folder_csv_outcome outcome, const char *text,
                                 size_t size, struct err *err)
{
    const char *newline = memchr(text, '\n', size);
    size_t shown = newline != NULL ? (size_t)(newline - text) : size;

    if (outcome == FOLDER_CSV_NO_MEMORY)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a line");
    if (newline == NULL && !reading->file.ended)
        refuse(reading, too_long, reading->file.line, "more than a MiB:", text, shown);
    else if (outcome == FOLDER_CSV_TOO_MANY_FIELDS)
        refuse(reading, "line_columns", reading->file.line, "too many fields:", text, shown);
    else
        refuse(reading, "line_quotes", reading->file.line, "quotes that do not match:", text, shown);
    return folder_file_skip_line(&reading->file, err);
}

static enum err_code read_header(struct reading *reading, struct folder_columns *columns, struct folder_csv *csv,
                                 struct err *err)
{
    enum folder_table table = reading->reader->on_activity != NULL ? FOLDER_INTERACTIONS : FOLDER_PRODUCTS;
    const char *text;
    size_t size;
    enum err_code rc = folder_file_look(&reading->file, &text, &size, err);

    if (rc != ERR_OK)
        return rc;
    csv->separator = folder_csv_guess_separator(text, size);
    if (size == 0 || folder_csv_read(csv, text, size, reading->file.ended) != FOLDER_CSV_RECORD)
        rc = ERR_SET(err, ERR_FORMAT, "%s", size == 0 ? "it is empty" : "line 1 is no header of columns");
    else
        rc = folder_rows_read_header(columns, table, csv, err);
    if (rc != ERR_OK)
        return err_wrap(err, "%s", reading->file.name);
    folder_file_step(&reading->file, csv->used, csv->lines);
    return ERR_OK;
}

static enum err_code read_records(struct reading *reading, const struct folder_columns *columns, struct folder_csv *csv,
                                  struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        const char *text;
        size_t size;
        size_t line = reading->file.line;
        enum folder_csv_outcome outcome;

        rc = folder_file_look(&reading->file, &text, &size, err);
        if (rc != ERR_OK || size == 0)
            break;
        outcome = folder_csv_read(csv, text, size, reading->file.ended);
        if (outcome == FOLDER_CSV_RECORD) {
            rc = take_record(reading, columns, csv, line, err);
            folder_file_step(&reading->file, csv->used, csv->lines);
        } else {
            rc = skip_record(reading, outcome, text, size, err);
        }
        reading->reader->counts->lines++;
        if (rc == ERR_OK && !tell_progress(reading))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled while fetching");
    }
    return rc;
}

enum err_code folder_read_csv(struct folder_reader *reader, const char *dir, const char *name, struct err *err)
{
    struct reading reading = {.reader = reader};
    struct folder_csv *csv = calloc(1, sizeof *csv);
    struct folder_columns columns = {0};
    enum err_code rc;

    if (csv == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to read %s", name);
    rc = folder_file_open(&reading.file, dir, name, err);
    if (rc == ERR_OK)
        rc = read_header(&reading, &columns, csv, err);
    if (rc == ERR_OK)
        rc = read_records(&reading, &columns, csv, err);
    folder_csv_fini(csv);
    free(csv);
    folder_file_close(&reading.file);
    return rc;
}

/* The object with its line before all else, so that a sample that is cut still shows it. */
static enum err_code parse_line(struct json **out, struct str *scratch, const char *text, size_t length, size_t line,
                                struct err *err)
{
    const char *brace = memchr(text, '{', length);
    const char *rest = brace != NULL ? brace + 1 : text;
    size_t left = length - (size_t)(rest - text);

    *out = NULL;
    while (left > 0 && strchr(" \t\r", *rest) != NULL && *rest != '\0') {
        rest++;
        left--;
    }
    str_clear(scratch);
    if (brace != NULL && left > 0 && *rest != '}') {
        str_append(scratch, text, (size_t)(brace - text) + 1);
        str_append_format(scratch, "\"line\":%zu,", line);
        str_append(scratch, rest, left);
    } else {
        str_append(scratch, text, length);
    }
    if (scratch->failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a line");
    return json_value_parse_lenient(out, scratch->text, scratch->length, err);
}

static bool is_blank(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == length;
}

static enum err_code take_line(struct reading *reading, struct str *scratch, const char *text, size_t length,
                               struct err *err)
{
    const struct folder_reader *reader = reading->reader;
    size_t line = reading->file.line;
    struct json *json;
    enum action action;
    int64_t created;
    enum err_code rc;

    if (is_blank(text, length))
        return ERR_OK;
    rc = parse_line(&json, scratch, text, length, line, err);
    if (rc != ERR_OK && rc != ERR_FORMAT)
        return rc;
    if (rc != ERR_OK || json_value_kind(json) != JSON_KIND_OBJECT) {
        refuse(reading, "line_not_json", line, "no JSON object:", text, length);
    } else if (!action_parse(json_value_get_text(json, "action"), &action)) {
        refuse(reading, "unknown_action", line, "not understood:", text, length);
    } else if (!json_value_get_int64(json, "created", &created) || !is_too_old(reader, action, created)) {
        return hand_over(reader, action, json, err);
    }
    json_value_destroy(json);
    return ERR_OK;
}

static enum err_code read_lines(struct reading *reading, struct str *scratch, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        const char *text;
        const char *newline;
        size_t size;

        rc = folder_file_look(&reading->file, &text, &size, err);
        if (rc != ERR_OK || size == 0)
            break;
        newline = memchr(text, '\n', size);
        if (newline == NULL && !reading->file.ended) {
            refuse(reading, too_long, reading->file.line, "more than a MiB:", text, size);
            rc = folder_file_skip_line(&reading->file, err);
        } else {
            size_t length = newline != NULL ? (size_t)(newline - text) : size;

            rc = take_line(reading, scratch, text, length, err);
            folder_file_step(&reading->file, length + (newline != NULL), newline != NULL);
        }
        reading->reader->counts->lines++;
        if (rc == ERR_OK && !tell_progress(reading))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled while fetching");
    }
    return rc;
}

enum err_code folder_read_events(struct folder_reader *reader, const char *dir, const char *name, struct err *err)
{
    struct reading reading = {.reader = reader};
    struct str scratch = {0};
    enum err_code rc = folder_file_open(&reading.file, dir, name, err);

    if (rc == ERR_OK)
        rc = read_lines(&reading, &scratch, err);
    str_fini(&scratch);
    folder_file_close(&reading.file);
    return rc;
}

enum err_code folder_read_products(struct folder_reader *reader, const char *dir, const char *name, struct err *err)
{
    char *path = str_format("%s/%s", dir, name);
    char *text = NULL;
    struct json *json = NULL;
    size_t mark;
    size_t length = 0;
    enum err_code rc;

    if (path == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a path");
    rc = file_text_read(&text, &length, path, MAX_PRODUCTS_BYTES, err);
    if (rc != ERR_OK)
        goto done;
    mark = str_starts_with(text, utf8_mark) ? strlen(utf8_mark) : 0;
    rc = json_value_parse_lenient(&json, text + mark, length - mark, err);
    if (rc == ERR_OK && json_value_kind(json) != JSON_KIND_ARRAY)
        rc = ERR_SET(err, ERR_FORMAT, "it is no array of products");
done:
    if (rc != ERR_OK)
        (void)err_wrap(err, "%s", name);
    for (size_t i = 0; rc == ERR_OK && i < json_value_count(json); i++)
        rc = reader->on_product(reader->context, json_value_at(json, i), err);
    json_value_destroy(json);
    free(text);
    free(path);
    return rc;
}
