/*
 * What the gateway tells Prometheus: its own counts as they happen; queue, workers and last successes read when
 * somebody asks, at most each second. Served on METRICS_LISTEN. All on the loop's thread.
 */
#ifndef GATEWAY_GATEWAY_METRICS_H
#define GATEWAY_GATEWAY_METRICS_H

#include "gateway/connection.h"
#include "gateway/exchange.h"

struct gateway_metrics;

/* Where the address is "off" the counts are kept and nothing listens; the same, with a warning, where the default port
 * is taken. ERR_EXISTS: an address that was given is taken. `services` and `pool` outlive it. */
enum err_code gateway_metrics_create(struct gateway_metrics **out, const struct services *services,
                                     const struct connection_pool *pool, struct err *err) MUST_CHECK;

/* Before queue and store close; the memory goes when what is under way has come. NULL is accepted here and below. */
void gateway_metrics_close(struct gateway_metrics *metrics);

/* An exchange was answered. */
void gateway_metrics_count_request(struct gateway_metrics *metrics, const struct exchange *exchange);

/* An exchange was refused for its client's rate. */
void gateway_metrics_count_limited(struct gateway_metrics *metrics, const struct exchange *exchange);

#endif
