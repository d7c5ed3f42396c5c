/*
 * Documents between our JSON and BSON: members ending in `_at` are dates there and ISO 8601 texts here; `fence` is
 * always a 64-bit integer.
 */
#ifndef COMMON_JOB_JOB_STORE_MONGO_BSON_H
#define COMMON_JOB_JOB_STORE_MONGO_BSON_H

#include <bson/bson.h>

#include "common/base/err.h"
#include "common/net/json_value.h"

/* Results are the caller's, to go to bson_destroy or json_value_destroy. */
enum err_code job_store_mongo_to_bson(bson_t **out, const struct json *document, struct err *err) MUST_CHECK;

/* The same with `fence` set. */
enum err_code job_store_mongo_changes_to_bson(bson_t **out, const struct json *changes, int64_t fence,
                                              struct err *err) MUST_CHECK;

/* The same with `_id` and `fence` set. */
enum err_code job_store_mongo_report_to_bson(bson_t **out, const struct json *report, const char *id, int64_t fence,
                                             struct err *err) MUST_CHECK;

enum err_code job_store_mongo_from_bson(struct json **out, const bson_t *bson, struct err *err) MUST_CHECK;

#endif
