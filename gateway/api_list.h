/*
 * GET /v1/jobs?state=&type=&namespace=&limit=&cursor=: jobs from the store, newest first; live ones as their queue has
 * them now, but for their place in it.
 */
#ifndef GATEWAY_API_LIST_H
#define GATEWAY_API_LIST_H

#include "gateway/exchange.h"

enum { API_LIST_LIMIT = 20, API_LIST_MAX = 100 };

void api_list_get(struct exchange *exchange);

#endif
