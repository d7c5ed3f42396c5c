/*
 * The access log: a line for every answer, never a key. What a turn of the loop answers is one write at the turn's end,
 * since a write costs more than its lines.
 */
#ifndef GATEWAY_REQUEST_LOG_H
#define GATEWAY_REQUEST_LOG_H

#include <uv.h>

#include "common/base/str.h"
#include "gateway/exchange.h"

/* Embedded in its owner. */
struct request_log {
    uv_prepare_t turn_end;
    struct str lines; /* of this turn */
};

void request_log_init(struct request_log *log, uv_loop_t *loop);

/* Writes what it still has, and closes its handle. */
void request_log_close(struct request_log *log);

void request_log_add(struct request_log *log, const struct exchange *exchange);

#endif
