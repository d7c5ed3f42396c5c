/*
 * What the routes work with. Made by the server, lent to every exchange; all on the loop's thread.
 */
#ifndef GATEWAY_SERVICES_H
#define GATEWAY_SERVICES_H

#include <uv.h>

#include "common/base/clock.h"

struct api_events;
struct api_keys;
struct events;
struct gateway_metrics;
struct gateway_settings;
struct job_id_source;
struct job_shops;
struct queue_client;
struct rate_limit;
struct readiness;
struct recommendation_reader;
struct store_client;
struct waiters;

struct services {
    uv_loop_t *loop;
    struct clock_source clock;
    struct job_id_source *ids;
    const struct gateway_settings *settings;
    struct api_keys *keys;
    struct job_shops *shops;
    struct queue_client *queue;
    struct store_client *store;
    struct events *events;
    struct waiters *waiters;
    struct api_events *event_streams;
    struct rate_limit *limit; /* NULL, as the next two: there is none, in tests */
    struct readiness *readiness;
    struct gateway_metrics *metrics;
    struct recommendation_reader *recommendations;
};

#endif
