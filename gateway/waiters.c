#include "gateway/waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/base/mem.h"
#include "common/job/job.h"
#include "gateway/job_lookup.h"
#include "gateway/queue_client.h"

enum { POLL_MS = 250, STATE_TEXT_BYTES = 16 };

struct waiter {
    struct waiters *waiters;
    struct waiter *next;
    struct waiter **link; /* what points here */
    struct exchange *exchange;
    char id[JOB_ID_BYTES];
    char known[STATE_TEXT_BYTES]; /* "" : until terminal */
    uint64_t deadline_ms;
    bool asking; /* an answer is on its way */
    waiters_fn fn;
};

struct waiters {
    const struct services *services;
    uv_timer_t timer;
    struct waiter *first;
    size_t count;
    bool draining;
    waiters_closed_fn on_closed;
    void *closed_context;
};

static void waiter_end(struct waiter *waiter, struct json *document, const struct err *err)
{
    struct exchange *exchange = waiter->exchange;
    waiters_fn fn = waiter->fn;

    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiter->waiters->count--;
    if (waiter->waiters->count == 0)
        (void)uv_timer_stop(&waiter->waiters->timer);
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
    const char *state = json_value_get_text(document, "state");

    waiter->asking = false;
    if (must_end(waiter) || (state != NULL && is_over(waiter, state)) || (err != NULL && err->code == ERR_NOT_FOUND)) {
        waiter_end(waiter, document, err);
        return;
    }
    json_value_destroy(document); /* not yet, or nobody could tell: look again */
}

static void on_described(void *context, struct json *fields, const struct err *err)
{
    struct waiter *waiter = context;
    const char *state = json_value_get_text(fields, "state");
    bool look = must_end(waiter) || err != NULL || state == NULL || is_over(waiter, state);

    json_value_destroy(fields);
    if (look)
        job_lookup_start(waiter->waiters->services, waiter->id, on_looked_up, waiter);
    else
        waiter->asking = false;
}

static void on_poll(uv_timer_t *timer)
{
    struct waiters *waiters = timer->data;

    for (struct waiter *waiter = waiters->first, *next; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->asking)
            continue;
        waiter->asking = true;
        queue_client_describe(waiters->services->queue, waiter->id, on_described, waiter);
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
    (void)snprintf(waiter->id, sizeof waiter->id, "%s", id);
    (void)snprintf(waiter->known, sizeof waiter->known, "%s", known != NULL ? known : "");
    waiter->next = waiters->first;
    waiter->link = &waiters->first;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    waiters->first = waiter;
    if (waiters->count++ == 0)
        (void)uv_timer_start(&waiters->timer, on_poll, 0, POLL_MS);
    return ERR_OK;
}

void waiters_drain(struct waiters *waiters)
{
    waiters->draining = true;
    if (waiters->count > 0)
        on_poll(&waiters->timer);
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
