/*
 * A Redis connection on a libuv loop that keeps itself connected: reconnects with full jitter, 0.1-10 s. All calls and
 * callbacks are on the loop's thread. While it is away, sends are answered ERR_UNAVAILABLE at once: nothing queues up.
 * A command behind a blocking one (XREADGROUP … BLOCK) waits for it: what must not wait takes a connection of its own.
 * The program ignores SIGPIPE. States: CONNECTING -> READY -> (lost) CONNECTING …; close() from any -> CLOSED, once.
 */
#ifndef COMMON_NET_REDIS_ASYNC_H
#define COMMON_NET_REDIS_ASYNC_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/net/redis_command.h"
#include "common/net/redis_reply.h"
#include "common/net/redis_url.h"

struct redis_async;

/* Told of every change: ready true after AUTH, SELECT and PING; false when lost or when the first connect failed (err
 * says why), before the callbacks of what was pending. */
typedef void (*redis_async_state_fn)(void *context, bool ready, const struct err *err);

/* Called exactly once per send: reply (borrowed, NULL on failure) and err (NULL on success). An error reply comes as
 * err with the reply beside it, so that NOGROUP and the like can be told. */
typedef void (*redis_async_reply_fn)(void *context, const struct redis_reply *reply, const struct err *err);

struct redis_async_config {
    struct redis_url url;
    int connect_timeout_ms; /* 0: 5000 */
    int reply_timeout_ms;   /* 0: 10000; a reply that takes longer breaks the connection */
    redis_async_state_fn on_state;
    void *context; /* of on_state */
};

/* Starts connecting; `config` is copied. */
enum err_code redis_async_create(struct redis_async **out, uv_loop_t *loop, const struct redis_async_config *config,
                                 struct err *err) MUST_CHECK;

bool redis_async_is_ready(const struct redis_async *redis);

/* Milliseconds (uv_now) since the connection last became ready; -1 while it is not. */
int64_t redis_async_ready_for_ms(const struct redis_async *redis);

/* How often the connection was made anew. */
uint64_t redis_async_reconnects(const struct redis_async *redis);

/* The command is copied. A failure to send is told by the callback, from the loop, not from within this call (but for
 * lack of memory and after close, when there is no loop to tell it from: don't send again on ERR_CANCELLED). */
void redis_async_send(struct redis_async *redis, const struct redis_command *command, redis_async_reply_fn fn,
                      void *context);

/* The same with a command that is not needed any more: it is empty then. */
void redis_async_give(struct redis_async *redis, struct redis_command *command, redis_async_reply_fn fn, void *context);

/* What was sent is on its way now, not only at the end of the loop's turn. Not from within a reply. */
void redis_async_flush(struct redis_async *redis);

/* Pending sends are answered ERR_CANCELLED; on_closed (NULL allowed) runs when all handles are closed and the memory
 * is free. Idempotent. */
typedef void (*redis_async_closed_fn)(void *context);
void redis_async_close(struct redis_async *redis, redis_async_closed_fn on_closed, void *context);

#endif
