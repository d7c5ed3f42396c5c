/*
 * POST /v1/jobs/{id}/cancel and /retry.
 */
#ifndef GATEWAY_API_CONTROL_H
#define GATEWAY_API_CONTROL_H

#include "gateway/exchange.h"

/* The document is told first, then the queue: a cancel that does not get through is carried out by the upkeep. */
void api_control_cancel(struct exchange *exchange);

/* A dead or cancelled job is opened again in the store, then enqueued; refused, it is put back as it was. */
void api_control_retry(struct exchange *exchange);

#endif
