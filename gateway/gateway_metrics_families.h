/*
 * The gateway's metrics by name.
 */
#ifndef GATEWAY_GATEWAY_METRICS_FAMILIES_H
#define GATEWAY_GATEWAY_METRICS_FAMILIES_H

#include "common/net/metrics.h"

struct gateway_metrics_families {
    /* by queue */
    struct metrics_family *jobs; /* and state */
    struct metrics_family *open;
    struct metrics_family *oldest;
    struct metrics_family *paused;
    struct metrics_family *pending;
    struct metrics_family *entries;
    struct metrics_family *lag;
    struct metrics_family *workers;      /* and state */
    struct metrics_family *last_success; /* by type and shop */
    struct metrics_family *queue_up;
    struct metrics_family *reconnects;
    struct metrics_family *store_up;
    struct metrics_family *store_calls; /* by operation, as the next */
    struct metrics_family *store_failures;
    struct metrics_family *requests;  /* by route, method, code */
    struct metrics_family *durations; /* by route, method */
    struct metrics_family *limited;   /* by route */
    struct metrics_family *connections;
    struct metrics_family *streams;
    struct metrics_family *waiters;
};

/* Adds all; what is missing shows in metrics_is_whole. */
void gateway_metrics_families_add(struct gateway_metrics_families *out, struct metrics *metrics);

/* Forgets what is read anew at each scrape, so that nothing old is shown when a server is away. */
void gateway_metrics_families_clear(const struct gateway_metrics_families *families);

#endif
