#include "worker/connect/folder_csv.h"

#include <string.h>

/* Where in the text the reading is. */
struct cursor {
    const char *at;
    const char *end;
    bool last;
};

static bool is_at_line_end(const struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return cursor->last;
    if (*cursor->at == '\n')
        return true;
    return *cursor->at == '\r' && (cursor->at + 1 < cursor->end ? cursor->at[1] == '\n' : cursor->last);
}

/* The field's text is placed when the record is whole: the buffer moves as it grows. */
static enum folder_csv_outcome read_quoted(struct folder_csv *csv, struct cursor *cursor,
                                           struct folder_csv_field *field)
{
    size_t begin = csv->unquoted.length;

    for (cursor->at++;;) {
        const char *quote = memchr(cursor->at, '"', (size_t)(cursor->end - cursor->at));

        if (quote == NULL)
            return FOLDER_CSV_UNFINISHED;
        str_append(&csv->unquoted, cursor->at, (size_t)(quote - cursor->at));
        for (; cursor->at < quote; cursor->at++)
            csv->lines += *cursor->at == '\n';
        cursor->at++;
        if (cursor->at == cursor->end || *cursor->at != '"')
            break;
        str_append_char(&csv->unquoted, '"');
        cursor->at++;
    }
    *field = (struct folder_csv_field){.length = csv->unquoted.length - begin};
    if (csv->unquoted.failed)
        return FOLDER_CSV_NO_MEMORY;
    if (!cursor->last && (cursor->at == cursor->end || (*cursor->at == '\r' && cursor->at + 1 == cursor->end)))
        return FOLDER_CSV_UNFINISHED;
    return is_at_line_end(cursor) || *cursor->at == csv->separator ? FOLDER_CSV_RECORD : FOLDER_CSV_QUOTES;
}

static enum folder_csv_outcome read_plain(const struct folder_csv *csv, struct cursor *cursor,
                                          struct folder_csv_field *field)
{
    const char *begin = cursor->at;

    while (cursor->at < cursor->end && *cursor->at != csv->separator && !is_at_line_end(cursor))
        cursor->at++;
    *field = (struct folder_csv_field){.text = begin, .length = (size_t)(cursor->at - begin)};
    return cursor->at < cursor->end || cursor->last ? FOLDER_CSV_RECORD : FOLDER_CSV_UNFINISHED;
}

static void place_unquoted(struct folder_csv *csv)
{
    size_t begin = 0;

    for (size_t i = 0; i < csv->count; i++) {
        if (csv->fields[i].text != NULL)
            continue;
        csv->fields[i].text = csv->unquoted.length > 0 ? csv->unquoted.text + begin : "";
        begin += csv->fields[i].length;
    }
}

enum folder_csv_outcome folder_csv_read(struct folder_csv *csv, const char *text, size_t size, bool last)
{
    struct cursor cursor = {.at = text, .end = text + size, .last = last};

    csv->count = 0;
    csv->lines = 0;
    csv->used = 0;
    str_clear(&csv->unquoted);
    for (;;) {
        struct folder_csv_field *field = &csv->fields[csv->count];
        enum folder_csv_outcome outcome;

        if (csv->count == FOLDER_CSV_MAX_FIELDS)
            return FOLDER_CSV_TOO_MANY_FIELDS;
        outcome = cursor.at < cursor.end && *cursor.at == '"' ? read_quoted(csv, &cursor, field)
                                                              : read_plain(csv, &cursor, field);
        if (outcome != FOLDER_CSV_RECORD)
            return outcome;
        csv->count++;
        if (is_at_line_end(&cursor))
            break;
        cursor.at++; /* the separator */
    }
    place_unquoted(csv);
    cursor.at += cursor.at < cursor.end && *cursor.at == '\r';
    csv->lines += cursor.at < cursor.end;
    cursor.at += cursor.at < cursor.end;
    csv->used = (size_t)(cursor.at - text);
    return FOLDER_CSV_RECORD;
}

void folder_csv_fini(struct folder_csv *csv)
{
    str_fini(&csv->unquoted);
}

char folder_csv_guess_separator(const char *text, size_t size)
{
    const char *newline = size > 0 ? memchr(text, '\n', size) : NULL;
    static const char others[] = ";\t";

    size = newline != NULL ? (size_t)(newline - text) : size;
    if (size == 0 || memchr(text, ',', size) != NULL)
        return ',';
    for (const char *other = others; *other != '\0'; other++) {
        if (memchr(text, *other, size) != NULL)
            return *other;
    }
    return ',';
}

struct folder_csv_field folder_csv_trim(struct folder_csv_field field)
{
    while (field.length > 0 && (field.text[0] == ' ' || field.text[0] == '\t')) {
        field.text++;
        field.length--;
    }
    while (field.length > 0 && (field.text[field.length - 1] == ' ' || field.text[field.length - 1] == '\t'))
        field.length--;
    return field;
}
