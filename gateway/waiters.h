/*
 * Exchanges that wait for their job to end, or to change. Bounded in number; each looks when an event says that there
 * is something to see, and slowly without one.
 */
#ifndef GATEWAY_WAITERS_H
#define GATEWAY_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "gateway/exchange.h"

enum { WAITERS_MAX = 1024 };

struct waiters;

/* Uses the services' events, which outlive it. NULL when out of memory. */
struct waiters *waiters_create(const struct services *services);

/* The job as it is when the wait ends: it is terminal, its state is no longer `known`, the time is over, the client
 * left or the gateway ends. NULL document with err: nobody could tell. The document is the callee's. */
typedef void (*waiters_fn)(struct exchange *exchange, struct json *document, const struct err *err);

/* known: end when the state is another; NULL: end when it is terminal. Not from within this call. ERR_TOO_LARGE: too
 * many wait. */
enum err_code waiters_add(struct waiters *waiters, struct exchange *exchange, const char *id, const char *known,
                          int64_t wait_ms, waiters_fn fn, struct err *err) MUST_CHECK;

/* How many wait. */
size_t waiters_count(const struct waiters *waiters);

/* All waits end now, and later ones at once. */
void waiters_drain(struct waiters *waiters);

/* When none waits any more; on_closed runs when the timer is closed and the memory gone. */
typedef void (*waiters_closed_fn)(void *context);
void waiters_close(struct waiters *waiters, waiters_closed_fn on_closed, void *context);

#endif
