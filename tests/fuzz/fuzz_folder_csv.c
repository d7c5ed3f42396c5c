/*
 * Tables of an export: the record reader over the input as it is, whole and cut, and the file as interactions (first
 * byte odd: as products) through source and cleaning.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/connect/folder_csv.h"
#include "worker/connect/folder_read.h"
#include "worker/pipeline/clean.h"

enum { NOW_S = 1767225600 };

struct rows {
    struct interactions interactions;
    struct clean_counts counts;
    struct catalogue catalogue;
    size_t malformed;
    size_t taken;
};

static enum err_code on_activity(void *context, enum action asked, const struct json *row, struct err *err)
{
    struct rows *rows = context;

    FUZZ_CHECK(asked < ACTION_COUNT);
    rows->taken++;
    return clean_activity(&rows->interactions, &rows->counts, row, NOW_S, err);
}

static enum err_code on_product(void *context, const struct json *row, struct err *err)
{
    struct rows *rows = context;

    rows->taken++;
    return clean_product(&rows->catalogue, &rows->malformed, row, err);
}

/* What is a record with more to come is the same record at the end of a file; all of it lies within the text. */
static void check_records(const char *text, size_t size)
{
    struct folder_csv *csv = calloc(1, sizeof *csv);
    size_t at = 0;

    FUZZ_CHECK(csv != NULL);
    csv->separator = folder_csv_guess_separator(text, size);
    while (at < size) {
        enum folder_csv_outcome more = folder_csv_read(csv, text + at, size - at, false);
        size_t count = csv->count;
        size_t used = csv->used;

        if (folder_csv_read(csv, text + at, size - at, true) != FOLDER_CSV_RECORD)
            break;
        FUZZ_CHECK(csv->used > 0 && csv->used <= size - at && csv->lines <= csv->used);
        FUZZ_CHECK(more == FOLDER_CSV_UNFINISHED
                       ? csv->used == size - at
                       : more == FOLDER_CSV_RECORD && used == csv->used && count == csv->count);
        for (size_t i = 0; i < csv->count; i++)
            FUZZ_CHECK(csv->fields[i].text != NULL && csv->fields[i].length <= size);
        at += csv->used;
    }
    folder_csv_fini(csv);
    free(csv);
}

static void check_file(const char *path, bool products)
{
    static const int64_t from_s[ACTION_COUNT] = {0};
    struct rows rows = {0};
    struct source_counts counts = {0};
    struct folder_reader reader = {.on_activity = products ? NULL : on_activity,
                                   .on_product = products ? on_product : NULL,
                                   .context = &rows,
                                   .from_s = from_s,
                                   .counts = &counts};
    struct err err = {0};
    enum err_code rc;

    FUZZ_CHECK(interactions_init(&rows.interactions, &err) == ERR_OK);
    catalogue_init(&rows.catalogue);
    rc = folder_read_csv(&reader, "/", path, &err);
    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_FORMAT && err.message[0] != '\0'));
    FUZZ_CHECK(rows.taken + source_bad_total(&counts) + counts.too_old <= counts.lines);
    FUZZ_CHECK(catalogue_sort(&rows.catalogue, &err) == ERR_OK);
    catalogue_fini(&rows.catalogue);
    interactions_fini(&rows.interactions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool products = size > 0 && data[0] % 2 == 1;

    data += size > 0;
    size -= size > 0;
    check_records((const char *)data, size);
    check_file(fuzz_file(data, size), products);
    return 0;
}
