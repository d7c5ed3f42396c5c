/*
 * Reads what is published now, where a shop's backend reads it: by the shop's URL and key prefix, as the worker has
 * them. For a look, not for a shop's traffic: each read has a connection of its own, and few go on at a time.
 */
#ifndef GATEWAY_RECOMMENDATION_READER_H
#define GATEWAY_RECOMMENDATION_READER_H

#include <stdint.h>

#include "common/base/env.h"
#include "common/base/err.h"
#include "common/job/job_targets.h"
#include "common/net/json_value.h"
#include "gateway/services.h"

enum { RECOMMENDATION_READER_MAX = 32 };

struct recommendation_reader;

/* `env`: the gateway's settings, which a shop's overlay. Both are borrowed. NULL when out of memory. */
struct recommendation_reader *recommendation_reader_create(const struct services *services, const struct env *env);

/* When no read is under way. NULL is accepted. */
void recommendation_reader_destroy(struct recommendation_reader *reader);

struct recommendation {
    struct json *products; /* ids, best first; who wants to keep them sets it to NULL */
    const char *key;       /* in Redis, with its prefix */
    int64_t ttl_s;         /* -1: until they are replaced */
};

/* Once, and not from within the call. ERR_NOT_FOUND: nothing is published under that name. */
typedef void (*recommendation_fn)(void *context, struct recommendation *found, const struct err *err);

/* name: of the user or the product. A refusal comes at once: ERR_UNAVAILABLE where too many read, ERR_CONFIG where the
 * shop's targets are wrong; then `fn` is not called. */
enum err_code recommendation_reader_start(struct recommendation_reader *reader, const char *shop,
                                          enum job_target_kind kind, const char *name, recommendation_fn fn,
                                          void *context, struct err *err) MUST_CHECK;

#endif
