/*
 * Between the redis_async files only: what was sent and is not answered yet, oldest first.
 */
#ifndef COMMON_NET_REDIS_REQUEST_H
#define COMMON_NET_REDIS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/redis_async.h"

struct redis_request {
    struct redis_async *redis;
    struct redis_request *next;
    redis_async_reply_fn fn;
    void *context;
    struct redis_command command; /* kept for a script that may have to be sent again */
    uint64_t deadline_ms;         /* of the loop's time */
    bool sent_as_text;
};

/* Init with {0}. */
struct redis_request_list {
    struct redis_request *head;
    struct redis_request *tail;
    size_t count;
};

/* NULL when out of memory or when the command is marked failed; else it has taken the command, which is empty then. */
struct redis_request *redis_request_create(struct redis_command *command);
struct redis_request *redis_request_create_copy(const struct redis_command *command);
void redis_request_destroy(struct redis_request *request);

void redis_request_push(struct redis_request_list *list, struct redis_request *request);
struct redis_request *redis_request_pop(struct redis_request_list *list); /* NULL: empty */

/* How long after `now_ms` its reply may come when it is sent behind `list`: replies come in order, and XREAD and
 * XREADGROUP may rightly keep silent for their BLOCK. */
uint64_t redis_request_deadline(const struct redis_request *request, const struct redis_request_list *list,
                                uint64_t now_ms, uint64_t reply_timeout_ms);

#endif
