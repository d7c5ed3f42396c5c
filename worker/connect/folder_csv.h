/*
 * One record of CSV (RFC 4180) at a time out of memory: quoted fields with separators, line ends and doubled quotes in
 * them; lines end with LF or CR LF. Fields are not terminated, and valid until the next record.
 */
#ifndef WORKER_CONNECT_FOLDER_CSV_H
#define WORKER_CONNECT_FOLDER_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/str.h"

enum { FOLDER_CSV_MAX_FIELDS = 256 };

struct folder_csv_field {
    const char *text;
    size_t length;
};

struct folder_csv {
    char separator;
    size_t count;
    struct folder_csv_field fields[FOLDER_CSV_MAX_FIELDS];
    size_t used;         /* bytes of the record, its end with it */
    size_t lines;        /* that end in it */
    struct str unquoted; /* what of it stood in quotes */
};

enum folder_csv_outcome {
    FOLDER_CSV_RECORD,
    FOLDER_CSV_UNFINISHED,      /* the text ends within a quoted field, or within the line where more is to come */
    FOLDER_CSV_QUOTES,          /* text behind a closing quote */
    FOLDER_CSV_TOO_MANY_FIELDS, /* over FOLDER_CSV_MAX_FIELDS */
    FOLDER_CSV_NO_MEMORY
};

/* *csv starts as {.separator = ','}. `last`: the text is the rest of the file, so that no line end is needed. */
enum folder_csv_outcome folder_csv_read(struct folder_csv *csv, const char *text, size_t size, bool last);
void folder_csv_fini(struct folder_csv *csv);

/* The separator of a header: the comma, or where the line has none, a semicolon or a tab. */
char folder_csv_guess_separator(const char *text, size_t size);

/* Without the spaces around it. */
struct folder_csv_field folder_csv_trim(struct folder_csv_field field);

#endif
