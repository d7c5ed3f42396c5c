#include "gateway/store_batch.h"

enum {
    MOMENT_MS = 20,      /* without an insert, before updates go that nobody waits for; and what they may take */
    TIMES_IN_TURN = 39,  /* while inserts keep coming: what updates took, so often, passes before the next */
    PATIENCE_MS = 10000, /* of notes with inserts that keep coming */
    LEAST_UPDATES = 8,
    PARTS_TO_GATHER = 8, /* of a commit's time: one of them is waited for more inserts */
    NS_PER_MS = 1000000
};

/* In the writer's thread. */

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
        batch->documents[count++] = store_work_document(work);
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

    for (struct store_work *work = batch->writing.first; work != NULL; work = work->next) {
        batch->changes[count++] =
            (struct job_store_change){.id = work->id, .fence = work->fence, .changes = work->changes};
    }
    rc = job_store_update_many(batch->writing_to, batch->changes, count, err);
    for (struct store_work *work = batch->writing.first; rc == ERR_OK && work != NULL; work = work->next)
        set_result(work, ERR_OK, NULL);
    return rc;
}

static void write_all(struct store_batch *batch)
{
    struct err err;
    enum err_code rc;

    if (batch->writing.count == 1) {
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

static void write_batch(void *context)
{
    struct store_batch *batch = context;
    uint64_t begin_ns = uv_hrtime();

    write_all(batch);
    batch->took_ns = uv_hrtime() - begin_ns;
}

/* On the loop. */

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool inserts_keep_coming(const struct store_batch *batch)
{
    return batch->inserts.count > 0 || uv_now(batch->loop) < batch->inserted_ms + MOMENT_MS;
}

/* Since when the oldest of updates and notes waits; UINT64_MAX: there are none. */
static uint64_t updates_since_ms(const struct store_batch *batch)
{
    const struct store_note *note = store_notes_first(&batch->notes);
    uint64_t since_ms = batch->updates.count > 0 ? batch->updates.first->since_ms : UINT64_MAX;

    return note != NULL && note->since_ms < since_ms ? note->since_ms : since_ms;
}

/* When updates may go, by uv_now; UINT64_MAX: there are none. */
static uint64_t updates_due_ms(const struct store_batch *batch)
{
    uint64_t quiet_ms = batch->inserts.count > 0 ? UINT64_MAX : batch->inserted_ms + MOMENT_MS;
    uint64_t due_ms = quiet_ms < batch->updates_turn_ms ? quiet_ms : batch->updates_turn_ms;
    uint64_t since_ms = updates_since_ms(batch);

    if (since_ms == UINT64_MAX)
        return UINT64_MAX;
    if (batch->closing)
        return batch->inserts.count > 0 ? UINT64_MAX : 0;
    return later_of(due_ms, since_ms + MOMENT_MS);
}

/* The same of inserts. Those that were written together a moment ago come back together: the first of them does not go
 * alone, as a commit takes nearly as long for one as for many. */
static uint64_t inserts_due_ms(const struct store_batch *batch)
{
    if (batch->inserts.count == 0)
        return UINT64_MAX;
    if (batch->closing || 2 * batch->inserts.count >= batch->inserts_of_late)
        return 0;
    return later_of(batch->inserts.first->since_ms, batch->free_ms) + batch->gather_ms;
}

static uint64_t earliest_ms(const struct store_batch *batch)
{
    uint64_t updates_ms = updates_due_ms(batch);
    uint64_t inserts_ms = inserts_due_ms(batch);

    return updates_ms < inserts_ms ? updates_ms : inserts_ms;
}

static void tell_left_out(struct store_batch *batch, size_t count)
{
    if (count > 0)
        batch->on_left_out(batch->owner, count);
}

/* The notes that have lost patience. */
static void leave_out(struct store_batch *batch)
{
    const struct store_note *note;
    size_t count = 0;

    while (inserts_keep_coming(batch) && (note = store_notes_first(&batch->notes)) != NULL &&
           uv_now(batch->loop) >= note->since_ms + PATIENCE_MS) {
        store_notes_drop_first(&batch->notes);
        count++;
    }
    tell_left_out(batch, count);
}

static void pace_inserts(struct store_batch *batch, size_t count)
{
    batch->inserted_ms = uv_now(batch->loop);
    batch->inserts_of_late = count;
    batch->insert_ns = batch->done_ns;
    batch->gather_ms = batch->done_ns / PARTS_TO_GATHER / NS_PER_MS;
}

/* So many at once as a moment has time for, and while inserts keep coming no longer than they take themselves, since
 * they wait for it; then it is their turn. */
static void pace_updates(struct store_batch *batch)
{
    uint64_t may_take_ns = inserts_keep_coming(batch) ? batch->insert_ns : (uint64_t)MOMENT_MS * NS_PER_MS;

    batch->updates_turn_ms = uv_now(batch->loop) + batch->done_ns * TIMES_IN_TURN / NS_PER_MS;
    if (batch->done_ns > 2 * may_take_ns && batch->updates_most > LEAST_UPDATES)
        batch->updates_most /= 2;
    else if (batch->done_ns < may_take_ns / 2 && batch->updates_most < STORE_BATCH_UPDATES)
        batch->updates_most *= 2;
}

static void start_next(struct store_batch *batch);

static void on_written(void *context)
{
    struct store_batch *batch = context;
    struct store_work_list done = batch->writing;
    bool is_away;

    batch->free_ms = uv_now(batch->loop);
    batch->done_ns = batch->took_ns;
    batch->writing = (struct store_work_list){0};
    if (done.first->operation == STORE_INSERT)
        pace_inserts(batch, done.count);
    else
        pace_updates(batch);
    leave_out(batch);
    is_away = err_is_transient(done.first->result.code);
    if (!is_away)
        start_next(batch); /* before the answers: the thread has its work while the loop has its own */
    batch->on_done(batch->owner, &done);
    if (is_away)
        start_next(batch); /* what is left by then */
}

static void on_due(uv_timer_t *timer)
{
    start_next(timer->data);
}

/* At the earliest when the loop has been through what came in by now. */
static void wait_until(struct store_batch *batch, uint64_t due_ms)
{
    uint64_t now_ms = uv_now(batch->loop);

    (void)uv_timer_start(&batch->timer, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0); /* never fails */
}

static void wait_for_turn(struct store_batch *batch)
{
    if (!batch->writer.is_busy)
        wait_until(batch, earliest_ms(batch));
}

static void start_writing(struct store_batch *batch)
{
    batch->writing_to = batch->store;
    store_writer_run(&batch->writer);
}

static void start_inserts(struct store_batch *batch)
{
    while (batch->writing.count < STORE_BATCH_INSERTS && batch->inserts.count > 0)
        store_work_push(&batch->writing, store_work_pop(&batch->inserts));
    batch->inserted++;
    start_writing(batch);
}

/* The oldest update, or NULL where it is a note and there is no memory for it. A note goes before an update of the same
 * millisecond: what made the update may have read of the job that the note is of. */
static struct store_work *pop_update(struct store_batch *batch)
{
    const struct store_note *note = store_notes_first(&batch->notes);
    struct store_work *work;

    if (note == NULL || note->since_ms > updates_since_ms(batch))
        return store_work_pop(&batch->updates);
    work = store_work_create_note(note);
    store_notes_drop_first(&batch->notes);
    return work;
}

static void start_updates(struct store_batch *batch)
{
    size_t left_out = 0;

    while (batch->writing.count < batch->updates_most && updates_since_ms(batch) != UINT64_MAX) {
        struct store_work *work = pop_update(batch);

        if (work != NULL)
            store_work_push(&batch->writing, work);
        else
            left_out++;
    }
    tell_left_out(batch, left_out);
    if (batch->writing.count > 0)
        start_writing(batch);
    else
        wait_for_turn(batch);
}

static void start_next(struct store_batch *batch)
{
    uint64_t now_ms = uv_now(batch->loop);

    if (batch->writer.is_busy)
        return;
    if (updates_due_ms(batch) <= now_ms) {
        start_updates(batch);
    } else if (inserts_due_ms(batch) <= now_ms) {
        start_inserts(batch);
    } else if (earliest_ms(batch) != UINT64_MAX) {
        wait_until(batch, earliest_ms(batch));
    }
}

enum err_code store_batch_init(struct store_batch *batch, uv_loop_t *loop, store_batch_done_fn on_done,
                               store_batch_left_out_fn on_left_out, void *owner, struct err *err)
{
    enum err_code rc = store_writer_start(&batch->writer, loop, write_batch, on_written, batch, err);

    if (rc != ERR_OK)
        return rc;
    batch->loop = loop;
    batch->on_done = on_done;
    batch->on_left_out = on_left_out;
    batch->owner = owner;
    batch->updates_most = LEAST_UPDATES;
    (void)uv_timer_init(loop, &batch->timer); /* never fails */
    batch->timer.data = batch;
    return ERR_OK;
}

void store_batch_push(struct store_batch *batch, struct job_store *store, struct store_work *work)
{
    batch->store = store;
    work->since_ms = uv_now(batch->loop);
    if (work->operation == STORE_INSERT)
        batch->inserted_ms = work->since_ms;
    store_work_push(work->operation == STORE_INSERT ? &batch->inserts : &batch->updates, work);
    wait_for_turn(batch);
}

void store_batch_push_note(struct store_batch *batch, struct job_store *store, const struct store_note *note)
{
    struct store_note waiting = *note;

    batch->store = store;
    waiting.since_ms = uv_now(batch->loop);
    tell_left_out(batch, store_notes_push(&batch->notes, &waiting));
    wait_for_turn(batch);
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
    tell_left_out(batch, batch->notes.count);
    store_notes_fini(&batch->notes);
}

void store_batch_hurry(struct store_batch *batch)
{
    batch->closing = true;
    start_next(batch);
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct store_batch *batch = timer->data;

    batch->writer.tell.data = batch->owner;
    store_writer_close(&batch->writer, batch->on_closed);
}

void store_batch_close(struct store_batch *batch, uv_close_cb fn)
{
    if (uv_is_closing((uv_handle_t *)&batch->timer))
        return;
    batch->on_closed = fn;
    store_notes_fini(&batch->notes);
    uv_close((uv_handle_t *)&batch->timer, on_timer_closed);
}
