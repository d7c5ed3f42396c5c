/*
 * GET /v1/analytics/latest: the newest analytics of the shop that ?namespace= names.
 */
#ifndef GATEWAY_API_ANALYTICS_H
#define GATEWAY_API_ANALYTICS_H

#include "gateway/exchange.h"

void api_analytics_get_latest(struct exchange *exchange);

#endif
