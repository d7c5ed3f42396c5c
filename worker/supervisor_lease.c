#include "worker/supervisor_lease.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

enum { TELL_EVERY_MS = 1000, STAGE_BYTES = 32 };

struct supervisor_lease {
    struct supervisor_lease_config config;
    uv_timer_t timer;
    char stage[STAGE_BYTES];
    char sent_stage[STAGE_BYTES]; /* of the beat that is, or was last, under way */
    char told_stage[STAGE_BYTES]; /* of the last that was answered well */
    double progress;
    int64_t sent_ms; /* of the beat under way; monotonic, as the next */
    int64_t held_ms; /* when the last beat that was answered well was sent */
    bool in_flight;
    bool beat_again;
    bool stopped;
    bool told_failure;
    bool timer_open;
    void (*on_closed)(void *context);
    void *closed_context;
};

static int64_t now_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

static void free_when_closed(struct supervisor_lease *lease)
{
    void (*on_closed)(void *context) = lease->on_closed;
    void *context = lease->closed_context;

    if (on_closed == NULL || lease->timer_open || lease->in_flight)
        return;
    free(lease);
    on_closed(context);
}

/* Once: the next beats may fail likewise. */
static void tell_failure(struct supervisor_lease *lease, const struct redis_reply *reply, const struct err *err)
{
    if (supervisor_news_take(lease->config.news, reply, err) || lease->told_failure)
        return;
    lease->told_failure = true;
    log_warn("job.beat_failed", log_text("job", lease->config.lease.entry.job_id), log_text("message", err->message));
}

static void on_answer(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_lease *lease = context;
    enum job_queue_beaten answer = JOB_QUEUE_BEAT_LOST;
    struct err own;
    enum err_code rc = err != NULL ? err->code : job_queue_beat_parse(reply, &answer, &own);

    lease->in_flight = false;
    if (lease->on_closed != NULL) {
        free_when_closed(lease);
        return;
    }
    if (rc != ERR_OK)
        tell_failure(lease, reply, err != NULL ? err : &own);
    if (lease->stopped)
        return;
    if (rc == ERR_OK && answer != JOB_QUEUE_BEAT_LOST) {
        lease->held_ms = lease->sent_ms;
        memcpy(lease->told_stage, lease->sent_stage, sizeof lease->told_stage);
    }
    if (lease->beat_again && rc == ERR_OK)
        supervisor_lease_beat(lease);
    if (rc == ERR_OK)
        lease->config.on_beat(lease->config.context, answer); /* may close this lease */
}

void supervisor_lease_beat(struct supervisor_lease *lease)
{
    const struct supervisor_lease_config *config = &lease->config;
    struct redis_command command;

    if (lease->stopped)
        return;
    lease->beat_again = lease->in_flight;
    if (lease->in_flight)
        return;
    lease->in_flight = true;
    lease->sent_ms = now_ms();
    memcpy(lease->sent_stage, lease->stage, sizeof lease->sent_stage);
    job_queue_beat_command(&command, config->queue, &config->lease, config->worker, lease->progress, lease->stage);
    redis_async_send(config->redis, &command, on_answer, lease);
    redis_command_fini(&command);
}

static void on_timer(uv_timer_t *timer)
{
    supervisor_lease_beat(timer->data);
}

enum err_code supervisor_lease_create(struct supervisor_lease **out, const struct supervisor_lease_config *config,
                                      struct err *err)
{
    struct supervisor_lease *lease = mem_zeroed(1, sizeof *lease);
    uint64_t every_ms = (uint64_t)config->heartbeat_ms;

    *out = NULL;
    if (lease == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a lease");
    lease->config = *config;
    lease->held_ms = now_ms();
    (void)uv_timer_init(config->loop, &lease->timer);
    lease->timer.data = lease;
    lease->timer_open = true;
    (void)uv_timer_start(&lease->timer, on_timer, every_ms, every_ms);
    *out = lease;
    return ERR_OK;
}

void supervisor_lease_tell(struct supervisor_lease *lease, const char *stage, double progress)
{
    bool is_new = strncmp(lease->stage, stage, sizeof lease->stage - 1) != 0;

    lease->progress = progress;
    str_copy(lease->stage, sizeof lease->stage, stage);
    if (is_new || (!lease->in_flight && now_ms() - lease->sent_ms >= TELL_EVERY_MS))
        supervisor_lease_beat(lease);
}

bool supervisor_lease_is_held(const struct supervisor_lease *lease)
{
    return now_ms() - lease->held_ms < lease->config.lease_ms;
}

bool supervisor_lease_has_told(const struct supervisor_lease *lease, const char *stage)
{
    return strcmp(lease->told_stage, stage) == 0;
}

void supervisor_lease_stop(struct supervisor_lease *lease)
{
    lease->stopped = true;
    (void)uv_timer_stop(&lease->timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct supervisor_lease *lease = handle->data;

    lease->timer_open = false;
    free_when_closed(lease);
}

void supervisor_lease_close(struct supervisor_lease *lease, void (*on_closed)(void *context), void *context)
{
    supervisor_lease_stop(lease);
    lease->on_closed = on_closed;
    lease->closed_context = context;
    uv_close((uv_handle_t *)&lease->timer, on_timer_closed);
}
