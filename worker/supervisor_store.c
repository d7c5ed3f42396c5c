#include "worker/supervisor_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

struct supervisor_store {
    uv_loop_t *loop;
    char *url;
    int retention_days;
    struct job_store *store; /* the pool's thread opens it; there is but one call at a time */
    uv_work_t work;
    struct supervisor_store_call *head; /* the first is under way */
    struct supervisor_store_call *tail;
    bool is_away; /* which was told */
};

enum err_code supervisor_store_create(struct supervisor_store **out, uv_loop_t *loop, const char *url,
                                      int retention_days, struct err *err)
{
    struct supervisor_store *store = mem_zeroed(1, sizeof *store);

    *out = NULL;
    if (store == NULL || (store->url = strdup(url)) == NULL) {
        free(store);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the job store");
    }
    store->loop = loop;
    store->retention_days = retention_days;
    store->work.data = store;
    *out = store;
    return ERR_OK;
}

void supervisor_store_destroy(struct supervisor_store *store)
{
    if (store == NULL)
        return;
    job_store_close(store->store);
    free(store->url);
    free(store);
}

static void on_work(uv_work_t *work)
{
    struct supervisor_store *store = work->data;
    struct supervisor_store_call *call = store->head;

    call->rc = ERR_OK;
    if (store->store == NULL)
        call->rc = job_store_open(&store->store, store->url, store->retention_days, &call->err);
    if (call->rc == ERR_OK)
        call->rc = call->work(store->store, call->context, &call->err);
}

/* One line when it goes away and one when it is back, however many calls fail meanwhile. */
static void tell_change(struct supervisor_store *store, enum err_code rc, const struct err *err)
{
    bool is_away = store->store == NULL || err_is_transient(rc);

    if (is_away && !store->is_away)
        log_err("store.away", err);
    else if (!is_away && store->is_away)
        log_info("store.ready", LOG_NO_FIELDS);
    store->is_away = is_away;
}

static void start(struct supervisor_store *store);

static void on_worked(uv_work_t *work, int status)
{
    struct supervisor_store *store = work->data;
    struct supervisor_store_call *call = store->head;

    (void)status; /* nobody cancels it */
    store->head = call->next;
    tell_change(store, call->rc, &call->err);
    if (store->head != NULL)
        start(store);
    call->done(call->context, call->rc, &call->err);
}

static void start(struct supervisor_store *store)
{
    (void)uv_queue_work(store->loop, &store->work, on_work, on_worked); /* fails for a missing function only */
}

void supervisor_store_submit(struct supervisor_store *store, struct supervisor_store_call *call)
{
    call->next = NULL;
    if (store->head != NULL) {
        store->tail->next = call;
        store->tail = call;
        return;
    }
    store->head = call;
    store->tail = call;
    start(store);
}
