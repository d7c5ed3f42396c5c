/*
 * Settles what was answered 202 while nobody knew whether the queue had it: documents that stay `accepted` are given to
 * the queue again, which is safe to do twice. Each replica does so beside the others.
 */
#ifndef GATEWAY_SETTLE_H
#define GATEWAY_SETTLE_H

#include <stdint.h>

#include "gateway/services.h"

struct settle;

/* Looks at documents older than after_ms. NULL when out of memory. */
struct settle *settle_create(const struct services *services, int64_t after_ms);

/* on_closed runs when what is under way has ended and the memory is gone. */
typedef void (*settle_closed_fn)(void *context);
void settle_close(struct settle *settle, settle_closed_fn on_closed, void *context);

#endif
