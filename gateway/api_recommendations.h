/*
 * GET /v1/recommendations/…: what is published now for a user or a product, of the shop that ?namespace= names.
 */
#ifndef GATEWAY_API_RECOMMENDATIONS_H
#define GATEWAY_API_RECOMMENDATIONS_H

#include "gateway/exchange.h"

void api_recommendations_homepage(struct exchange *exchange);
void api_recommendations_similar(struct exchange *exchange);
void api_recommendations_cross_sell(struct exchange *exchange);

#endif
