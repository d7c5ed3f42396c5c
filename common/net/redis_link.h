/*
 * Between redis_async and hiredis: watches a connection's socket on a libuv loop. What is sent during a turn of the
 * loop is written at its end, and the kernel is asked to tell when more can be only where it did not take all. Frees
 * itself once hiredis is done with the connection and libuv with the handles.
 */
#ifndef COMMON_NET_REDIS_LINK_H
#define COMMON_NET_REDIS_LINK_H

#include <stdbool.h>
#include <uv.h>

struct redisAsyncContext;

struct redis_link_owner {
    void (*closing)(void *self, struct redisAsyncContext *connection); /* hiredis is about to free it */
    void (*closed)(void *self);                                        /* the handles are gone: once for each attach */
    void (*broken)(void *self);                                        /* libuv refuses to watch the socket */
    void *self;
};

/* What was sent is written now; not from within a reply. */
void redis_link_flush(struct redisAsyncContext *connection);

/* false when out of memory or handles. */
bool redis_link_attach(struct redisAsyncContext *connection, uv_loop_t *loop, const struct redis_link_owner *owner);

#endif
