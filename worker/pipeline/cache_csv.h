/*
 * The cache's table: id,action,user_uid,created,product_id as CSV (RFC 4180). Texts like NA or null are users as any.
 */
#ifndef WORKER_PIPELINE_CACHE_CSV_H
#define WORKER_PIPELINE_CACHE_CSV_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "worker/pipeline/interactions.h"

/* Appends the rows for which keep (NULL: all) is not 0, under a header. */
enum err_code cache_csv_write(struct str *out, const struct interactions *rows, const unsigned char *keep,
                              struct err *err) MUST_CHECK;

/* Appends the rows of data[0..size) to `rows`; columns in any order, numbers also as 38420.0. ERR_FORMAT names the
 * line. */
enum err_code cache_csv_read(struct interactions *rows, const char *data, size_t size, struct err *err) MUST_CHECK;

#endif
