/*
 * Documents between our JSON and BSON: members ending in `_at` are dates there and ISO 8601 texts here, whole numbers
 * are 64-bit integers.
 */
#ifndef COMMON_JOB_JOB_STORE_MONGO_BSON_H
#define COMMON_JOB_JOB_STORE_MONGO_BSON_H

#include <bson/bson.h>

#include "common/base/err.h"
#include "common/net/json_value.h"

/* Results are the caller's, to go to bson_destroy or json_value_destroy. ERR_FORMAT: a time that is none. */
enum err_code job_store_mongo_to_bson(bson_t **out, const struct json *document, struct err *err) MUST_CHECK;

/* What JSON has no word for (an ObjectId, a binary) becomes null. */
enum err_code job_store_mongo_from_bson(struct json **out, const bson_t *bson, struct err *err) MUST_CHECK;

#endif
