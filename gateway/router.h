/*
 * From a complete request to the route that answers it: path, method, key, scope, in that order.
 */
#ifndef GATEWAY_ROUTER_H
#define GATEWAY_ROUTER_H

#include "gateway/exchange.h"

/* Answers the exchange exactly once, now or later. */
void router_dispatch(struct exchange *exchange);

/* Whether a path fits a pattern ("/v1/jobs/{id}"); the job's id goes to id[JOB_ID_BYTES], "" where it is none. */
bool router_match(const char *pattern, const char *path, char *id);

#endif
