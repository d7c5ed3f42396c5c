#include "gateway/settle.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "gateway/job_overlay.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"
#include "gateway/submission.h"

enum { EVERY_MS = 30000, AT_ONCE = 100 };

struct settle {
    const struct services *services;
    int64_t after_ms;
    uv_timer_t timer;
    size_t pending; /* answers to come */
    bool timer_open;
    bool closing;
    settle_closed_fn on_closed;
    void *closed_context;
};

static void free_when_done(struct settle *settle)
{
    settle_closed_fn on_closed = settle->on_closed;
    void *context = settle->closed_context;

    if (!settle->closing || settle->timer_open || settle->pending > 0)
        return;
    free(settle);
    if (on_closed != NULL)
        on_closed(context);
}

static void on_resumed(void *context, const struct submission_result *result)
{
    struct settle *settle = context;

    if (result->outcome != SUBMISSION_FAILED)
        log_info("job.settled", log_text("job", result->id),
                 log_text("state", result->outcome == SUBMISSION_ACCEPTED ? "queued" : "superseded"));
    settle->pending--;
    free_when_done(settle);
}

static void resume(struct settle *settle, const struct json *document)
{
    const char *id = json_value_get_text(document, "_id");
    int64_t now_ms = clock_unix_ms(&settle->services->clock);
    struct json *own;

    if (id == NULL || job_overlay_id_time_ms(id) < 0 || now_ms - job_overlay_id_time_ms(id) < settle->after_ms)
        return;
    own = json_value_dup(document);
    if (own == NULL)
        return;
    settle->pending++;
    submission_resume(settle->services, own, on_resumed, settle);
}

static void on_listed(void *context, struct store_result *result)
{
    struct settle *settle = context;

    for (size_t i = 0; result->code == ERR_OK && !settle->closing && i < json_value_count(result->document); i++)
        resume(settle, json_value_at(result->document, i));
    settle->pending--;
    free_when_done(settle);
}

static void on_tick(uv_timer_t *timer)
{
    struct settle *settle = timer->data;

    if (settle->pending > 0 || !queue_client_is_ready(settle->services->queue))
        return;
    if (store_client_list(settle->services->store, job_state_name(JOB_ACCEPTED), AT_ONCE, on_listed, settle, NULL) ==
        ERR_OK)
        settle->pending++;
}

struct settle *settle_create(const struct services *services, int64_t after_ms)
{
    struct settle *settle = mem_zeroed(1, sizeof *settle);
    uint64_t every_ms = after_ms / 2 < EVERY_MS ? (uint64_t)after_ms / 2 : EVERY_MS;

    if (settle == NULL)
        return NULL;
    settle->services = services;
    settle->after_ms = after_ms;
    (void)uv_timer_init(services->loop, &settle->timer); /* never fails, as start with a callback */
    settle->timer.data = settle;
    settle->timer_open = true;
    (void)uv_timer_start(&settle->timer, on_tick, every_ms, every_ms);
    return settle;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct settle *settle = handle->data;

    settle->timer_open = false;
    free_when_done(settle);
}

void settle_close(struct settle *settle, settle_closed_fn on_closed, void *context)
{
    settle->closing = true;
    settle->on_closed = on_closed;
    settle->closed_context = context;
    uv_close((uv_handle_t *)&settle->timer, on_timer_closed);
}
