/*
 * GET /v1/jobs/{id}/events: a job's changes as Server-Sent Events. First its state now, then what happens, until the
 * job has ended. Streams are bounded in number and in what they keep for a client that does not read.
 *
 *   FINDING ──the job is there──> CATCHING_UP ──head, missed events, state now──> FOLLOWING ──terminal──> end
 *      └──404, 503                     └──204: it has seen the end already
 */
#ifndef GATEWAY_API_EVENTS_H
#define GATEWAY_API_EVENTS_H

#include <stddef.h>

#include "gateway/exchange.h"

struct api_events;

/* Uses the services' events, which outlive it. NULL when out of memory. */
struct api_events *api_events_create(const struct services *services);

/* The route. */
void api_events_get(struct exchange *exchange);

/* How many streams there are. */
size_t api_events_count(const struct api_events *streams);

/* All streams end now, and later ones at once. */
void api_events_drain(struct api_events *streams);

/* When no stream is left. NULL is accepted. */
void api_events_close(struct api_events *streams);

#endif
