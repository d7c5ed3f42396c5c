#include "gateway/request_log.h"

#include "common/base/log.h"

enum { TURN_BYTES = 16 * 1024 /* more of them go at once */ };

static void write_lines(struct request_log *log)
{
    log_write_lines(&log->lines);
    if (log->lines.failed)
        str_fini(&log->lines);
    else
        str_clear(&log->lines);
}

static void on_turn_end(uv_prepare_t *turn_end)
{
    struct request_log *log = turn_end->data;

    (void)uv_prepare_stop(turn_end); /* never fails, as init, and start with a callback */
    write_lines(log);
}

void request_log_init(struct request_log *log, uv_loop_t *loop)
{
    *log = (struct request_log){0};
    (void)uv_prepare_init(loop, &log->turn_end);
    log->turn_end.data = log;
}

void request_log_close(struct request_log *log)
{
    write_lines(log);
    str_fini(&log->lines);
    uv_close((uv_handle_t *)&log->turn_end, NULL);
}

void request_log_add(struct request_log *log, const struct exchange *exchange)
{
    int64_t elapsed_us = (int64_t)((uv_hrtime() - exchange->begun_ns) / 1000);
    const struct log_field fields[] = {
        log_text("method", exchange->request.method),
        log_text("route", exchange->route != NULL ? exchange->route : "-"),
        log_int("status", exchange->reply.status),
        log_ms("ms", elapsed_us),
        log_text("client", exchange->client[0] != '\0' ? exchange->client : "-"),
        log_text("address", exchange->address[0] != '\0' ? exchange->address : "-"),
        log_text("request", exchange->id),
        log_text(exchange->job_id[0] != '\0' ? "job" : NULL, exchange->job_id),
    };

    log_gather(&log->lines, LOG_LEVEL_INFO, "http.request", fields, sizeof fields / sizeof fields[0]);
    if (log->lines.length > TURN_BYTES)
        write_lines(log);
    else
        (void)uv_prepare_start(&log->turn_end, on_turn_end);
}
