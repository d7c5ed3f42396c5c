#include "gateway/store_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/job/job_store.h"

enum { RETRY_MS = 1000 };

enum state { STATE_PROBING, STATE_OPEN, STATE_AWAY };

enum operation {
    OPERATION_PING,
    OPERATION_INSERT,
    OPERATION_GET,
    OPERATION_GET_REPORT,
    OPERATION_FIND,
    OPERATION_LIST_UNFINISHED,
    OPERATION_REQUEST_CANCEL,
    OPERATION_REOPEN,
    OPERATION_UPDATE,
    OPERATION_DELETE_ACCEPTED,
    OPERATION_LAST_SUCCESSES,
    OPERATION_COUNT
};

/* One call; the pool's thread owns input, result and store between queueing and its end. */
struct work {
    uv_work_t request;
    struct store_client *client;
    struct work *next; /* while it waits for the probe */
    struct job_store *store;
    bool probe;
    enum operation operation;
    char id[JOB_ID_BYTES];
    char after[JOB_ID_BYTES];
    struct job_store_filter filter; /* its texts are in `texts` */
    struct {
        char state[16];
        char type[32];
        char shop[64];
    } texts;
    char reason[128];
    int limit;
    int64_t fence;
    int64_t created_before_ms;
    struct json *input;
    struct store_result result;
    store_client_fn fn; /* NULL: nobody waits */
    void *context;
};

struct store_client {
    uv_loop_t *loop;
    const char *url;
    int retention_days;
    struct job_store *store; /* NULL until a probe has opened it */
    enum state state;
    uint64_t retry_at_ms;
    size_t outstanding; /* in the pool or waiting for the probe */
    struct work *first;
    struct work *last;
    uint64_t calls[OPERATION_COUNT];
    uint64_t failures[OPERATION_COUNT];
    bool closing;
    store_client_closed_fn on_closed;
    void *closed_context;
};

static void work_destroy(struct work *work)
{
    json_value_destroy(work->input);
    json_value_destroy(work->result.document);
    free(work);
}

/* In the pool. */

static enum err_code call_store(struct work *work)
{
    struct store_result *result = &work->result;

    switch (work->operation) {
    case OPERATION_PING:
        return job_store_ping(work->store, &result->err);
    case OPERATION_INSERT:
        return job_store_insert(work->store, work->input, &result->err);
    case OPERATION_GET:
        return job_store_get(work->store, work->id, &result->document, &result->err);
    case OPERATION_GET_REPORT:
        return job_store_get_report(work->store, work->id, &result->document, &result->err);
    case OPERATION_FIND:
        return job_store_find(work->store, &work->filter, &result->document, &result->err);
    case OPERATION_LIST_UNFINISHED:
        return job_store_list_unfinished(work->store, work->created_before_ms,
                                         work->after[0] != '\0' ? work->after : NULL, work->limit, &result->document,
                                         &result->err);
    case OPERATION_REQUEST_CANCEL:
        return job_store_request_cancel(work->store, work->id, work->reason, &result->applied, &result->err);
    case OPERATION_REOPEN:
        return job_store_reopen(work->store, work->id, &result->document, &result->err);
    case OPERATION_UPDATE:
        return job_store_update(work->store, work->id, work->fence, work->input, &result->applied, &result->err);
    case OPERATION_DELETE_ACCEPTED:
        return job_store_delete_accepted(work->store, work->id, &result->err);
    case OPERATION_LAST_SUCCESSES:
        return job_store_last_successes(work->store, &result->document, &result->err);
    case OPERATION_COUNT:
        break;
    }
    return ERR_SET(&result->err, ERR_INTERNAL, "a call that the store does not know");
}

static void on_work(uv_work_t *request)
{
    struct work *work = request->data;

    work->result.code = ERR_OK;
    if (work->store == NULL)
        work->result.code =
            job_store_open(&work->store, work->client->url, work->client->retention_days, &work->result.err);
    if (work->result.code == ERR_OK)
        work->result.code = call_store(work);
}

/* On the loop. */

static void close_when_done(struct store_client *client)
{
    store_client_closed_fn on_closed = client->on_closed;
    void *context = client->closed_context;

    if (!client->closing || client->outstanding > 0)
        return;
    job_store_close(client->store);
    free(client);
    if (on_closed != NULL)
        on_closed(context);
}

static void answer(struct work *work)
{
    if (work->fn != NULL)
        work->fn(work->context, &work->result);
    else if (work->result.code != ERR_OK)
        log_err("store.follow_up_failed", &work->result.err);
}

static void run(struct work *work);

/* The waiting calls after the probe: into the pool, or answered as the probe was. */
static void release_waiting(struct store_client *client, const struct err *err)
{
    struct work *work = client->first;

    client->first = NULL;
    client->last = NULL;
    while (work != NULL) {
        struct work *next = work->next;

        if (err == NULL) {
            run(work);
        } else {
            work->result.code = err->code;
            work->result.err = *err;
            client->outstanding--;
            answer(work);
            work_destroy(work);
        }
        work = next;
    }
}

static void enter(struct store_client *client, enum state state, const struct err *err)
{
    if (state == STATE_AWAY)
        client->retry_at_ms = uv_now(client->loop) + RETRY_MS;
    if (client->state == state)
        return;
    if (state == STATE_OPEN)
        log_info("store.ready", log_text("kind", job_store_kind(client->store)));
    else if (state == STATE_AWAY && err != NULL)
        log_err("store.away", err);
    client->state = state;
}

static bool is_away(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_NETWORK;
}

static void count_call(struct store_client *client, const struct work *work)
{
    enum err_code code = work->result.code;

    client->calls[work->operation]++;
    if (code != ERR_OK && code != ERR_NOT_FOUND && code != ERR_EXISTS)
        client->failures[work->operation]++;
}

static void on_worked(uv_work_t *request, int status)
{
    struct work *work = request->data;
    struct store_client *client = work->client;
    struct err failure = work->result.err;

    if (status != 0)
        work->result.code = ERR_SET(&work->result.err, ERR_CANCELLED, "the thread pool gave the call back");
    client->outstanding--;
    count_call(client, work);
    if (work->probe)
        client->store = work->store;
    /* A store that cannot even be opened is away, whatever the reason: a wrong file today may be mounted tomorrow. */
    if (is_away(work->result.code) || client->store == NULL)
        enter(client, STATE_AWAY, &failure);
    else if (work->probe)
        enter(client, STATE_OPEN, NULL);
    if (work->probe)
        release_waiting(client, client->state == STATE_OPEN ? NULL : &failure);
    answer(work);
    work_destroy(work);
    close_when_done(client);
}

static void run(struct work *work)
{
    work->store = work->client->store;
    work->request.data = work;
    (void)uv_queue_work(work->client->loop, &work->request, on_work, on_worked); /* fails only without a callback */
}

static enum err_code refusal(const struct store_client *client, const struct work *work, struct err *err)
{
    if (client->closing)
        return ERR_SET(err, ERR_CANCELLED, "the gateway is ending");
    if (work->fn != NULL && client->outstanding >= STORE_CLIENT_MAX_OUTSTANDING)
        return ERR_SET(err, ERR_UNAVAILABLE, "%d calls to the store are outstanding", STORE_CLIENT_MAX_OUTSTANDING);
    if (client->state == STATE_AWAY && uv_now(client->loop) < client->retry_at_ms)
        return ERR_SET(err, ERR_UNAVAILABLE, "the store is away");
    return ERR_OK;
}

/* Takes the work whatever happens. */
static enum err_code submit(struct store_client *client, struct work *work, struct err *err)
{
    enum err_code rc = refusal(client, work, err);

    if (rc != ERR_OK) {
        work_destroy(work);
        return rc;
    }
    client->outstanding++;
    if (client->state == STATE_PROBING) {
        if (client->last != NULL)
            client->last->next = work;
        else
            client->first = work;
        client->last = work;
        return ERR_OK;
    }
    if (client->state == STATE_AWAY) {
        client->state = STATE_PROBING;
        work->probe = true;
    }
    run(work);
    return ERR_OK;
}

static struct work *work_create(struct store_client *client, enum operation operation, const char *id,
                                struct json *input)
{
    struct work *work = mem_zeroed(1, sizeof *work);

    if (work == NULL) {
        json_value_destroy(input);
        return NULL;
    }
    work->client = client;
    work->operation = operation;
    work->input = input;
    if (id != NULL)
        (void)snprintf(work->id, sizeof work->id, "%s", id);
    return work;
}

static enum err_code ask(struct store_client *client, struct work *work, store_client_fn fn, void *context,
                         struct err *err)
{
    if (work == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a call to the store");
    work->fn = fn;
    work->context = context;
    return submit(client, work, err);
}

static void follow_up(struct store_client *client, struct work *work)
{
    struct err err;

    if (ask(client, work, NULL, NULL, &err) != ERR_OK)
        log_err("store.follow_up_failed", &err);
}

enum err_code store_client_insert(struct store_client *client, struct json *document, store_client_fn fn, void *context,
                                  struct err *err)
{
    return ask(client, work_create(client, OPERATION_INSERT, NULL, document), fn, context, err);
}

enum err_code store_client_get(struct store_client *client, const char *id, store_client_fn fn, void *context,
                               struct err *err)
{
    return ask(client, work_create(client, OPERATION_GET, id, NULL), fn, context, err);
}

enum err_code store_client_get_report(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                      struct err *err)
{
    return ask(client, work_create(client, OPERATION_GET_REPORT, id, NULL), fn, context, err);
}

/* The filter's text in the work's own memory; NULL stays NULL. */
static const char *keep(char *out, size_t size, const char *text)
{
    if (text == NULL)
        return NULL;
    (void)snprintf(out, size, "%s", text);
    return out;
}

enum err_code store_client_find(struct store_client *client, const struct job_store_filter *filter, store_client_fn fn,
                                void *context, struct err *err)
{
    struct work *work = work_create(client, OPERATION_FIND, NULL, NULL);

    if (work != NULL) {
        work->filter = *filter;
        work->filter.state = keep(work->texts.state, sizeof work->texts.state, filter->state);
        work->filter.type = keep(work->texts.type, sizeof work->texts.type, filter->type);
        work->filter.shop = keep(work->texts.shop, sizeof work->texts.shop, filter->shop);
        work->filter.before = keep(work->after, sizeof work->after, filter->before);
    }
    return ask(client, work, fn, context, err);
}

enum err_code store_client_list_unfinished(struct store_client *client, int64_t created_before_ms, const char *after,
                                           int limit, store_client_fn fn, void *context, struct err *err)
{
    struct work *work = work_create(client, OPERATION_LIST_UNFINISHED, NULL, NULL);

    if (work != NULL) {
        work->created_before_ms = created_before_ms;
        work->limit = limit;
        (void)keep(work->after, sizeof work->after, after);
    }
    return ask(client, work, fn, context, err);
}

enum err_code store_client_request_cancel(struct store_client *client, const char *id, const char *reason,
                                          store_client_fn fn, void *context, struct err *err)
{
    struct work *work = work_create(client, OPERATION_REQUEST_CANCEL, id, NULL);

    if (work != NULL)
        (void)keep(work->reason, sizeof work->reason, reason);
    return ask(client, work, fn, context, err);
}

enum err_code store_client_reopen(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                  struct err *err)
{
    return ask(client, work_create(client, OPERATION_REOPEN, id, NULL), fn, context, err);
}

enum err_code store_client_change(struct store_client *client, const char *id, int64_t fence, struct json *changes,
                                  store_client_fn fn, void *context, struct err *err)
{
    struct work *work = work_create(client, OPERATION_UPDATE, id, changes);

    if (work != NULL)
        work->fence = fence;
    return ask(client, work, fn, context, err);
}

enum err_code store_client_ping(struct store_client *client, store_client_fn fn, void *context, struct err *err)
{
    return ask(client, work_create(client, OPERATION_PING, NULL, NULL), fn, context, err);
}

enum err_code store_client_last_successes(struct store_client *client, store_client_fn fn, void *context,
                                          struct err *err)
{
    return ask(client, work_create(client, OPERATION_LAST_SUCCESSES, NULL, NULL), fn, context, err);
}

void store_client_each_count(const struct store_client *client, store_client_count_fn fn, void *context)
{
    static const char *const names[OPERATION_COUNT] = {
        [OPERATION_PING] = "ping",
        [OPERATION_INSERT] = "insert",
        [OPERATION_GET] = "get",
        [OPERATION_GET_REPORT] = "get_report",
        [OPERATION_FIND] = "find",
        [OPERATION_LIST_UNFINISHED] = "list_unfinished",
        [OPERATION_REQUEST_CANCEL] = "request_cancel",
        [OPERATION_REOPEN] = "reopen",
        [OPERATION_UPDATE] = "update",
        [OPERATION_DELETE_ACCEPTED] = "delete_accepted",
        [OPERATION_LAST_SUCCESSES] = "last_successes",
    };

    for (int i = 0; i < OPERATION_COUNT; i++)
        fn(context, names[i], client->calls[i], client->failures[i]);
}

void store_client_update(struct store_client *client, const char *id, int64_t fence, struct json *changes)
{
    struct work *work = work_create(client, OPERATION_UPDATE, id, changes);

    if (work != NULL)
        work->fence = fence;
    follow_up(client, work);
}

void store_client_delete_accepted(struct store_client *client, const char *id)
{
    follow_up(client, work_create(client, OPERATION_DELETE_ACCEPTED, id, NULL));
}

enum err_code store_client_create(struct store_client **out, uv_loop_t *loop, const char *url, int retention_days,
                                  struct err *err)
{
    struct store_client *client = mem_zeroed(1, sizeof *client);
    struct work *work;

    *out = NULL;
    if (client == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the store");
    client->loop = loop;
    client->url = url;
    client->retention_days = retention_days;
    client->state = STATE_AWAY; /* with no time to wait: the ping below is the first probe */
    work = work_create(client, OPERATION_PING, NULL, NULL);
    if (work == NULL) {
        free(client);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the store");
    }
    follow_up(client, work);
    *out = client;
    return ERR_OK;
}

void store_client_close(struct store_client *client, store_client_closed_fn on_closed, void *context)
{
    if (client == NULL || client->closing)
        return;
    client->closing = true;
    client->on_closed = on_closed;
    client->closed_context = context;
    close_when_done(client);
}
