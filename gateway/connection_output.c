#include <string.h>

#include "common/base/log.h"
#include "gateway/connection_parts.h"
#include "gateway/gateway_metrics.h"
#include "gateway/request_log.h"

enum { STREAM_WAITING_BYTES = 64 * 1024, STREAM_SOCKET_BYTES = 16 * 1024 };

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct connection *connection = request->data;

    if (status != 0)
        connection_close(connection);
}

/* The last answer is out. What the client still sends is read and dropped, or the reset would overtake the answer. */
void connection_output_linger(struct connection *connection)
{
    if (connection->peer_done) {
        connection_close(connection);
        return;
    }
    connection_enter(connection, CONNECTION_LINGERING);
    connection->shutdown.data = connection;
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut_down) != 0)
        connection_close(connection);
    else
        connection_input_update(connection);
}

static void end_answer(struct connection *connection)
{
    if (connection->last || connection->pool->draining) {
        connection_output_linger(connection);
        return;
    }
    outlet_shrink(&connection->outlet);
    connection_enter(connection, CONNECTION_IDLE);
    connection_input_resume(connection);
}

static void flush(struct connection *connection)
{
    if (!outlet_flush(&connection->outlet))
        connection_close(connection);
    else if (connection->state == CONNECTION_WRITING && outlet_is_empty(&connection->outlet))
        end_answer(connection);
}

void connection_output_written(void *owner, int status)
{
    struct connection *connection = owner;

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (status != 0) {
        connection_close(connection);
        return;
    }
    flush(connection);
    connection_set_deadline(connection); /* anew: it takes what is written */
}

static struct http_reply_frame frame_of(const struct connection *connection, const struct exchange *exchange)
{
    return (struct http_reply_frame){.request_id = exchange->id,
                                     .unix_ms = clock_unix_ms(&exchange->services->clock),
                                     .keep_alive = !connection->last && !connection->pool->draining,
                                     .http_1_0 = exchange->request.http_1_0,
                                     .head_only = strcmp(exchange->request.method, "HEAD") == 0};
}

static void write_answer(struct connection *connection, const struct exchange *exchange)
{
    struct http_reply_frame frame = frame_of(connection, exchange);

    connection->last = !frame.keep_alive;
    connection_enter(connection, CONNECTION_WRITING);
    if (http_reply_print(&exchange->reply, &frame, &connection->outlet.waiting))
        flush(connection);
    else
        connection_close(connection); /* no memory for the answer */
}

static void on_stream_begun(struct exchange *exchange, void *owner)
{
    struct connection *connection = owner;
    struct http_reply_frame *frame = &connection->frame;
    int bytes = STREAM_SOCKET_BYTES;

    gateway_metrics_count_request(exchange->services->metrics, exchange); /* a stream's length is no duration */
    if (connection->state != CONNECTION_ANSWERING)
        return;
    *frame = frame_of(connection, exchange);
    frame->streamed = true;
    frame->keep_alive = frame->keep_alive && !frame->http_1_0;
    connection->last = !frame->keep_alive;
    /* The kernel would keep megabytes for a client that does not read. */
    (void)uv_send_buffer_size((uv_handle_t *)&connection->tcp, &bytes);
    connection_enter(connection, CONNECTION_STREAMING);
    (void)http_reply_print(&exchange->reply, frame, &connection->outlet.waiting);
    connection->overrun = !outlet_flush(&connection->outlet);
}

static bool on_stream_written(struct exchange *exchange, void *owner, const char *bytes, size_t length)
{
    struct connection *connection = owner;
    struct outlet *outlet = &connection->outlet;
    bool was_busy = outlet->busy;

    (void)exchange;
    if (connection->state != CONNECTION_STREAMING || connection->overrun)
        return false;
    connection->overrun = !http_reply_print_piece(&connection->frame, bytes, length, &outlet->waiting) ||
                          outlet->waiting.length > STREAM_WAITING_BYTES || !outlet_flush(outlet);
    if (!was_busy)
        connection_set_deadline(connection);
    return !connection->overrun;
}

static void end_stream(struct connection *connection)
{
    if (connection->overrun || !http_reply_print_end(&connection->frame, &connection->outlet.waiting)) {
        log_info("http.stream_overrun", log_text("address", connection->peer));
        connection_close(connection);
        return;
    }
    connection_enter(connection, CONNECTION_WRITING);
    flush(connection);
}

/* The exchange's memory for the next one. */
static void keep_arena(struct connection_pool *pool, struct exchange *exchange)
{
    if (pool->spare_count == CONNECTION_SPARE_ARENAS)
        return;
    arena_reset(exchange->arena);
    pool->spare_arenas[pool->spare_count++] = exchange->arena;
    exchange->arena = NULL;
}

void connection_output_answered(struct exchange *exchange, void *owner)
{
    struct connection *connection = owner;

    connection->exchange = NULL;
    request_log_add(connection->pool->log, exchange);
    if (!exchange->streamed)
        gateway_metrics_count_request(exchange->services->metrics, exchange);
    if (connection->state == CONNECTION_ANSWERING)
        write_answer(connection, exchange);
    else if (connection->state == CONNECTION_STREAMING)
        end_stream(connection);
    keep_arena(connection->pool, exchange);
    exchange_destroy(exchange);
    connection_free_when_done(connection);
}

const struct exchange_stream connection_output_stream = {.begin = on_stream_begun, .write = on_stream_written};
