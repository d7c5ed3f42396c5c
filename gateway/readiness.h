/*
 * GET /readyz: whether the queue's Redis and the store answer. They are asked when somebody asks here, at most each
 * second, and not waited for longer than that: a storm of probes costs nothing. All on the loop's thread.
 */
#ifndef GATEWAY_READINESS_H
#define GATEWAY_READINESS_H

#include "gateway/exchange.h"

struct readiness;

/* Uses the services' queue and store. NULL when out of memory. */
struct readiness *readiness_create(const struct services *services);

/* The route. */
void readiness_answer(struct exchange *exchange);

/* From now on the answer is 503: the gateway ends. */
void readiness_drain(struct readiness *readiness);

/* Before queue and store close; the memory goes when what is under way has come. NULL is accepted. */
void readiness_close(struct readiness *readiness);

#endif
