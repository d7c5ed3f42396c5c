/*
 * What a client missed that comes back: its job's events behind the last one it had, as far as the queue still keeps
 * them, and whether there is nothing more to come.
 */
#ifndef GATEWAY_MISSED_EVENTS_H
#define GATEWAY_MISSED_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/job/job_queue_control.h"
#include "gateway/services.h"

enum { MISSED_EVENTS_MAX = 256 };

struct missed_events;

/* Once, perhaps from within the call: all that could be learned is there. */
typedef void (*missed_events_fn)(void *context);

/* NULL when out of memory; then `fn` is not called. Goes to missed_events_destroy, but not before `fn` was called. */
struct missed_events *missed_events_ask(const struct services *services, const char *queue, const char *job_id,
                                        const char *last_id, missed_events_fn fn, void *context);
void missed_events_destroy(struct missed_events *missed);

/* The newest 256 in their order; NULL behind the last. NULL is accepted and has none. */
const struct job_queue_event *missed_events_at(const struct missed_events *missed, size_t index);

/* Whether the client has seen the end of a job whose document is terminal: it asks for what follows something that the
 * queue still keeps, and nothing does or will. `newest`: the queue's newest id ("": unknown), asked for afterwards. The
 * document alone does not tell, for it ends before the queue says so. */
bool missed_events_are_over(const struct missed_events *missed, const char *newest);

#endif
