/*
 * From a complete request to the route that answers it: path, method, key, scope, in that order.
 */
#ifndef GATEWAY_ROUTER_H
#define GATEWAY_ROUTER_H

#include "gateway/exchange.h"

/* Answers the exchange exactly once, now or later. */
void router_dispatch(struct exchange *exchange);

/* The table of routes, for who describes it; false behind its end. */
struct router_route {
    const char *method;
    const char *pattern;
    bool open; /* to all, without a key */
};
bool router_route_at(size_t index, struct router_route *out);

/* Whether a path fits a pattern with at most one hole ("/v1/jobs/{id}", "…/{user}"), which takes all up to the next
 * slash; what is in {id} goes to id[JOB_ID_BYTES], "" where it is none. */
bool router_match(const char *pattern, const char *path, char *id);

#endif
