#include "gateway/readiness.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"

enum { FRESH_MS = 1000, DEADLINE_MS = 800 };

enum dependency_kind { DEPENDENCY_QUEUE, DEPENDENCY_STORE, DEPENDENCY_COUNT };

struct dependency {
    struct readiness *readiness;
    bool asked; /* an answer is under way, perhaps a late one */
    bool up;
    int64_t since_ms; /* unix time; 0: never asked */
    enum err_code code;
    char message[ERR_MESSAGE_BYTES]; /* of the last error */
    int64_t error_ms;                /* unix time; 0: there was none */
};

/* An exchange that waits for the answers; in its arena. */
struct waiter {
    struct waiter *next;
    struct exchange *exchange;
};

struct readiness {
    const struct services *services;
    struct dependency dependencies[DEPENDENCY_COUNT];
    struct waiter *waiters;
    uv_timer_t deadline;
    bool timer_open;
    bool probing;
    bool probed;
    bool draining;
    bool closing;
    uint64_t probed_ms; /* uv_now */
};

/* Answers */

static bool set_time(struct json *object, const char *key, int64_t unix_ms)
{
    char text[CLOCK_ISO8601_BYTES];

    if (unix_ms == 0)
        return json_value_set_null(object, key);
    clock_format_iso8601(text, unix_ms);
    return json_value_set_text(object, key, text);
}

/* Where it is and why is shown to developers only: this is open to everybody. */
static struct json *make_error(const struct dependency *dependency, bool dev)
{
    struct json *error = json_value_new_object();

    if (error != NULL && json_value_set_text(error, "code", err_code_name(dependency->code)) &&
        set_time(error, "at", dependency->error_ms) &&
        (!dev || json_value_set_text(error, "message", dependency->message)))
        return error;
    json_value_destroy(error);
    return NULL;
}

static struct json *make_dependency(const struct dependency *dependency, bool dev)
{
    struct json *view = json_value_new_object();

    if (view != NULL && json_value_set_text(view, "state", dependency->up ? "up" : "down") &&
        set_time(view, "since", dependency->since_ms) &&
        json_value_set(view, "last_error",
                       dependency->error_ms == 0 ? json_value_new_null() : make_error(dependency, dev)))
        return view;
    json_value_destroy(view);
    return NULL;
}

static void answer(const struct readiness *readiness, struct exchange *exchange)
{
    const struct dependency *queue = &readiness->dependencies[DEPENDENCY_QUEUE];
    const struct dependency *store = &readiness->dependencies[DEPENDENCY_STORE];
    bool dev = readiness->services->settings->job.dev;
    bool ready = queue->up && store->up && !readiness->draining;
    struct json *view = json_value_new_object();

    if (view != NULL && !(json_value_set_text(view, "status",
                                              ready                 ? "ready"
                                              : readiness->draining ? "ending"
                                                                    : "not_ready") &&
                          json_value_set(view, "queue", make_dependency(queue, dev)) &&
                          json_value_set(view, "store", make_dependency(store, dev)))) {
        json_value_destroy(view);
        view = NULL;
    }
    exchange_answer_json(exchange, ready ? 200 : 503, view);
}

/* The probe */

static void note(struct dependency *dependency, const struct err *err)
{
    int64_t now_ms = clock_unix_ms(&dependency->readiness->services->clock);
    bool up = err == NULL;

    if (dependency->since_ms == 0 || dependency->up != up)
        dependency->since_ms = now_ms;
    dependency->up = up;
    if (up)
        return;
    dependency->error_ms = now_ms;
    dependency->code = err->code;
    str_copy(dependency->message, sizeof dependency->message, err->message);
}

static void note_late(struct dependency *dependency)
{
    struct err err;

    (void)ERR_SET(&err, ERR_UNAVAILABLE, "no answer within %d ms", DEADLINE_MS);
    note(dependency, &err);
}

static void finish(struct readiness *readiness)
{
    struct waiter *waiter = readiness->waiters;

    (void)uv_timer_stop(&readiness->deadline);
    readiness->probing = false;
    readiness->probed = true;
    readiness->probed_ms = uv_now(readiness->services->loop);
    readiness->waiters = NULL;
    while (waiter != NULL) {
        struct waiter *next = waiter->next; /* goes with its exchange */

        answer(readiness, waiter->exchange);
        waiter = next;
    }
}

static bool is_asked(const struct readiness *readiness)
{
    return readiness->dependencies[DEPENDENCY_QUEUE].asked || readiness->dependencies[DEPENDENCY_STORE].asked;
}

static void free_when_done(struct readiness *readiness)
{
    if (readiness->closing && !readiness->timer_open && !is_asked(readiness))
        free(readiness);
}

static void take_answer(struct dependency *dependency, const struct err *err)
{
    struct readiness *readiness = dependency->readiness;

    dependency->asked = false;
    if (readiness->closing) {
        free_when_done(readiness);
        return;
    }
    note(dependency, err);
    if (readiness->probing && !is_asked(readiness))
        finish(readiness);
}

static void on_queue(void *context, const struct redis_reply *reply, const struct err *err)
{
    (void)reply;
    take_answer(context, err);
}

static void on_store(void *context, struct store_result *result)
{
    take_answer(context, result->code == ERR_OK ? NULL : &result->err);
}

static void on_deadline(uv_timer_t *timer)
{
    struct readiness *readiness = timer->data;

    for (int i = 0; i < DEPENDENCY_COUNT; i++) {
        if (readiness->dependencies[i].asked)
            note_late(&readiness->dependencies[i]);
    }
    finish(readiness);
}

static void ask_queue(struct readiness *readiness)
{
    struct dependency *dependency = &readiness->dependencies[DEPENDENCY_QUEUE];
    struct redis_command command;

    dependency->asked = true;
    redis_command_init(&command, "PING");
    queue_client_send(readiness->services->queue, &command, on_queue, dependency);
    redis_command_fini(&command);
}

static void ask_store(struct readiness *readiness)
{
    struct dependency *dependency = &readiness->dependencies[DEPENDENCY_STORE];
    struct err err;

    dependency->asked = true;
    if (store_client_ping(readiness->services->store, on_store, dependency, &err) == ERR_OK)
        return;
    dependency->asked = false;
    if (dependency->up || dependency->error_ms == 0) /* else the reason is known better than "it is away" */
        note(dependency, &err);
}

static void probe(struct readiness *readiness)
{
    if (is_asked(readiness)) { /* one is late since before: it is not asked again until it answers */
        for (int i = 0; i < DEPENDENCY_COUNT; i++) {
            if (readiness->dependencies[i].asked)
                note_late(&readiness->dependencies[i]);
        }
        finish(readiness);
        return;
    }
    readiness->probing = true;
    ask_store(readiness);
    ask_queue(readiness); /* what has no memory to ask is answered from within */
    if (readiness->probing)
        (void)uv_timer_start(&readiness->deadline, on_deadline, DEADLINE_MS, 0);
}

void readiness_answer(struct exchange *exchange)
{
    struct readiness *readiness = exchange->services->readiness;
    struct waiter *waiter;

    if (readiness == NULL) {
        problem_answer_unavailable(exchange, "everything behind this");
        return;
    }
    if (readiness->probed && uv_now(readiness->services->loop) - readiness->probed_ms < FRESH_MS) {
        answer(readiness, exchange);
        return;
    }
    waiter = arena_alloc(exchange->arena, sizeof *waiter);
    if (waiter == NULL) {
        answer(readiness, exchange);
        return;
    }
    *waiter = (struct waiter){.next = readiness->waiters, .exchange = exchange};
    readiness->waiters = waiter;
    if (!readiness->probing)
        probe(readiness);
}

/* Life */

struct readiness *readiness_create(const struct services *services)
{
    struct readiness *readiness = mem_zeroed(1, sizeof *readiness);

    if (readiness == NULL)
        return NULL;
    readiness->services = services;
    for (int i = 0; i < DEPENDENCY_COUNT; i++)
        readiness->dependencies[i].readiness = readiness;
    (void)uv_timer_init(services->loop, &readiness->deadline); /* never fails, as start with a callback */
    readiness->deadline.data = readiness;
    readiness->timer_open = true;
    return readiness;
}

void readiness_drain(struct readiness *readiness)
{
    if (readiness != NULL)
        readiness->draining = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct readiness *readiness = handle->data;

    readiness->timer_open = false;
    free_when_done(readiness);
}

void readiness_close(struct readiness *readiness)
{
    if (readiness == NULL)
        return;
    readiness->closing = true;
    uv_close((uv_handle_t *)&readiness->deadline, on_timer_closed);
}
