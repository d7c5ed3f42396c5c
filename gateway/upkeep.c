#include "gateway/upkeep.h"

#include <stdlib.h>

#include "common/base/jitter.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/upkeep_parts.h"

enum { PROMOTION_MS = 1000, ROUND_MS = 30000 };

static void free_when_done(struct upkeep *upkeep)
{
    upkeep_closed_fn on_closed = upkeep->on_closed;
    void *context = upkeep->closed_context;

    if (!upkeep->closing || upkeep->open_handles > 0 || upkeep->pending > 0)
        return;
    free(upkeep);
    if (on_closed != NULL)
        on_closed(context);
}

void upkeep_begin(struct upkeep *upkeep)
{
    upkeep->pending++;
}

void upkeep_end(struct upkeep *upkeep)
{
    upkeep->pending--;
    free_when_done(upkeep);
}

void upkeep_log_failure(const char *event, const struct err *err)
{
    if (!err_is_transient(err->code) && err->code != ERR_CANCELLED)
        log_err(event, err);
}

static void run_round(struct upkeep *upkeep)
{
    if (upkeep->closing || !queue_client_is_ready(upkeep->services->queue))
        return;
    upkeep_begin(upkeep);
    upkeep_repair_run(upkeep);
    upkeep_documents_run(upkeep);
    upkeep_end(upkeep);
}

static void on_round(uv_timer_t *timer)
{
    run_round(timer->data);
}

static void on_ready(void *context)
{
    run_round(context);
}

static void on_promotion(uv_timer_t *timer)
{
    struct upkeep *upkeep = timer->data;

    if (queue_client_is_ready(upkeep->services->queue))
        upkeep_promotion_run(upkeep);
}

struct upkeep *upkeep_create(const struct services *services)
{
    struct upkeep *upkeep = mem_zeroed(1, sizeof *upkeep);
    const struct job_queue_names *queues = queue_client_queues(services->queue);
    int64_t half_ms = services->settings->settle_after_ms / 2;
    uint64_t round_ms = half_ms < ROUND_MS ? (uint64_t)half_ms : ROUND_MS;
    uint64_t promotion_ms = round_ms < PROMOTION_MS ? round_ms : PROMOTION_MS;

    if (upkeep == NULL)
        return NULL;
    upkeep->services = services;
    for (size_t i = 0; i < queues->count; i++)
        upkeep->queues[i] = (struct upkeep_queue){.upkeep = upkeep, .name = queues->names[i]};
    (void)uv_timer_init(services->loop, &upkeep->promotion_timer); /* these never fail */
    (void)uv_timer_init(services->loop, &upkeep->round_timer);
    upkeep->promotion_timer.data = upkeep;
    upkeep->round_timer.data = upkeep;
    upkeep->open_handles = 2;
    (void)uv_timer_start(&upkeep->promotion_timer, on_promotion, promotion_ms, promotion_ms);
    /* Gateways that started together take their turns apart. */
    (void)uv_timer_start(&upkeep->round_timer, on_round, (uint64_t)jitter_between(1, (int64_t)round_ms), round_ms);
    queue_client_watch(services->queue, on_ready, upkeep);
    return upkeep;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct upkeep *upkeep = handle->data;

    upkeep->open_handles--;
    free_when_done(upkeep);
}

void upkeep_close(struct upkeep *upkeep, upkeep_closed_fn on_closed, void *context)
{
    upkeep->closing = true;
    upkeep->on_closed = on_closed;
    upkeep->closed_context = context;
    queue_client_watch(upkeep->services->queue, NULL, NULL);
    uv_close((uv_handle_t *)&upkeep->promotion_timer, on_timer_closed);
    uv_close((uv_handle_t *)&upkeep->round_timer, on_timer_closed);
}
