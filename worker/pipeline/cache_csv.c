#include "worker/pipeline/cache_csv.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum column { COLUMN_ID, COLUMN_ACTION, COLUMN_USER, COLUMN_CREATED, COLUMN_PRODUCT, COLUMN_COUNT };

enum { MAX_COLUMNS = 32, MOST_DIGITS = 19 };

static const char *const column_names[COLUMN_COUNT] = {"id", "action", "user_uid", "created", "product_id"};

static void append_number(struct str *out, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    str_append(out, digits + at, sizeof digits - at);
}

static void append_field(struct str *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        str_append_text(out, text);
        return;
    }
    str_append_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            str_append_char(out, '"');
        str_append_char(out, *text);
    }
    str_append_char(out, '"');
}

enum err_code cache_csv_write(struct str *out, const struct interactions *rows, const unsigned char *keep,
                              struct err *err)
{
    str_append_text(out, "id,action,user_uid,created,product_id\n");
    for (size_t row = 0; row < rows->count; row++) {
        if (keep != NULL && !keep[row])
            continue;
        append_number(out, rows->activity_id[row]);
        str_append_char(out, ',');
        str_append_text(out, action_name((enum action)rows->action[row]));
        str_append_char(out, ',');
        append_field(out, id_table_text(rows->users, rows->user[row]));
        str_append_char(out, ',');
        append_number(out, rows->created[row]);
        str_append_char(out, ',');
        append_number(out, rows->product_id[row]);
        str_append_char(out, '\n');
    }
    return out->failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory for a cache of %zu rows", rows->count) : ERR_OK;
}

struct reader {
    const char *at;
    const char *end;
    size_t line;         /* lines behind us */
    size_t record_line;  /* in which the record begins, from 1 */
    struct str unquoted; /* of the fields of a record that are quoted, one behind the other */
    struct id_text fields[MAX_COLUMNS];
    size_t field_count;
    bool has_quoted;
    size_t places[COLUMN_COUNT]; /* the field that holds a column */
};

/* A quoted field, unquoted into the buffer. */
static bool read_quoted(struct reader *reader, struct id_text *field)
{
    size_t begin = reader->unquoted.length;

    for (reader->at++; reader->at < reader->end; reader->at++) {
        if (*reader->at == '"') {
            if (reader->at + 1 == reader->end || reader->at[1] != '"')
                break;
            reader->at++;
        }
        reader->line += *reader->at == '\n';
        str_append_char(&reader->unquoted, *reader->at);
    }
    if (reader->at == reader->end || reader->unquoted.failed)
        return false;
    reader->at++; /* the closing quote */
    *field = (struct id_text){.text = NULL, .length = reader->unquoted.length - begin};
    return true;
}

/* Unquoted texts get their place only now: the buffer may have moved while it grew. */
static void place_unquoted(struct reader *reader)
{
    size_t begin = 0;

    for (size_t i = 0; i < reader->field_count; i++) {
        if (reader->fields[i].text != NULL)
            continue;
        reader->fields[i].text = reader->unquoted.length > 0 ? reader->unquoted.text + begin : "";
        begin += reader->fields[i].length;
    }
}

/* Which of eight bytes are `byte`: of those the first, which is the lowest, has its high bit set in the result, and
 * none before it has. */
static uint64_t mark_byte(uint64_t word, unsigned char byte)
{
    uint64_t difference = word ^ (UINT64_MAX / 255 * byte);

    return (difference - UINT64_MAX / 255) & ~difference & (UINT64_MAX / 255 * 0x80);
}

static bool ends_field(char byte)
{
    return byte == ',' || byte == '\n' || byte == '\r';
}

/* Eight bytes at a time, but for the last of the table. */
static const char *find_end_of_field(const char *at, const char *end)
{
    uint64_t word;

    for (; (size_t)(end - at) >= sizeof word; at += sizeof word) {
        uint64_t marks;

        memcpy(&word, at, sizeof word);
        word = le64toh(word); /* the first byte is the lowest */
        marks = mark_byte(word, ',') | mark_byte(word, '\n') | mark_byte(word, '\r');
        if (marks != 0)
            return at + __builtin_ctzll(marks) / 8;
    }
    while (at < end && !ends_field(*at))
        at++;
    return at;
}

static void read_plain(struct reader *reader, struct id_text *field)
{
    const char *end = find_end_of_field(reader->at, reader->end);

    *field = (struct id_text){.text = reader->at, .length = (size_t)(end - reader->at)};
    reader->at = end;
}

static bool read_field(struct reader *reader, struct id_text *field)
{
    if (reader->at < reader->end && *reader->at == '"') {
        reader->has_quoted = true;
        return read_quoted(reader, field);
    }
    read_plain(reader, field);
    return true;
}

/* One record into fields; false where it is malformed. */
static bool read_record(struct reader *reader)
{
    reader->field_count = 0;
    reader->record_line = reader->line + 1;
    reader->has_quoted = false;
    str_clear(&reader->unquoted);
    for (;;) {
        if (reader->field_count == MAX_COLUMNS || !read_field(reader, &reader->fields[reader->field_count]))
            return false;
        reader->field_count++;
        if (reader->at == reader->end || *reader->at != ',')
            break;
        reader->at++;
    }
    if (reader->has_quoted)
        place_unquoted(reader);
    if (reader->at < reader->end && *reader->at == '\r')
        reader->at++;
    if (reader->at < reader->end && *reader->at != '\n')
        return false;
    reader->at += reader->at < reader->end;
    reader->line++;
    return true;
}

static bool read_header(struct reader *reader)
{
    unsigned found = 0;

    if (!read_record(reader))
        return false;
    for (size_t i = 0; i < reader->field_count; i++) {
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            if (reader->fields[i].length == strlen(column_names[column]) &&
                memcmp(reader->fields[i].text, column_names[column], reader->fields[i].length) == 0) {
                reader->places[column] = i;
                found |= 1u << column;
            }
        }
    }
    return found == (1u << COLUMN_COUNT) - 1;
}

/* -?[0-9]+(\.0)? within 64 bits */
static bool parse_number(struct id_text field, int64_t *out)
{
    bool negative = field.length > 0 && field.text[0] == '-';
    uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;

    if (negative) {
        field.text++;
        field.length--;
    }
    if (field.length > 2 && memcmp(field.text + field.length - 2, ".0", 2) == 0)
        field.length -= 2;
    if (field.length == 0)
        return false;
    for (; field.length > MOST_DIGITS && *field.text == '0'; field.text++)
        field.length--;
    if (field.length > MOST_DIGITS)
        return false;
    for (size_t i = 0; i < field.length; i++) {
        uint64_t digit = (uint64_t)((unsigned char)field.text[i] - '0');

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return value <= most;
}

/* Rows that wait to be added together: their users are texts of the table. */
struct waiting {
    struct interaction rows[INTERACTIONS_TOGETHER];
    size_t count;
};

static enum err_code add_waiting(struct interactions *rows, struct waiting *waiting, struct err *err)
{
    enum err_code rc = interactions_add_many(rows, waiting->rows, waiting->count, err);

    waiting->count = 0;
    return rc;
}

static enum err_code add_record(struct interactions *rows, struct waiting *waiting, const struct reader *reader,
                                struct err *err)
{
    struct id_text user = reader->fields[reader->places[COLUMN_USER]];
    struct id_text action = reader->fields[reader->places[COLUMN_ACTION]];
    struct interaction *row = &waiting->rows[waiting->count];

    if (!parse_number(reader->fields[reader->places[COLUMN_ID]], &row->activity_id) ||
        !action_parse_text(action.text, action.length, &row->action) ||
        !parse_number(reader->fields[reader->places[COLUMN_CREATED]], &row->created) ||
        !parse_number(reader->fields[reader->places[COLUMN_PRODUCT]], &row->product_id) || user.length == 0 ||
        memchr(user.text, '\0', user.length) != NULL)
        return ERR_SET(err, ERR_FORMAT, "interactions.csv line %zu: a value is not of its column", reader->record_line);
    row->user = user;
    waiting->count++;
    if (waiting->count == INTERACTIONS_TOGETHER || reader->unquoted.length > 0) /* which the next record overwrites */
        return add_waiting(rows, waiting, err);
    return ERR_OK;
}

/* What ended the reading: the table, or memory for what was quoted. */
static enum err_code broken(const struct reader *reader, const char *what, struct err *err)
{
    if (reader->unquoted.failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to read interactions.csv");
    return ERR_SET(err, ERR_FORMAT, "interactions.csv line %zu: %s", reader->record_line, what);
}

enum err_code cache_csv_read(struct interactions *rows, const char *data, size_t size, struct err *err)
{
    struct reader reader = {.at = data, .end = data + size};
    struct waiting waiting = {.count = 0};
    enum err_code rc = ERR_OK;

    if (!read_header(&reader))
        rc = broken(&reader, "a header with id,action,user_uid,created,product_id is missing", err);
    while (rc == ERR_OK && reader.at < reader.end) {
        size_t columns = reader.field_count;

        if (!read_record(&reader) || reader.field_count != columns)
            rc = broken(&reader, "not as many columns as the header", err);
        else
            rc = add_record(rows, &waiting, &reader, err);
    }
    if (rc == ERR_OK)
        rc = add_waiting(rows, &waiting, err);
    str_fini(&reader.unquoted);
    return rc;
}
