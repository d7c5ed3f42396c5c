/*
 * What looks after the queues and the documents, in every gateway, each safe beside the others. Each second jobs whose
 * time has come are promoted. In each round (30 s, and at once when Redis is back):
 *   queues     the consumer group is made where it is gone; open jobs whose entry was lost get a new one; the stream is
 *              trimmed to what is pending; consumers that are gone are forgotten
 *   documents  what is unfinished and older than settle_after_ms is held against its HASH: none, and the job is
 *              enqueued again from the document; one that ended, and the document says so too; a cancel that did not
 *              get through is carried out
 */
#ifndef GATEWAY_UPKEEP_H
#define GATEWAY_UPKEEP_H

#include "gateway/services.h"

struct upkeep;

/* Works with the services' queue, store and settings. NULL when out of memory. */
struct upkeep *upkeep_create(const struct services *services);

/* Before the services close; on_closed runs when what is under way has ended and the memory is gone. */
typedef void (*upkeep_closed_fn)(void *context);
void upkeep_close(struct upkeep *upkeep, upkeep_closed_fn on_closed, void *context);

#endif
