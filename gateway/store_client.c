#include "gateway/store_client.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/store_batch.h"

enum { RETRY_MS = 1000 };

enum state { STATE_PROBING, STATE_OPEN, STATE_AWAY };

struct store_client {
    uv_loop_t *loop;
    const char *url;
    int retention_days;
    struct job_store *store; /* NULL until a probe has opened it */
    enum state state;
    uint64_t retry_at_ms;
    size_t outstanding;             /* works that live, and notes that wait */
    size_t awaited;                 /* of them, those that somebody waits for */
    struct store_work_list waiting; /* for the probe */
    struct store_batch batch;
    uint64_t calls[STORE_OPERATION_COUNT];
    uint64_t failures[STORE_OPERATION_COUNT];
    uint64_t notes_left_out;
    bool is_behind; /* and the log says so */
    bool closing;
    store_client_closed_fn on_closed;
    void *closed_context;
};

/* In the pool. */

static void on_work(uv_work_t *request)
{
    struct store_work *work = request->data;
    const struct store_client *client = work->client;
    struct store_result *result = &work->result;

    result->code = ERR_OK;
    if (work->store == NULL)
        result->code = job_store_open(&work->store, client->url, client->retention_days, &result->err);
    if (result->code == ERR_OK)
        store_work_perform(work, work->store);
}

/* On the loop. */

static void on_batch_closed(uv_handle_t *handle)
{
    struct store_client *client = handle->data;
    store_client_closed_fn on_closed = client->on_closed;
    void *context = client->closed_context;

    job_store_close(client->store);
    free(client);
    if (on_closed != NULL)
        on_closed(context);
}

static void close_when_done(struct store_client *client)
{
    if (client->closing && client->outstanding == 0)
        store_batch_close(&client->batch, on_batch_closed);
}

static bool is_failure(enum err_code code)
{
    return code != ERR_OK && code != ERR_NOT_FOUND && code != ERR_EXISTS;
}

/* Ends a work that came to its result. */
static void answer(struct store_client *client, struct store_work *work)
{
    client->calls[work->operation]++;
    if (is_failure(work->result.code))
        client->failures[work->operation]++;
    client->outstanding--;
    if (work->fn != NULL) {
        client->awaited--;
        work->fn(work->context, &work->result);
    }
    store_work_destroy(work);
}

/* Ends all that nobody waits for; what failed is told of once. The others stay in the list. */
static void end_follow_ups(struct store_client *client, struct store_work_list *list)
{
    struct store_work_list awaited = {0};
    struct store_work *work;
    struct err err;
    int64_t failed = 0;

    while ((work = store_work_pop(list)) != NULL) {
        if (work->fn != NULL) {
            store_work_push(&awaited, work);
            continue;
        }
        if (is_failure(work->result.code) && failed++ == 0)
            err = work->result.err;
        answer(client, work);
    }
    *list = awaited;
    if (failed == 0)
        return;
    (void)err_wrap(&err, "%lld writes that follow", (long long)failed);
    log_err("store.follow_up_failed", &err);
}

static void answer_all(struct store_client *client, struct store_work_list *list)
{
    struct store_work *work;

    end_follow_ups(client, list);
    while ((work = store_work_pop(list)) != NULL)
        answer(client, work);
}

static void refuse_all(struct store_client *client, struct store_work_list *list, const struct err *err)
{
    for (struct store_work *work = list->first; work != NULL; work = work->next) {
        work->result.code = err->code;
        work->result.err = *err;
    }
    answer_all(client, list);
}

static void enter(struct store_client *client, enum state state, const struct err *err)
{
    struct store_work_list waiting = {0};

    if (state == STATE_AWAY)
        client->retry_at_ms = uv_now(client->loop) + RETRY_MS;
    if (client->state == state)
        return;
    client->state = state;
    if (state == STATE_OPEN) {
        log_info("store.ready", log_text("kind", job_store_kind(client->store)));
    } else if (state == STATE_AWAY) {
        log_err("store.away", err);
        store_batch_take_waiting(&client->batch, &waiting); /* each would wait in vain too */
        refuse_all(client, &waiting, err);
    }
}

static bool is_away(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_NETWORK;
}

static void run(struct store_client *client, struct store_work *work, bool probe);

/* The waiting calls after the probe: on their way, or answered as the probe was. */
static void release_waiting(struct store_client *client, const struct err *err)
{
    struct store_work_list waiting = client->waiting;
    struct store_work *work;

    client->waiting = (struct store_work_list){0};
    if (client->state != STATE_OPEN)
        refuse_all(client, &waiting, err);
    while ((work = store_work_pop(&waiting)) != NULL)
        run(client, work, false);
}

static void on_worked(uv_work_t *request, int status)
{
    struct store_work *work = request->data;
    struct store_client *client = work->client;
    struct store_work_list done = {0};
    bool probe = work->probe;
    struct err failure;

    if (status != 0)
        work->result.code = ERR_SET(&work->result.err, ERR_CANCELLED, "the thread pool gave the call back");
    failure = work->result.err;
    if (probe)
        client->store = work->store;
    /* A store that cannot even be opened is away, whatever the reason: a wrong file today may be mounted tomorrow. */
    if (is_away(work->result.code) || client->store == NULL)
        enter(client, STATE_AWAY, &failure);
    else if (probe)
        enter(client, STATE_OPEN, NULL);
    if (probe)
        release_waiting(client, &failure);
    store_work_push(&done, work);
    answer_all(client, &done);
    close_when_done(client);
}

static void tell_if_behind(struct store_client *client, bool is_behind)
{
    if (is_behind && !client->is_behind)
        log_warn("store.behind", log_text("message", "more jobs come in than can be noted as queued at once"));
    client->is_behind = is_behind;
}

static void on_left_out(void *owner, size_t count)
{
    struct store_client *client = owner;

    if (client->state == STATE_OPEN)
        tell_if_behind(client, true);
    client->notes_left_out += count;
    client->outstanding -= count;
    close_when_done(client);
}

static void on_batch_done(void *owner, struct store_work_list *done)
{
    struct store_client *client = owner;
    enum err_code code = done->first->result.code;
    struct err failure = done->first->result.err;

    if (client->batch.notes.count == 0)
        tell_if_behind(client, false);
    if (is_away(code))
        enter(client, STATE_AWAY, &failure);
    answer_all(client, done);
    close_when_done(client);
}

static void run(struct store_client *client, struct store_work *work, bool probe)
{
    bool follows = work->operation == STORE_UPDATE && work->fn == NULL;

    if (!probe && (work->operation == STORE_INSERT || follows)) {
        store_batch_push(&client->batch, client->store, work);
        return;
    }
    work->client = client;
    work->store = client->store;
    work->probe = probe;
    work->request.data = work;
    (void)uv_queue_work(client->loop, &work->request, on_work, on_worked); /* fails only without a callback */
}

static enum err_code refusal(const struct store_client *client, const struct store_work *work, struct err *err)
{
    if (client->closing)
        return ERR_SET(err, ERR_CANCELLED, "the gateway is ending");
    if (work->fn != NULL && client->awaited >= STORE_CLIENT_MAX_OUTSTANDING)
        return ERR_SET(err, ERR_UNAVAILABLE, "%d calls to the store are outstanding", STORE_CLIENT_MAX_OUTSTANDING);
    if (client->state == STATE_AWAY && uv_now(client->loop) < client->retry_at_ms)
        return ERR_SET(err, ERR_UNAVAILABLE, "the store is away");
    return ERR_OK;
}

/* Takes the work whatever happens. */
static enum err_code submit(struct store_client *client, struct store_work *work, struct err *err)
{
    enum err_code rc = refusal(client, work, err);

    if (rc != ERR_OK) {
        store_work_destroy(work);
        return rc;
    }
    client->outstanding++;
    if (work->fn != NULL)
        client->awaited++;
    if (client->state == STATE_PROBING) {
        store_work_push(&client->waiting, work);
    } else if (client->state == STATE_AWAY) {
        client->state = STATE_PROBING;
        run(client, work, true);
    } else {
        run(client, work, false);
    }
    return ERR_OK;
}

static enum err_code ask(struct store_client *client, struct store_work *work, store_client_fn fn, void *context,
                         struct err *err)
{
    if (work == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a call to the store");
    work->fn = fn;
    work->context = context;
    return submit(client, work, err);
}

static void follow_up(struct store_client *client, struct store_work *work)
{
    struct err err;

    if (ask(client, work, NULL, NULL, &err) != ERR_OK)
        log_err("store.follow_up_failed", &err);
}

enum err_code store_client_insert(struct store_client *client, const struct job_new *job, store_client_fn fn,
                                  void *context, struct err *err)
{
    return ask(client, store_work_create_insert(job), fn, context, err);
}

enum err_code store_client_get(struct store_client *client, const char *id, store_client_fn fn, void *context,
                               struct err *err)
{
    return ask(client, store_work_create(STORE_GET, id, NULL), fn, context, err);
}

enum err_code store_client_get_report(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                      struct err *err)
{
    return ask(client, store_work_create(STORE_GET_REPORT, id, NULL), fn, context, err);
}

enum err_code store_client_find(struct store_client *client, const struct job_store_filter *filter, store_client_fn fn,
                                void *context, struct err *err)
{
    struct store_work *work = store_work_create(STORE_FIND, NULL, NULL);

    if (work != NULL)
        store_work_set_filter(work, filter);
    return ask(client, work, fn, context, err);
}

enum err_code store_client_list_unfinished(struct store_client *client, int64_t created_before_ms, const char *after,
                                           int limit, store_client_fn fn, void *context, struct err *err)
{
    struct store_work *work = store_work_create(STORE_LIST_UNFINISHED, after, NULL);

    if (work != NULL) {
        work->created_before_ms = created_before_ms;
        work->limit = limit;
    }
    return ask(client, work, fn, context, err);
}

enum err_code store_client_request_cancel(struct store_client *client, const char *id, const char *reason,
                                          store_client_fn fn, void *context, struct err *err)
{
    struct store_work *work = store_work_create(STORE_REQUEST_CANCEL, id, NULL);

    if (work != NULL)
        str_copy(work->reason, sizeof work->reason, reason);
    return ask(client, work, fn, context, err);
}

enum err_code store_client_reopen(struct store_client *client, const char *id, store_client_fn fn, void *context,
                                  struct err *err)
{
    return ask(client, store_work_create(STORE_REOPEN, id, NULL), fn, context, err);
}

static struct store_work *create_update(const char *id, int64_t fence, struct json *changes)
{
    struct store_work *work = store_work_create(STORE_UPDATE, id, changes);

    if (work != NULL)
        work->fence = fence;
    return work;
}

enum err_code store_client_change(struct store_client *client, const char *id, int64_t fence, struct json *changes,
                                  store_client_fn fn, void *context, struct err *err)
{
    return ask(client, create_update(id, fence, changes), fn, context, err);
}

enum err_code store_client_ping(struct store_client *client, store_client_fn fn, void *context, struct err *err)
{
    return ask(client, store_work_create(STORE_PING, NULL, NULL), fn, context, err);
}

enum err_code store_client_last_successes(struct store_client *client, store_client_fn fn, void *context,
                                          struct err *err)
{
    return ask(client, store_work_create(STORE_LAST_SUCCESSES, NULL, NULL), fn, context, err);
}

enum err_code store_client_latest_analytics(struct store_client *client, const char *shop, store_client_fn fn,
                                            void *context, struct err *err)
{
    const struct job_store_filter filter = {.shop = shop};
    struct store_work *work = store_work_create(STORE_LATEST_ANALYTICS, NULL, NULL);

    if (work != NULL)
        store_work_set_filter(work, &filter);
    return ask(client, work, fn, context, err);
}

void store_client_each_count(const struct store_client *client, store_client_count_fn fn, void *context)
{
    static const char *const names[STORE_OPERATION_COUNT] = {
        [STORE_PING] = "ping",
        [STORE_INSERT] = "insert",
        [STORE_GET] = "get",
        [STORE_GET_REPORT] = "get_report",
        [STORE_FIND] = "find",
        [STORE_LIST_UNFINISHED] = "list_unfinished",
        [STORE_REQUEST_CANCEL] = "request_cancel",
        [STORE_REOPEN] = "reopen",
        [STORE_UPDATE] = "update",
        [STORE_DELETE_ACCEPTED] = "delete_accepted",
        [STORE_LAST_SUCCESSES] = "last_successes",
        [STORE_LATEST_ANALYTICS] = "latest_analytics",
    };

    for (int i = 0; i < STORE_OPERATION_COUNT; i++)
        fn(context, names[i], client->calls[i], client->failures[i]);
    fn(context, "insert_batch", client->batch.inserted, 0);
    fn(context, "note", client->notes_left_out, client->notes_left_out);
}

void store_client_update(struct store_client *client, const char *id, int64_t fence, struct json *changes)
{
    follow_up(client, create_update(id, fence, changes));
}

void store_client_note(struct store_client *client, const char *id, int64_t fence, enum job_state state,
                       int64_t queued_ms)
{
    struct store_note note = {.state = state, .fence = fence, .queued_ms = queued_ms};

    client->outstanding++;
    if (client->state != STATE_OPEN || client->closing) {
        on_left_out(client, 1);
        return;
    }
    str_copy(note.id, sizeof note.id, id);
    store_batch_push_note(&client->batch, client->store, &note);
}

void store_client_delete_accepted(struct store_client *client, const char *id)
{
    follow_up(client, store_work_create(STORE_DELETE_ACCEPTED, id, NULL));
}

enum err_code store_client_create(struct store_client **out, uv_loop_t *loop, const char *url, int retention_days,
                                  struct err *err)
{
    struct store_client *client = mem_zeroed(1, sizeof *client);
    struct store_work *work = store_work_create(STORE_PING, NULL, NULL);
    enum err_code rc;

    *out = NULL;
    if (client == NULL || work == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the store");
        goto done;
    }
    rc = store_batch_init(&client->batch, loop, on_batch_done, on_left_out, client, err);
    if (rc != ERR_OK)
        goto done;
    client->loop = loop;
    client->url = url;
    client->retention_days = retention_days;
    client->state = STATE_AWAY; /* with no time to wait: the ping is the first probe */
    follow_up(client, work);
    work = NULL;
    *out = client;
    client = NULL;
done:
    store_work_destroy(work);
    free(client);
    return rc;
}

void store_client_close(struct store_client *client, store_client_closed_fn on_closed, void *context)
{
    if (client == NULL || client->closing)
        return;
    client->closing = true;
    client->on_closed = on_closed;
    client->closed_context = context;
    store_batch_hurry(&client->batch);
    close_when_done(client);
}
