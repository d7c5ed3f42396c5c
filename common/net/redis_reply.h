/*
 * A reply of Redis, read without knowing the client library. Nested replies belong to the outer one.
 */
#ifndef COMMON_NET_REDIS_REPLY_H
#define COMMON_NET_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct redis_reply;

enum redis_reply_kind {
    REDIS_REPLY_KIND_NIL,
    REDIS_REPLY_KIND_TEXT,
    REDIS_REPLY_KIND_INT,
    REDIS_REPLY_KIND_ARRAY,
    REDIS_REPLY_KIND_ERROR
};

/* All accept NULL, which is nil. */
enum redis_reply_kind redis_reply_kind(const struct redis_reply *reply);
const char *redis_reply_text(const struct redis_reply *reply); /* bulk, status or error text (terminated), else NULL */
size_t redis_reply_text_length(const struct redis_reply *reply);
bool redis_reply_to_int64(const struct redis_reply *reply, int64_t *out); /* an integer, or a text that is one */
size_t redis_reply_count(const struct redis_reply *reply);
const struct redis_reply *redis_reply_at(const struct redis_reply *array, size_t index);

/* Whether this is an error whose first word is `word` ("NOSCRIPT", "NOGROUP", "READONLY"). */
bool redis_reply_is_error(const struct redis_reply *reply, const char *word);

/* ERR_OK, or the error that the reply is: LOADING, READONLY, BUSY, OOM, MASTERDOWN, TRYAGAIN, CLUSTERDOWN,
 * MISCONF, NOREPLICAS are ERR_UNAVAILABLE, all else ERR_REMOTE. */
enum err_code redis_reply_check(const struct redis_reply *reply, struct err *err) MUST_CHECK;

/* For replies that a redis_client handed over; replies in a redis_async callback are borrowed. */
void redis_reply_destroy(struct redis_reply *reply);

#endif
