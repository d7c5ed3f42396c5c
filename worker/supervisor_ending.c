#include "worker/supervisor_ending.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/supervisor_keep.h"

enum { AGAIN_LOW_MS = 200, AGAIN_HIGH_MS = 5000 };

/* Steps, in this order; a released or lost job has no STORING, a released one is stored after it was given back. */
enum step { STEP_STORING, STEP_ANSWERING, STEP_CORRECTING, STEP_OVER };

struct supervisor_ending {
    struct supervisor_ending_config config;
    const struct supervisor_outcome *outcome;
    enum step step;
    uv_timer_t timer; /* to the next try */
    uint64_t again_ms;
    bool timer_open;
    bool waiting; /* for the store or the queue */
    bool told_failure;
    bool abandoned;
    bool fenced;
    struct supervisor_store_call call;
    struct json *report; /* what the store is given: the pool's while a call is under way */
    struct json *changes;
};

static void take_step(struct supervisor_ending *ending);

static int64_t unix_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_unix_ms(&clock);
}

static struct json *make_error(const struct err *err)
{
    struct json *error = json_value_new_object();

    if (error == NULL || !json_value_set_text(error, "code", err_code_name(err->code)) ||
        !json_value_set_text(error, "message", err->message) ||
        !json_value_set_bool(error, "transient", err_is_transient(err->code))) {
        json_value_destroy(error);
        return NULL;
    }
    return error;
}

static const char *state_name(const struct supervisor_outcome *outcome)
{
    if (outcome->verdict == SUPERVISOR_RETRY)
        return job_state_name(JOB_RETRYING);
    return job_state_name(outcome->verdict == SUPERVISOR_RELEASED ? JOB_QUEUED : outcome->state);
}

struct json *supervisor_ending_changes(const struct supervisor_outcome *outcome, int errors, int64_t now_ms)
{
    const struct child_end *end = &outcome->end;
    bool failed = end->err.code != ERR_OK && outcome->verdict != SUPERVISOR_RELEASED;
    struct json *changes = json_value_new_object();
    bool made = changes != NULL && json_value_set_text(changes, "state", state_name(outcome));

    if (failed) {
        made = json_value_set_int(changes, "errors", errors + 1) && made;
        made = json_value_set(changes, "error", make_error(&end->err)) && made;
    }
    if (outcome->verdict == SUPERVISOR_FINISHED)
        made = job_document_set_time(changes, "finished_at", now_ms) && made;
    if (outcome->verdict == SUPERVISOR_FINISHED && outcome->state == JOB_SUCCEEDED) {
        made = json_value_set_real(changes, "progress", 1) && made;
        made = json_value_set_null(changes, "error") && made;
        if (end->result != NULL)
            made = json_value_set(changes, "result", json_value_dup(end->result)) && made;
    }
    if (end->backend[0] != '\0')
        made = json_value_set_text(changes, "backend", end->backend) && made;
    if (!made) {
        json_value_destroy(changes);
        return NULL;
    }
    return changes;
}

static void free_when_over(struct supervisor_ending *ending)
{
    if (ending->step != STEP_OVER || ending->timer_open || ending->waiting)
        return;
    json_value_destroy(ending->report);
    json_value_destroy(ending->changes);
    ending->config.on_ended(ending->config.context, ending->fenced);
    free(ending);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct supervisor_ending *ending = handle->data;

    ending->timer_open = false;
    free_when_over(ending);
}

static void end(struct supervisor_ending *ending)
{
    if (ending->step == STEP_OVER)
        return;
    ending->step = STEP_OVER;
    uv_close((uv_handle_t *)&ending->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    take_step(timer->data);
}

/* Waits a little longer each time. */
static void try_again(struct supervisor_ending *ending)
{
    (void)uv_timer_start(&ending->timer, on_timer, ending->again_ms, 0);
    ending->again_ms = ending->again_ms * 2 < AGAIN_HIGH_MS ? ending->again_ms * 2 : AGAIN_HIGH_MS;
}

/* What is neither an absent store nor an absent queue, once a step. */
static void tell_failure(struct supervisor_ending *ending, const char *event, const struct err *err)
{
    if (!ending->told_failure)
        log_warn(event, log_text("job", ending->config.lease.entry.job_id), log_text("message", err->message));
    ending->told_failure = true;
}

static void next_step(struct supervisor_ending *ending, enum step step)
{
    ending->step = step;
    ending->told_failure = false;
    ending->again_ms = AGAIN_LOW_MS;
    take_step(ending);
}

/* In the pool. */
static enum err_code store_work(struct job_store *store, void *context, struct err *err)
{
    const struct supervisor_ending *ending = context;
    const struct job_queue_lease *lease = &ending->config.lease;
    const char *id = lease->entry.job_id;
    bool applied;
    enum err_code rc = ERR_OK;

    if (ending->step == STEP_STORING && ending->report != NULL) {
        rc = job_store_put_report(store, id, lease->fence, ending->report, &applied, err);
        if (rc != ERR_OK && rc != ERR_NETWORK && rc != ERR_UNAVAILABLE && rc != ERR_NO_MEMORY) {
            log_err("job.report_refused", err); /* too large, say: it would be refused again */
            rc = ERR_OK;
        }
    }
    if (rc == ERR_OK)
        rc = job_store_update(store, id, lease->fence, ending->changes, &applied, err);
    return rc;
}

static void on_stored(void *context, enum err_code rc, const struct err *err)
{
    struct supervisor_ending *ending = context;

    ending->waiting = false;
    if (ending->step == STEP_OVER)
        free_when_over(ending);
    else if (ending->abandoned || ending->step != STEP_STORING)
        end(ending); /* the queue knows already: the document is put right by the gateway if this failed */
    else if (rc == ERR_OK)
        next_step(ending, STEP_ANSWERING);
    else {
        if (!err_is_transient(rc))
            tell_failure(ending, "job.not_stored", err);
        try_again(ending);
    }
}

static void store(struct supervisor_ending *ending)
{
    if (ending->changes == NULL) {
        ending->changes = supervisor_ending_changes(ending->outcome, ending->config.errors, unix_ms());
        ending->report = supervisor_keep_document(ending->outcome->end.report, &ending->config.lease,
                                                  ending->outcome->verdict == SUPERVISOR_FINISHED &&
                                                      ending->outcome->state == JOB_SUCCEEDED);
    }
    if (ending->changes == NULL) {
        try_again(ending); /* for want of memory */
        return;
    }
    ending->waiting = true;
    ending->call = (struct supervisor_store_call){.work = store_work, .done = on_stored, .context = ending};
    supervisor_store_submit(ending->config.store, &ending->call);
}

/* What the document says is not, or not yet, what the queue says now. */
static void correct(struct supervisor_ending *ending, enum job_state state)
{
    const struct supervisor_outcome now = {.verdict = state == JOB_QUEUED ? SUPERVISOR_RELEASED : SUPERVISOR_FINISHED,
                                           .state = state};

    json_value_destroy(ending->changes);
    ending->changes = supervisor_ending_changes(&now, ending->config.errors, unix_ms());
    if (ending->changes == NULL)
        end(ending);
    else
        next_step(ending, STEP_CORRECTING);
}

/* The queue was not reached, or answered oddly. */
static void answer_again(struct supervisor_ending *ending, const struct redis_reply *reply, const struct err *err)
{
    if (!supervisor_news_take(ending->config.news, reply, err))
        tell_failure(ending, "job.end_untold", err);
    try_again(ending);
}

static void on_finished(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_ending *ending = context;
    enum job_queue_finished answer = JOB_QUEUE_FINISH_OK;
    struct err own;
    enum err_code rc = err != NULL ? err->code : job_queue_finish_parse(reply, &answer, &own);

    ending->waiting = false;
    if (ending->step == STEP_OVER || ending->abandoned) {
        end(ending);
        free_when_over(ending);
    } else if (rc != ERR_OK) {
        answer_again(ending, reply, err != NULL ? err : &own);
    } else if (answer == JOB_QUEUE_FINISH_CANCELLED) {
        correct(ending, JOB_CANCELLED); /* a cancel overtook the retry */
    } else {
        if (answer == JOB_QUEUE_FINISH_FENCED)
            log_warn("job.fenced", log_text("job", ending->config.lease.entry.job_id));
        ending->fenced = answer == JOB_QUEUE_FINISH_FENCED;
        end(ending);
    }
}

static void on_released(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_ending *ending = context;
    bool fenced = false;
    struct err own;
    enum err_code rc = err != NULL ? err->code : job_queue_release_parse(reply, &fenced, &own);

    ending->waiting = false;
    ending->fenced = fenced;
    if (ending->step == STEP_OVER || ending->abandoned || fenced) {
        end(ending);
        free_when_over(ending);
    } else if (rc != ERR_OK) {
        answer_again(ending, reply, err != NULL ? err : &own);
    } else {
        correct(ending, JOB_QUEUED);
    }
}

static void answer_queue(struct supervisor_ending *ending)
{
    const struct supervisor_ending_config *config = &ending->config;
    const struct supervisor_outcome *outcome = ending->outcome;
    const struct json *error = json_value_get(ending->changes, "error");
    struct redis_command command;
    char *text = NULL;

    config->before_answer(config->context);
    ending->waiting = true;
    if (outcome->verdict == SUPERVISOR_RELEASED) {
        job_queue_release_command(&command, config->queue, &config->lease, config->worker);
        redis_async_send(config->redis, &command, on_released, ending);
    } else {
        text = json_value_kind(error) == JSON_KIND_OBJECT ? json_value_print(error, false, 0) : NULL;
        job_queue_finish_command(&command, config->queue, &config->lease, outcome->state, text != NULL ? text : "",
                                 outcome->verdict == SUPERVISOR_RETRY ? outcome->delay_ms : -1);
        redis_async_send(config->redis, &command, on_finished, ending);
    }
    redis_command_fini(&command);
    free(text);
}

static void take_step(struct supervisor_ending *ending)
{
    if (ending->step == STEP_STORING || ending->step == STEP_CORRECTING)
        store(ending);
    else if (ending->step == STEP_ANSWERING)
        answer_queue(ending);
}

enum err_code supervisor_ending_start(struct supervisor_ending **out, const struct supervisor_ending_config *config,
                                      const struct supervisor_outcome *outcome, struct err *err)
{
    struct supervisor_ending *ending = mem_zeroed(1, sizeof *ending);

    *out = ending;
    if (ending == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to end a job");
    ending->config = *config;
    ending->outcome = outcome;
    (void)uv_timer_init(config->loop, &ending->timer);
    ending->timer.data = ending;
    ending->timer_open = true;
    if (outcome->verdict == SUPERVISOR_LOST)
        end(ending);
    else
        next_step(ending, outcome->verdict == SUPERVISOR_RELEASED ? STEP_ANSWERING : STEP_STORING);
    return ERR_OK;
}

void supervisor_ending_abandon(struct supervisor_ending *ending)
{
    ending->abandoned = true;
    if (!ending->waiting)
        end(ending);
}
