/*
 * One file of an export from its first line to its last, each handed over as the JSON that the CMS would serve.
 */
#ifndef WORKER_CONNECT_FOLDER_READ_H
#define WORKER_CONNECT_FOLDER_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/source.h"

/* Where the lines go; one of the two functions is set, and says whether the file is one of activities or of products.
 */
struct folder_reader {
    source_activity_fn on_activity;
    source_product_fn on_product;
    void *context;
    const int64_t *from_s; /* [ACTION_COUNT]: activities before it are counted as too old, and left out */
    const struct progress *progress;
    struct source_counts *counts;
};

/* Under a header that names the columns. */
enum err_code folder_read_csv(struct folder_reader *reader, const char *dir, const char *name,
                              struct err *err) MUST_CHECK;

/* Activities, an object a line. */
enum err_code folder_read_events(struct folder_reader *reader, const char *dir, const char *name,
                                 struct err *err) MUST_CHECK;

/* Products, all in one array: at most 64 MiB, and valid as a whole. */
enum err_code folder_read_products(struct folder_reader *reader, const char *dir, const char *name,
                                   struct err *err) MUST_CHECK;

#endif
