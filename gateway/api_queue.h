/*
 * /v1/queue and /v1/workers: how the queues stand, pausing them, who works.
 */
#ifndef GATEWAY_API_QUEUE_H
#define GATEWAY_API_QUEUE_H

#include "gateway/exchange.h"

void api_queue_get(struct exchange *exchange);

/* ?queue=NAME, else all; answer as GET does. */
void api_queue_pause(struct exchange *exchange);
void api_queue_resume(struct exchange *exchange);

void api_queue_get_workers(struct exchange *exchange);

#endif
