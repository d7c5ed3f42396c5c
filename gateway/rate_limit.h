/*
 * How much a client may ask for in an hour, counted in Redis so that all gateways share it. One call a client is under
 * way at a time and takes all that came meanwhile with it. A client that is far from its limit does not wait for the
 * answer: with more than half left a moment ago, a request goes on at once and is counted behind it. So at most what
 * comes within one round trip to several gateways can go over. When Redis is away, slow or full, nothing is limited.
 */
#ifndef GATEWAY_RATE_LIMIT_H
#define GATEWAY_RATE_LIMIT_H

#include "gateway/exchange.h"

enum { RATE_LIMIT_WINDOW_S = 3600 };

enum rate_limit_policy { RATE_LIMIT_NONE, RATE_LIMIT_SUBMIT, RATE_LIMIT_READ, RATE_LIMIT_POLICY_COUNT };

struct rate_limit;

/* Uses the services' queue and settings, which outlive it. NULL when out of memory. */
struct rate_limit *rate_limit_create(const struct services *services);

/* When no exchange is left; the memory goes when what is under way has come. NULL is accepted. */
void rate_limit_close(struct rate_limit *limit);

/* Called once, perhaps from within the call. Where it is not allowed, rate_limit_refuse answers. */
typedef void (*rate_limit_fn)(struct exchange *exchange, const void *context, bool allowed);

/* Counts one request of the exchange's client (the name of its key, else its address) and puts RateLimit and
 * RateLimit-Policy into the reply. */
void rate_limit_charge(struct exchange *exchange, enum rate_limit_policy policy, rate_limit_fn fn, const void *context);

/* Gives back what an allowed charge counted: it turned out to be no submission. */
void rate_limit_refund(struct exchange *exchange, enum rate_limit_policy policy);

/* 429 with Retry-After, after a charge that was not allowed. */
void rate_limit_refuse(struct exchange *exchange);

/* "submit", "read" */
const char *rate_limit_policy_name(enum rate_limit_policy policy);

#endif
