/*
 * What is said of the queue's Redis: one line when it goes away or takes no writes, and one when it is well again,
 * however often it is tried meanwhile.
 */
#ifndef WORKER_SUPERVISOR_NEWS_H
#define WORKER_SUPERVISOR_NEWS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/net/redis_reply.h"

enum supervisor_news_told {
    SUPERVISOR_NEWS_NOTHING,
    SUPERVISOR_NEWS_READY,
    SUPERVISOR_NEWS_AWAY,
    SUPERVISOR_NEWS_REFUSED /* full, or a replica: it stays this while the connection comes and goes for it */
};

/* Embedded in its owner; {.queues = …}. */
struct supervisor_news {
    enum supervisor_news_told told;
    const char *queues; /* "train,cpu", for the line */
};

/* It took a write. */
void supervisor_news_ready(struct supervisor_news *news);

/* The connection was lost, or there is none. */
void supervisor_news_away(struct supervisor_news *news, const struct err *err);

/* A command failed: `reply` and `err` as redis_async_send gives them. True: it is for a Redis that is away or refuses,
 * which is told here; false: it is the caller's to tell. */
bool supervisor_news_take(struct supervisor_news *news, const struct redis_reply *reply, const struct err *err);

#endif
