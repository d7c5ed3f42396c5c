/*
 * A job as it is now: the store's document with its queue's HASH laid over it. Store and queues are asked at once, and
 * either alone is enough: a job can be watched while the store is away, and read when Redis is.
 */
#ifndef GATEWAY_JOB_LOOKUP_H
#define GATEWAY_JOB_LOOKUP_H

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "gateway/services.h"

/* The document is the callee's; NULL with err: ERR_NOT_FOUND, or why nobody could tell. Not from within the call. */
typedef void (*job_lookup_fn)(void *context, struct json *document, const struct err *err);

void job_lookup_start(const struct services *services, const char *id, job_lookup_fn fn, void *context);

#endif
