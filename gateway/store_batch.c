#include "gateway/store_batch.h"

enum {
    MOMENT_MS = 20,     /* before updates go that nobody waits for */
    PATIENCE_MS = 10000 /* of them with inserts that keep coming */
};

/* In the pool. */

static void perform_each(struct store_batch *batch)
{
    for (struct store_work *work = batch->writing.first; work != NULL; work = work->next)
        store_work_perform(work, batch->writing_to);
}

static void set_result(struct store_work *work, enum err_code code, const struct err *err)
{
    work->result.code = code;
    if (err != NULL)
        work->result.err = *err;
    else if (code != ERR_OK)
        (void)ERR_SET(&work->result.err, code, "the job store does not take job %s", work->id);
}

static enum err_code write_inserts(struct store_batch *batch, struct err *err)
{
    enum err_code rc;
    size_t count = 0;

    for (struct store_work *work = batch->writing.first; work != NULL; work = work->next)
        batch->documents[count++] = work->input;
    rc = job_store_insert_many(batch->writing_to, batch->documents, count, batch->results, err);
    count = 0;
    for (struct store_work *work = batch->writing.first; rc == ERR_OK && work != NULL; work = work->next)
        set_result(work, batch->results[count++], NULL);
    return rc;
}

static enum err_code write_updates(struct store_batch *batch, struct err *err)
{
    enum err_code rc;
    size_t count = 0;

    for (struct store_work *work = batch->writing.first; work != NULL; work = work->next)
        batch->changes[count++] =
            (struct job_store_change){.id = work->id, .fence = work->fence, .changes = work->input};
    rc = job_store_update_many(batch->writing_to, batch->changes, count, err);
    for (struct store_work *work = batch->writing.first; rc == ERR_OK && work != NULL; work = work->next)
        set_result(work, ERR_OK, NULL);
    return rc;
}

static void on_write(uv_work_t *request)
{
    struct store_batch *batch = request->data;
    bool alone = batch->writing.count == 1;
    struct err err;
    enum err_code rc;

    if (alone) {
        perform_each(batch);
        return;
    }
    rc = batch->writing.first->operation == STORE_INSERT ? write_inserts(batch, &err) : write_updates(batch, &err);
    if (rc != ERR_OK && !err_is_transient(rc)) {
        perform_each(batch); /* so that one that cannot be written fails alone */
        return;
    }
    for (struct store_work *work = batch->writing.first; rc != ERR_OK && work != NULL; work = work->next)
        set_result(work, rc, &err);
}

/* On the loop. */

static uint64_t waited_ms(const struct store_batch *batch, const struct store_work *work)
{
    return uv_now(batch->loop) - work->since_ms;
}

static bool is_overdue(const struct store_batch *batch)
{
    return batch->updates.count > 0 && waited_ms(batch, batch->updates.first) >= PATIENCE_MS;
}

/* Of notes those that have lost patience, or are too many. */
static bool may_leave_out(const struct store_batch *batch, const struct store_work *update)
{
    return update->is_note && (batch->updates.count > STORE_BATCH_MAX_NOTES ||
                               (batch->inserts.count > 0 && waited_ms(batch, update) >= PATIENCE_MS));
}

static void leave_out(struct store_batch *batch)
{
    struct store_work_list left_out = {0};
    struct store_work *update;

    while ((update = batch->updates.first) != NULL && may_leave_out(batch, update)) {
        update->result.code = ERR_CANCELLED;
        store_work_push(&left_out, store_work_pop(&batch->updates));
    }
    if (left_out.count > 0)
        batch->on_done(batch->owner, &left_out);
}

static void start_next(struct store_batch *batch);

static void on_written(uv_work_t *request, int status)
{
    struct store_batch *batch = request->data;
    struct store_work_list done = batch->writing;
    struct err err;
    bool is_away;

    batch->busy = false;
    batch->writing = (struct store_work_list){0};
    if (status != 0) {
        (void)ERR_SET(&err, ERR_CANCELLED, "the thread pool gave the call back");
        for (struct store_work *work = done.first; work != NULL; work = work->next)
            set_result(work, ERR_CANCELLED, &err);
    }
    leave_out(batch);
    is_away = done.first != NULL && err_is_transient(done.first->result.code);
    if (!is_away)
        start_next(batch); /* before the answers: the pool has its work while the loop has its own */
    batch->on_done(batch->owner, &done);
    if (is_away)
        start_next(batch); /* what is left by then */
}

static void run(struct store_batch *batch, struct store_work_list *from, size_t most)
{
    while (batch->writing.count < most && from->count > 0)
        store_work_push(&batch->writing, store_work_pop(from));
    batch->writing_to = batch->store;
    batch->busy = true;
    batch->request.data = batch;
    (void)uv_queue_work(batch->loop, &batch->request, on_write, on_written); /* fails only without a callback */
}

static void on_moment_over(uv_timer_t *timer)
{
    start_next(timer->data);
}

static void start_next(struct store_batch *batch)
{
    uint64_t waited;

    if (batch->busy)
        return;
    if (batch->inserts.count > 0 && !(batch->is_updates_turn && is_overdue(batch))) {
        batch->is_updates_turn = true;
        batch->inserted++;
        run(batch, &batch->inserts, STORE_BATCH_INSERTS);
        return;
    }
    batch->is_updates_turn = false;
    if (batch->updates.count == 0)
        return;
    waited = waited_ms(batch, batch->updates.first);
    if (waited >= MOMENT_MS || batch->closing)
        run(batch, &batch->updates, STORE_BATCH_UPDATES);
    else
        (void)uv_timer_start(&batch->timer, on_moment_over, MOMENT_MS - waited, 0); /* never fails with a callback */
}

void store_batch_init(struct store_batch *batch, uv_loop_t *loop, store_batch_done_fn on_done, void *owner)
{
    batch->loop = loop;
    batch->on_done = on_done;
    batch->owner = owner;
    (void)uv_timer_init(loop, &batch->timer); /* never fails */
    batch->timer.data = batch;
}

void store_batch_push(struct store_batch *batch, struct job_store *store, struct store_work *work)
{
    batch->store = store;
    work->since_ms = uv_now(batch->loop);
    store_work_push(work->operation == STORE_INSERT ? &batch->inserts : &batch->updates, work);
    start_next(batch);
}

static void take_all(struct store_work_list *out, struct store_work_list *from)
{
    struct store_work *work;

    while ((work = store_work_pop(from)) != NULL)
        store_work_push(out, work);
}

void store_batch_take_waiting(struct store_batch *batch, struct store_work_list *out)
{
    take_all(out, &batch->inserts);
    take_all(out, &batch->updates);
}

void store_batch_hurry(struct store_batch *batch)
{
    batch->closing = true;
    start_next(batch);
}

void store_batch_close(struct store_batch *batch, uv_close_cb fn)
{
    if (uv_is_closing((uv_handle_t *)&batch->timer))
        return;
    batch->timer.data = batch->owner;
    uv_close((uv_handle_t *)&batch->timer, fn);
}
