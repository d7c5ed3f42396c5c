#include "worker/connect/folder_rows.h"

#include <string.h>
#include <strings.h>

#include "common/base/str.h"
#include "worker/connect/folder_time.h"

enum { NUMBER_BYTES = 32 };

static const size_t nowhere = SIZE_MAX;

enum interaction_column { COLUMN_ID, COLUMN_USER, COLUMN_PRODUCT, COLUMN_ACTION, COLUMN_TIME };
enum product_column { PRODUCT_ID, PRODUCT_TITLE, PRODUCT_STATUS, PRODUCT_STOCK };

/* `other`: as the cache's table has it. */
struct column {
    const char *name;
    const char *other;
    bool required;
};

static const struct column interaction_columns[FOLDER_ROWS_MOST_COLUMNS] = {
    [COLUMN_ID] = {"id", NULL, false},
    [COLUMN_USER] = {"user", "user_uid", true},
    [COLUMN_PRODUCT] = {"product", "product_id", true},
    [COLUMN_ACTION] = {"action", NULL, true},
    [COLUMN_TIME] = {"time", "created", true},
};

static const struct column product_columns[FOLDER_ROWS_MOST_COLUMNS] = {
    [PRODUCT_ID] = {"id", "product_id", true},
    [PRODUCT_TITLE] = {"title", NULL, false},
    [PRODUCT_STATUS] = {"status", NULL, false},
    [PRODUCT_STOCK] = {"stock", NULL, false},
};

static bool is_text(struct folder_csv_field field, const char *text)
{
    return text != NULL && field.length == strlen(text) && strncasecmp(field.text, text, field.length) == 0;
}

static enum err_code find_column(size_t *place, const struct column *column, const struct folder_csv *header,
                                 struct err *err)
{
    *place = nowhere;
    for (size_t i = 0; i < header->count; i++) {
        struct folder_csv_field field = folder_csv_trim(header->fields[i]);

        if (!is_text(field, column->name) && !is_text(field, column->other))
            continue;
        if (*place != nowhere)
            return ERR_SET(err, ERR_FORMAT, "the header has the column \"%s\" twice", column->name);
        *place = i;
    }
    if (*place == nowhere && column->required)
        return ERR_SET(err, ERR_FORMAT, "the header has no column \"%s\"", column->name);
    return ERR_OK;
}

enum err_code folder_rows_read_header(struct folder_columns *columns, enum folder_table table,
                                      const struct folder_csv *header, struct err *err)
{
    const struct column *wanted = table == FOLDER_INTERACTIONS ? interaction_columns : product_columns;
    enum err_code rc = ERR_OK;

    *columns = (struct folder_columns){.table = table, .count = header->count};
    for (size_t i = 0; i < FOLDER_ROWS_MOST_COLUMNS && rc == ERR_OK; i++) {
        columns->places[i] = nowhere;
        if (wanted[i].name != NULL)
            rc = find_column(&columns->places[i], &wanted[i], header, err);
    }
    return rc;
}

/* Without spaces around it; "" where there is no such column. */
static struct folder_csv_field field_of(const struct folder_columns *columns, const struct folder_csv *record,
                                        size_t column)
{
    size_t place = columns->places[column];

    return place < record->count ? folder_csv_trim(record->fields[place]) : (struct folder_csv_field){.text = ""};
}

/* The name of an action, or its short form, in any case. */
static bool parse_action(struct folder_csv_field field, enum action *out)
{
    static const char *const short_names[ACTION_COUNT] = {
        [ACTION_INITIATE_CHECKOUT] = "checkout",
        [ACTION_ADD_TO_CART] = "cart",
        [ACTION_ADD_TO_WISHLIST] = "wishlist",
        [ACTION_CONTENT_VIEW] = "view",
    };

    for (unsigned i = 0; i < ACTION_COUNT; i++) {
        if (is_text(field, action_name((enum action)i)) || is_text(field, short_names[i])) {
            *out = (enum action)i;
            return true;
        }
    }
    return false;
}

const char *folder_rows_check(struct folder_activity *out, const struct folder_columns *columns,
                              const struct folder_csv *record, struct folder_csv_field *field)
{
    *field = field_of(columns, record, COLUMN_ACTION);
    if (!parse_action(*field, &out->action))
        return "unknown_action";
    *field = field_of(columns, record, COLUMN_TIME);
    if (!folder_time_parse(field->text, field->length, &out->created))
        return "line_time";
    *field = field_of(columns, record, COLUMN_USER);
    if (!str_is_utf8(field->text, field->length))
        return "line_not_utf8";
    return NULL;
}

static bool copy_number(char *out, struct folder_csv_field field)
{
    if (field.length == 0 || field.length >= NUMBER_BYTES || memchr(field.text, '\0', field.length) != NULL)
        return false;
    memcpy(out, field.text, field.length);
    out[field.length] = '\0';
    return true;
}

/* A whole number is itself; another text is what it hashes to (FNV-1a), so that what has one id stays one activity. */
static int64_t make_id(struct folder_csv_field field, size_t line)
{
    uint64_t hash = 0xcbf29ce484222325u;
    char number[NUMBER_BYTES];
    int64_t id;

    if (field.length == 0)
        return -(int64_t)line;
    if (copy_number(number, field) && str_to_int64(number, &id))
        return id;
    for (size_t i = 0; i < field.length; i++)
        hash = (hash ^ (unsigned char)field.text[i]) * 0x100000001b3u;
    return (int64_t)(hash >> 1);
}

static struct json *text_of(struct folder_csv_field field)
{
    return json_value_new_bytes(field.text, field.length);
}

struct json *folder_rows_activity(const struct folder_columns *columns, const struct folder_csv *record,
                                  const struct folder_activity *activity, size_t line)
{
    bool one = activity->action == ACTION_CONTENT_VIEW || activity->action == ACTION_ADD_TO_CART;
    struct json *product = text_of(field_of(columns, record, COLUMN_PRODUCT));
    struct json *info = json_value_new_object();
    struct json *json = json_value_new_object();
    bool good = json_value_set(info, one ? "id" : "content_ids", product);

    good = good && (!one || json_value_set_text(info, "referrer", ""));
    good = good && json_value_set_int(json, "line", (int64_t)line);
    good = good && json_value_set_int(json, "id", make_id(field_of(columns, record, COLUMN_ID), line));
    good = good && json_value_set_text(json, "action", action_name(activity->action));
    good = good && json_value_set(json, "user_uid", text_of(field_of(columns, record, COLUMN_USER)));
    if (json_value_set(json, "info", info) && good && json_value_set_int(json, "created", activity->created))
        return json;
    json_value_destroy(json);
    return NULL;
}

/* A number of any form; what is none stays a text, for the cleaning to refuse. */
static struct json *stock_of(struct folder_csv_field field)
{
    char number[NUMBER_BYTES];
    double value;

    if (field.length == 0)
        return json_value_new_null();
    return copy_number(number, field) && str_to_double(number, &value) ? json_value_new_real(value) : text_of(field);
}

/* What has no column for it is published, and in stock. */
struct json *folder_rows_product(const struct folder_columns *columns, const struct folder_csv *record, size_t line)
{
    struct folder_csv_field status = field_of(columns, record, PRODUCT_STATUS);
    bool published = columns->places[PRODUCT_STATUS] == nowhere || is_text(status, "Published");
    bool in_stock = columns->places[PRODUCT_STOCK] == nowhere;
    struct json *json = json_value_new_object();

    if (json_value_set_int(json, "line", (int64_t)line) &&
        json_value_set(json, "id", text_of(field_of(columns, record, PRODUCT_ID))) &&
        json_value_set(json, "stock",
                       in_stock ? json_value_new_int(1) : stock_of(field_of(columns, record, PRODUCT_STOCK))) &&
        json_value_set(json, "status", published ? json_value_new_text("Published") : text_of(status)) &&
        json_value_set(json, "title", text_of(field_of(columns, record, PRODUCT_TITLE))))
        return json;
    json_value_destroy(json);
    return NULL;
}
