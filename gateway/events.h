/*
 * What happens to jobs, as it happens: one blocking read of all queues' events on a Redis connection of its own, fanned
 * out in memory to who subscribed to a job. Each event comes once and in order, also over a lost connection. Where some
 * may have been missed (Redis was away or lost writes, the stream was trimmed) every subscriber is told to look for
 * itself. While nobody is subscribed nothing is read; the first who subscribes is told to look too, when reading goes
 * on. All on the loop's thread.
 *
 *   AWAY ──connected──> POSITIONING ──each queue's newest id is known──> READING ──lost──> AWAY
 *                            ^────first subscriber──── RESTING <──nobody──'
 */
#ifndef GATEWAY_EVENTS_H
#define GATEWAY_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/job/job_queue_control.h"
#include "common/net/redis_url.h"

struct events;

/* event NULL: look for yourself. In it a subscriber may unsubscribe itself and others, and subscribe new ones. */
typedef void (*events_fn)(void *context, const struct job_queue_event *event);

/* Embedded in the subscriber; init with {0}. */
struct events_subscriber {
    char job_id[JOB_ID_BYTES];
    events_fn fn;
    void *context;
    struct events_subscriber *next;
    struct events_subscriber **link; /* what points here; NULL: not subscribed */
};

struct events_config {
    struct redis_url url;
    const char *const *queues; /* names, borrowed as long as the events live */
    size_t queue_count;
    int64_t block_ms; /* of one read; 0: 5000 */
    int64_t rest_ms;  /* without a subscriber, until no more is read; 0: 1000 */
};

enum err_code events_create(struct events **out, uv_loop_t *loop, const struct events_config *config,
                            struct err *err) MUST_CHECK;

/* From now on; what was before is the subscriber's to look up, after this call. */
void events_subscribe(struct events *events, struct events_subscriber *subscriber, const char *job_id, events_fn fn,
                      void *context);
void events_unsubscribe(struct events *events, struct events_subscriber *subscriber); /* idempotent */

size_t events_count(const struct events *events);

/* How often its connection was made anew. */
uint64_t events_reconnects(const struct events *events);

/* Whether events are read now; else they come later, or a call to look does. */
bool events_are_followed(const struct events *events);

/* When nobody is subscribed any more; the memory goes when all is closed. Idempotent, NULL is accepted. */
void events_close(struct events *events);

/* Ids of a Redis stream, "<ms>-<number>"; neither text need be valid for the comparison, which is as strcmp's. */
bool events_id_is_valid(const char *id);
int events_id_compare(const char *a, const char *b);

#endif
