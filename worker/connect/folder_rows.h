/*
 * What the columns of an export's tables mean: records of interactions.csv and products.csv as the JSON that the CMS
 * would serve, each with its "line".
 */
#ifndef WORKER_CONNECT_FOLDER_ROWS_H
#define WORKER_CONNECT_FOLDER_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/connect/folder_csv.h"
#include "worker/pipeline/interactions.h"

enum { FOLDER_ROWS_MOST_COLUMNS = 5 };

enum folder_table { FOLDER_INTERACTIONS, FOLDER_PRODUCTS };

/* Which field of a record is which column. */
struct folder_columns {
    enum folder_table table;
    size_t count; /* of the header's fields */
    size_t places[FOLDER_ROWS_MOST_COLUMNS];
};

/* Reads the header; ERR_FORMAT names the column that is missing, or there twice. */
enum err_code folder_rows_read_header(struct folder_columns *columns, enum folder_table table,
                                      const struct folder_csv *header, struct err *err) MUST_CHECK;

/* What is asked of a record before it is worth its JSON. */
struct folder_activity {
    enum action action;
    int64_t created;
};

/* NULL, or the reason (a constant) why the record is no activity, and in *field what of it is at fault. */
const char *folder_rows_check(struct folder_activity *out, const struct folder_columns *columns,
                              const struct folder_csv *record, struct folder_csv_field *field);

/* An activity that was checked; NULL when out of memory. Without an id of its own its id is -line. */
struct json *folder_rows_activity(const struct folder_columns *columns, const struct folder_csv *record,
                                  const struct folder_activity *activity, size_t line);

/* NULL when out of memory. */
struct json *folder_rows_product(const struct folder_columns *columns, const struct folder_csv *record, size_t line);

#endif
