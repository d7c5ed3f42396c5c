#include "gateway/waiters.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job.h"
#include "gateway/events.h"
#include "gateway/job_lookup.h"
#include "gateway/queue_client.h"

enum { TICK_MS = 250, LOOK_MS = 10000, STATE_TEXT_BYTES = 16 };

struct waiter {
    struct waiters *waiters;
    struct waiter *next;
    struct waiter **link; /* what points here */
    struct exchange *exchange;
    struct events_subscriber subscriber;
    char known[STATE_TEXT_BYTES]; /* "" : until terminal */
    uint64_t deadline_ms;
    uint64_t look_ms;    /* when to look without an event */
    uint64_t reconnects; /* of the queue's connection, when it was asked */
    bool asking;         /* an answer is on its way */
    bool look_owed;      /* Redis could not be asked */
    bool ask_again;      /* it may be older than what was told since */
    waiters_fn fn;
};

struct waiters {
    const struct services *services;
    uv_timer_t timer; /* for deadlines, and for events that never come */
    struct waiter *first;
    size_t count;
    bool draining;
    waiters_closed_fn on_closed;
    void *closed_context;
};

static void look(struct waiter *waiter);

static void waiter_end(struct waiter *waiter, struct json *document, const struct err *err)
{
    struct waiters *waiters = waiter->waiters;
    struct exchange *exchange = waiter->exchange;
    waiters_fn fn = waiter->fn;

    exchange->on_left = NULL;
    events_unsubscribe(waiters->services->events, &waiter->subscriber);
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiters->count--;
    if (waiters->count == 0)
        (void)uv_timer_stop(&waiters->timer);
    free(waiter);
    fn(exchange, document, err);
}

static bool is_over(const struct waiter *waiter, const char *state)
{
    enum job_state parsed;

    if (waiter->known[0] != '\0')
        return strcmp(state, waiter->known) != 0;
    return job_state_parse(state, &parsed) && job_state_is_terminal(parsed);
}

static bool must_end(const struct waiter *waiter)
{
    return waiter->waiters->draining || waiter->exchange->client_left ||
           uv_now(waiter->waiters->services->loop) >= waiter->deadline_ms;
}

static void on_looked_up(void *context, struct json *document, const struct err *err)
{
    struct waiter *waiter = context;
    const struct queue_client *queue = waiter->waiters->services->queue;
    const char *state = json_value_get_text(document, "state");

    waiter->asking = false;
    if (must_end(waiter) || (state != NULL && is_over(waiter, state)) || (err != NULL && err->code == ERR_NOT_FOUND)) {
        waiter_end(waiter, document, err);
        return;
    }
    json_value_destroy(document); /* not yet, or nobody could tell */
    waiter->look_owed = !queue_client_is_ready(queue) || queue_client_reconnects(queue) != waiter->reconnects;
    if (waiter->ask_again)
        look(waiter);
}

static void look(struct waiter *waiter)
{
    const struct services *services = waiter->waiters->services;

    waiter->ask_again = waiter->asking;
    waiter->look_ms = uv_now(services->loop) + LOOK_MS;
    if (waiter->asking)
        return;
    waiter->asking = true;
    waiter->reconnects = queue_client_reconnects(services->queue);
    job_lookup_start(services, waiter->subscriber.job_id, on_looked_up, waiter);
}

static void on_event(void *context, const struct job_queue_event *event)
{
    struct waiter *waiter = context;

    if (event == NULL || is_over(waiter, job_state_name(event->state)))
        look(waiter);
}

static void on_left(struct exchange *exchange, void *context)
{
    (void)exchange;
    look(context); /* whatever comes is the end */
}

static void on_tick(uv_timer_t *timer)
{
    struct waiters *waiters = timer->data;
    bool queue_is_ready = queue_client_is_ready(waiters->services->queue);
    uint64_t now_ms = uv_now(timer->loop);

    for (struct waiter *waiter = waiters->first, *next; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (!waiter->asking && (must_end(waiter) || now_ms >= waiter->look_ms || (waiter->look_owed && queue_is_ready)))
            look(waiter);
    }
}

struct waiters *waiters_create(const struct services *services)
{
    struct waiters *waiters = mem_zeroed(1, sizeof *waiters);

    if (waiters == NULL)
        return NULL;
    waiters->services = services;
    (void)uv_timer_init(services->loop, &waiters->timer); /* never fails, as start with a callback */
    waiters->timer.data = waiters;
    return waiters;
}

enum err_code waiters_add(struct waiters *waiters, struct exchange *exchange, const char *id, const char *known,
                          int64_t wait_ms, waiters_fn fn, struct err *err)
{
    struct waiter *waiter;

    if (waiters->count >= WAITERS_MAX)
        return ERR_SET(err, ERR_TOO_LARGE, "%d clients wait for their jobs already", WAITERS_MAX);
    waiter = mem_zeroed(1, sizeof *waiter);
    if (waiter == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to wait");
    waiter->waiters = waiters;
    waiter->exchange = exchange;
    waiter->fn = fn;
    waiter->deadline_ms = uv_now(waiters->services->loop) + (uint64_t)wait_ms;
    str_copy(waiter->known, sizeof waiter->known, known != NULL ? known : "");
    waiter->next = waiters->first;
    waiter->link = &waiters->first;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    waiters->first = waiter;
    waiters->count++;
    events_subscribe(waiters->services->events, &waiter->subscriber, id, on_event, waiter);
    exchange->on_left = on_left;
    exchange->left_context = waiter;
    /* It may have happened before: a look is due, but not from within this call, which would end the exchange. */
    (void)uv_timer_start(&waiters->timer, on_tick, 0, TICK_MS);
    return ERR_OK;
}

size_t waiters_count(const struct waiters *waiters)
{
    return waiters->count;
}

void waiters_drain(struct waiters *waiters)
{
    waiters->draining = true;
    if (waiters->count > 0)
        on_tick(&waiters->timer);
}

static void on_closed(uv_handle_t *handle)
{
    struct waiters *waiters = handle->data;
    waiters_closed_fn fn = waiters->on_closed;
    void *context = waiters->closed_context;

    free(waiters);
    if (fn != NULL)
        fn(context);
}

void waiters_close(struct waiters *waiters, waiters_closed_fn fn, void *context)
{
    waiters->on_closed = fn;
    waiters->closed_context = context;
    uv_close((uv_handle_t *)&waiters->timer, on_closed);
}
