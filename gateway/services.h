/*
 * What the routes work with. Made by the server, lent to every exchange; all on the loop's thread.
 */
#ifndef GATEWAY_SERVICES_H
#define GATEWAY_SERVICES_H

#include <uv.h>

#include "common/base/clock.h"

struct api_keys;
struct gateway_settings;
struct queue_client;
struct shops;
struct store_client;
struct waiters;

struct services {
    uv_loop_t *loop;
    struct clock_source clock;
    const struct gateway_settings *settings;
    struct api_keys *keys;
    struct shops *shops;
    struct queue_client *queue;
    struct store_client *store;
    struct waiters *waiters;
};

#endif
