/*
 * GET /v1/reports/compare?a=&b=: two runs side by side (report_compare.h).
 */
#ifndef GATEWAY_API_COMPARE_H
#define GATEWAY_API_COMPARE_H

#include "gateway/exchange.h"

void api_compare_get(struct exchange *exchange);

#endif
