#include "worker/supervisor_begin.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

enum { AGAIN_LOW_MS = 200, AGAIN_HIGH_MS = 5000 };

struct supervisor_begin {
    struct supervisor_store *store;
    struct job_queue_lease lease;
    supervisor_begun_fn fn;
    void *context;
    struct json *changes;
    uv_timer_t timer;
    uint64_t again_ms;
    bool asking;
    bool stopped;
    bool told_failure;
    struct supervisor_store_call call;
    struct supervisor_begun begun; /* the pool's while it is asked, as the next */
    struct json *last;
    struct json *own; /* the job's report */
};

static int64_t unix_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_unix_ms(&clock);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct supervisor_begin *begin = handle->data;

    begin->begun.last_published = begin->last;
    begin->begun.earlier = begin->own;
    begin->fn(begin->context, &begin->begun);
    json_value_destroy(begin->last);
    json_value_destroy(begin->own);
    json_value_destroy(begin->changes);
    free(begin);
}

static void end(struct supervisor_begin *begin)
{
    if (!uv_is_closing((uv_handle_t *)&begin->timer))
        uv_close((uv_handle_t *)&begin->timer, on_timer_closed);
}

/* In the pool: whether the document is terminal or cancelled. One that is missing is not: the job is not lost with it.
 */
static enum err_code look_at_document(struct supervisor_begin *begin, struct job_store *store, struct err *err)
{
    struct json *document = NULL;
    enum err_code rc = job_store_get(store, begin->lease.entry.job_id, &document, err);

    if (rc == ERR_NOT_FOUND) {
        log_warn("job.no_document", log_text("job", begin->lease.entry.job_id));
        return ERR_OK;
    }
    begin->begun.is_terminal = rc == ERR_OK &&
                               job_state_parse(json_value_get_text(document, "state"), &begin->begun.state) &&
                               job_state_is_terminal(begin->begun.state);
    begin->begun.is_cancelled =
        rc == ERR_OK && !begin->begun.is_terminal && json_value_get_text(document, "cancel") != NULL;
    json_value_destroy(document);
    return rc;
}

/* In the pool: what an earlier attempt came to, or one before a retry; which of it counts is the run's business. */
static enum err_code read_own_report(struct supervisor_begin *begin, struct job_store *store, struct err *err)
{
    bool resumable = false;
    enum err_code rc;

    json_value_destroy(begin->own);
    begin->own = NULL;
    rc = job_store_get_report(store, begin->lease.entry.job_id, &begin->own, err);
    (void)json_value_get_bool(begin->own, "resumable", &resumable);
    if (!resumable) {
        json_value_destroy(begin->own);
        begin->own = NULL;
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code begin_work(struct job_store *store, void *context, struct err *err)
{
    struct supervisor_begin *begin = context;
    const struct job_queue_lease *lease = &begin->lease;
    bool applied;
    enum err_code rc = look_at_document(begin, store, err);

    if (rc != ERR_OK || begin->begun.is_terminal || begin->begun.is_cancelled)
        return rc;
    rc = job_store_update(store, lease->entry.job_id, lease->fence, begin->changes, &applied, err);
    if (rc == ERR_OK)
        rc = read_own_report(begin, store, err);
    if (rc == ERR_OK)
        rc = job_store_last_published(store, lease->type, lease->shop, &begin->last, err);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static void ask(struct supervisor_begin *begin);

static void on_timer(uv_timer_t *timer)
{
    ask(timer->data);
}

static void on_asked(void *context, enum err_code rc, const struct err *err)
{
    struct supervisor_begin *begin = context;

    begin->asking = false;
    if (rc == ERR_OK || begin->stopped) {
        end(begin);
        return;
    }
    if (!err_is_transient(rc) && !begin->told_failure) /* an absent store is told by itself */
        log_warn("job.not_begun", log_text("job", begin->lease.entry.job_id), log_text("message", err->message));
    begin->told_failure = true;
    (void)uv_timer_start(&begin->timer, on_timer, begin->again_ms, 0);
    begin->again_ms = begin->again_ms * 2 < AGAIN_HIGH_MS ? begin->again_ms * 2 : AGAIN_HIGH_MS;
}

static void ask(struct supervisor_begin *begin)
{
    begin->asking = true;
    begin->call = (struct supervisor_store_call){.work = begin_work, .done = on_asked, .context = begin};
    supervisor_store_submit(begin->store, &begin->call);
}

static struct json *make_running(const struct job_queue_lease *lease, const char *worker)
{
    struct json *changes = json_value_new_object();
    int64_t now_ms = unix_ms();

    if (changes == NULL || !json_value_set_text(changes, "state", job_state_name(JOB_RUNNING)) ||
        !json_value_set_text(changes, "worker", worker) || !json_value_set_int(changes, "attempt", lease->attempt) ||
        !json_value_set_text(changes, "stage", "") || !json_value_set_real(changes, "progress", 0) ||
        !job_document_set_time(changes, "started_at", now_ms) ||
        !job_document_set_time(changes, "heartbeat_at", now_ms)) {
        json_value_destroy(changes);
        return NULL;
    }
    return changes;
}

struct supervisor_begin *supervisor_begin_start(uv_loop_t *loop, struct supervisor_store *store,
                                                const struct job_queue_lease *lease, const char *worker,
                                                supervisor_begun_fn fn, void *context)
{
    struct supervisor_begin *begin = mem_zeroed(1, sizeof *begin);

    if (begin == NULL || (begin->changes = make_running(lease, worker)) == NULL) {
        free(begin);
        return NULL;
    }
    begin->store = store;
    begin->lease = *lease;
    begin->fn = fn;
    begin->context = context;
    begin->again_ms = AGAIN_LOW_MS;
    (void)uv_timer_init(loop, &begin->timer);
    begin->timer.data = begin;
    ask(begin);
    return begin;
}

void supervisor_begin_stop(struct supervisor_begin *begin)
{
    begin->stopped = true;
    if (!begin->asking)
        end(begin);
}

char *supervisor_begin_print_job(const struct supervisor_begun *begun, const struct job_queue_lease *lease,
                                 const struct json *args)
{
    const struct json *params = json_value_get(args, "params");
    const struct json *counts = json_value_get(begun->last_published, "published_counts");
    struct json *job = json_value_new_object();
    struct json *known = json_value_new_object();
    char *text = NULL;
    bool made = job != NULL && known != NULL && json_value_set_text(job, "id", lease->entry.job_id) &&
                json_value_set_text(job, "type", job_type_name(lease->type)) &&
                json_value_set_text(job, "namespace", lease->shop) && json_value_set_int(job, "fence", lease->fence) &&
                json_value_set_int(job, "attempt", lease->attempt);

    if (made && params != NULL)
        made = json_value_set(job, "params", json_value_dup(params));
    if (made && counts != NULL)
        made = json_value_set(known, "published_counts", json_value_dup(counts));
    made = json_value_set(job, "last_published", known) && made;
    if (made && begun->earlier != NULL)
        made = json_value_set(job, "earlier", json_value_dup(begun->earlier));
    if (made)
        text = json_value_print(job, false, 0);
    json_value_destroy(job);
    return text;
}

struct supervisor_note {
    struct supervisor_store_call call;
    struct job_queue_lease lease;
    struct json *changes;
    void (*done)(void *context);
    void *context;
};

static enum err_code note_work(struct job_store *store, void *context, struct err *err)
{
    const struct supervisor_note *note = context;
    bool applied;

    return job_store_update(store, note->lease.entry.job_id, note->lease.fence, note->changes, &applied, err);
}

static void on_noted(void *context, enum err_code rc, const struct err *err)
{
    struct supervisor_note *note = context;
    void (*done)(void *context) = note->done;
    void *done_context = note->context;

    if (rc != ERR_OK)
        log_debug("job.progress_not_stored", log_text("message", err->message));
    json_value_destroy(note->changes);
    free(note);
    done(done_context);
}

struct supervisor_note *supervisor_note_start(struct supervisor_store *store, const struct job_queue_lease *lease,
                                              const struct child_line *progress, void (*done)(void *context),
                                              void *context)
{
    struct supervisor_note *note = mem_zeroed(1, sizeof *note);
    struct json *changes = json_value_new_object();

    if (note == NULL || changes == NULL || !json_value_set_text(changes, "stage", progress->stage) ||
        !json_value_set_real(changes, "progress", progress->progress) ||
        !job_document_set_time(changes, "heartbeat_at", unix_ms())) {
        json_value_destroy(changes);
        free(note);
        return NULL;
    }
    *note = (struct supervisor_note){.lease = *lease, .changes = changes, .done = done, .context = context};
    note->call = (struct supervisor_store_call){.work = note_work, .done = on_noted, .context = note};
    supervisor_store_submit(store, &note->call);
    return note;
}
