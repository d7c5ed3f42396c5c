#include "common/net/redis_link.h"

#include <hiredis/async.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct link {
    uv_poll_t poll;
    uv_prepare_t turn_end;
    int open_handles;
    bool writing;
    struct redis_link_owner owner;
    redisAsyncContext *connection; /* NULL: hiredis is done with it */
    int events;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;

    if (link->connection != NULL && (status < 0 || (events & UV_READABLE) != 0))
        redisAsyncHandleRead(link->connection);
    if (link->connection != NULL && status >= 0 && (events & UV_WRITABLE) != 0)
        redisAsyncHandleWrite(link->connection);
}

static void watch(struct link *link, int events)
{
    int status;

    if (link->events == events)
        return;
    link->events = events;
    status = events != 0 ? uv_poll_start(&link->poll, events, on_poll) : uv_poll_stop(&link->poll);
    if (status != 0)
        link->owner.broken(link->owner.self);
}

static void add_read(void *data)
{
    struct link *link = data;

    watch(link, link->events | UV_READABLE);
}

static void delete_read(void *data)
{
    struct link *link = data;

    watch(link, link->events & ~UV_READABLE);
}

static void write_at_turn_end(uv_prepare_t *turn_end)
{
    struct link *link = turn_end->data;

    (void)uv_prepare_stop(turn_end); /* never fails, as start with a callback */
    if (link->connection == NULL)
        return;
    link->writing = true;
    redisAsyncHandleWrite(link->connection);
    link->writing = false;
}

/* hiredis connects, or has something to write; also from within a write that left some. */
static void add_write(void *data)
{
    struct link *link = data;

    if (link->writing || (link->connection->c.flags & REDIS_CONNECTED) == 0)
        watch(link, link->events | UV_WRITABLE);
    else if ((link->events & UV_WRITABLE) == 0)
        (void)uv_prepare_start(&link->turn_end, write_at_turn_end);
}

static void delete_write(void *data)
{
    struct link *link = data;

    watch(link, link->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct redis_link_owner owner = link->owner;

    if (--link->open_handles > 0)
        return;
    free(link);
    owner.closed(owner.self);
}

static void cleanup(void *data)
{
    struct link *link = data;

    link->owner.closing(link->owner.self, link->connection);
    link->connection = NULL;
    uv_close((uv_handle_t *)&link->poll, on_closed);
    uv_close((uv_handle_t *)&link->turn_end, on_closed);
}

void redis_link_flush(struct redisAsyncContext *connection)
{
    struct link *link = connection->ev.data;

    if (link != NULL && uv_is_active((uv_handle_t *)&link->turn_end) != 0)
        write_at_turn_end(&link->turn_end);
}

bool redis_link_attach(struct redisAsyncContext *connection, uv_loop_t *loop, const struct redis_link_owner *owner)
{
    struct link *link = mem_zeroed(1, sizeof *link);

    if (link == NULL || uv_poll_init(loop, &link->poll, connection->c.fd) != 0) {
        free(link);
        return false;
    }
    (void)uv_prepare_init(loop, &link->turn_end); /* never fails */
    link->open_handles = 2;
    link->poll.data = link;
    link->turn_end.data = link;
    link->owner = *owner;
    link->connection = connection;
    connection->ev.data = link;
    connection->ev.addRead = add_read;
    connection->ev.delRead = delete_read;
    connection->ev.addWrite = add_write;
    connection->ev.delWrite = delete_write;
    connection->ev.cleanup = cleanup;
    return true;
}
