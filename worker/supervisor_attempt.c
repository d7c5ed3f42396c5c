#include "worker/supervisor_attempt.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/supervisor_begin.h"
#include "worker/supervisor_ending.h"
#include "worker/supervisor_keep.h"
#include "worker/supervisor_lease.h"

enum { CANCEL_GRACE_MS = 10000, NOTE_EVERY_MS = 1000 };

/* The stages in which what others read is changed, as the queue's cancel knows them. */
static const char *const publishing[] = {"publish", "swap"};

struct supervisor_attempt {
    struct supervisor_attempt_config config;
    const char *queue;
    struct job_queue_lease lease_of; /* id, fence, attempt … */
    struct supervisor_history history;
    struct json *args;
    struct supervisor_lease *lease;
    struct supervisor_begin *begin;
    struct supervisor_child *child;
    struct supervisor_ending *ending;
    uv_timer_t limit;             /* MAX_RUNTIME_S */
    uv_timer_t kill;              /* what a cancel leaves the child */
    int open;                     /* timers and lease */
    struct supervisor_note *note; /* a progress on its way to the store; NULL: none */
    int64_t noted_ms;
    struct child_line latest; /* progress; `waits`: it is of a stage that is to be noted yet */
    bool waits;
    struct supervisor_keep keep; /* of reports before the end */
    struct supervisor_wishes wishes;
    int64_t asked; /* chunks the child asked for */
    int64_t granted;
    struct child_end end; /* what the child said last */
    bool has_end;
    bool lost;  /* a beat was told so while it ended */
    bool ended; /* the ending is through */
    struct supervisor_outcome outcome;
};

static const char *id_of(const struct supervisor_attempt *attempt)
{
    return attempt->lease_of.entry.job_id;
}

static int64_t monotonic_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

static void close_all(struct supervisor_attempt *attempt);

static void on_ended(void *context, bool fenced)
{
    struct supervisor_attempt *attempt = context;

    attempt->ending = NULL;
    if (fenced || attempt->lost) {
        attempt->outcome.verdict = SUPERVISOR_LOST;
        (void)ERR_SET(&attempt->outcome.end.err, ERR_FENCED, "the queue has given the job to another");
    }
    attempt->ended = true;
    close_all(attempt);
}

static void on_before_answer(void *context)
{
    struct supervisor_attempt *attempt = context;

    supervisor_lease_stop(attempt->lease);
}

static void log_outcome(const struct supervisor_attempt *attempt)
{
    static const char *const verdicts[] = {[SUPERVISOR_RUNNING] = "running",
                                           [SUPERVISOR_FINISHED] = "finished",
                                           [SUPERVISOR_RETRY] = "retrying",
                                           [SUPERVISOR_RELEASED] = "released",
                                           [SUPERVISOR_LOST] = "lost"};
    const struct supervisor_outcome *outcome = &attempt->outcome;
    const struct err *err = &outcome->end.err;
    bool finished = outcome->verdict == SUPERVISOR_FINISHED;

    log_info("job.ended", log_text("job", id_of(attempt)),
             log_text("outcome", finished ? job_state_name(outcome->state) : verdicts[outcome->verdict]),
             log_text("code", err->code != ERR_OK ? err_code_name(err->code) : NULL),
             log_text("message", err->code != ERR_OK ? err->message : NULL), log_int("retry_ms", outcome->delay_ms));
}

/* When nothing is under way any more that could change the outcome. */
static void conclude(struct supervisor_attempt *attempt)
{
    struct supervisor_ending_config config = {.loop = attempt->config.loop,
                                              .redis = attempt->config.redis,
                                              .news = attempt->config.news,
                                              .store = attempt->config.store,
                                              .queue = attempt->queue,
                                              .worker = attempt->config.worker,
                                              .lease = attempt->lease_of,
                                              .errors = attempt->history.errors,
                                              .before_answer = on_before_answer,
                                              .on_ended = on_ended,
                                              .context = attempt};
    struct err err;

    if (attempt->begin != NULL || attempt->child != NULL || attempt->note != NULL || attempt->keep.is_busy ||
        attempt->ending != NULL || attempt->ended || attempt->outcome.verdict == SUPERVISOR_RUNNING)
        return;
    log_outcome(attempt);
    if (supervisor_ending_start(&attempt->ending, &config, &attempt->outcome, &err) == ERR_OK)
        return;
    log_err("job.abandoned", &err); /* its lease runs out */
    attempt->ended = true;
    close_all(attempt);
}

static void fail(struct supervisor_attempt *attempt, const struct err *err)
{
    supervisor_outcome_of_error(&attempt->outcome, err, &attempt->history);
    conclude(attempt);
}

/* What to do about a wish while there is no child. */
static void heed_wishes(struct supervisor_attempt *attempt)
{
    const struct supervisor_child_exit none = {0};

    if (attempt->outcome.verdict != SUPERVISOR_RUNNING)
        return;
    supervisor_outcome_of_child(&attempt->outcome, &none, NULL, &attempt->wishes, &attempt->history);
}

static bool is_wished_to_end(const struct supervisor_attempt *attempt)
{
    return attempt->wishes.cancelled || attempt->wishes.gave_back || attempt->wishes.timed_out;
}

/* After a wish or a loss: ends what is under way. The child's end, or the beginning's, concludes. */
static void stop_short(struct supervisor_attempt *attempt)
{
    if (attempt->begin != NULL) {
        supervisor_begin_stop(attempt->begin);
    } else if (attempt->child != NULL) {
        supervisor_child_kill(attempt->child);
    } else {
        heed_wishes(attempt);
        conclude(attempt);
    }
}

static bool has_told_publishing(const struct supervisor_attempt *attempt)
{
    for (size_t i = 0; i < sizeof publishing / sizeof publishing[0]; i++) {
        if (supervisor_lease_has_told(attempt->lease, publishing[i]))
            return true;
    }
    return false;
}

/* The child may publish while the lease is known to be held, unless the run is to end; and not before the queue knows
 * that it does: from then on a cancel is answered that it comes too late. */
static void grant(struct supervisor_attempt *attempt)
{
    if (attempt->asked <= attempt->granted || attempt->child == NULL || is_wished_to_end(attempt) ||
        attempt->outcome.verdict != SUPERVISOR_RUNNING)
        return;
    if (!supervisor_lease_is_held(attempt->lease) || !has_told_publishing(attempt)) {
        supervisor_lease_beat(attempt->lease); /* its answer comes back here */
        return;
    }
    attempt->granted = attempt->asked;
    supervisor_child_say(attempt->child, child_line_print_may_publish(attempt->granted));
}

static void on_kill(uv_timer_t *timer)
{
    struct supervisor_attempt *attempt = timer->data;

    if (attempt->child != NULL)
        supervisor_child_kill(attempt->child);
}

static void cancel(struct supervisor_attempt *attempt)
{
    /* once publishing began the run ends as it would have; its finish wins over the cancel */
    if (attempt->granted > 0 || is_wished_to_end(attempt) || attempt->outcome.verdict != SUPERVISOR_RUNNING)
        return;
    log_info("job.cancel_heard", log_text("job", id_of(attempt)));
    attempt->wishes.cancelled = true;
    if (attempt->child == NULL) {
        stop_short(attempt);
        return;
    }
    supervisor_child_say(attempt->child, child_line_print_cancel());
    (void)uv_timer_start(&attempt->kill, on_kill, CANCEL_GRACE_MS, 0);
}

static void on_beat(void *context, enum job_queue_beaten answer)
{
    struct supervisor_attempt *attempt = context;

    if (answer == JOB_QUEUE_BEAT_LOST) {
        log_warn("job.lost", log_text("job", id_of(attempt)), log_int("fence", attempt->lease_of.fence));
        supervisor_lease_stop(attempt->lease);
        if (attempt->ending != NULL) {
            attempt->lost = true;
            supervisor_ending_abandon(attempt->ending);
            return;
        }
        supervisor_outcome_fini(&attempt->outcome);
        attempt->outcome.verdict = SUPERVISOR_LOST;
        stop_short(attempt);
        return;
    }
    if (answer == JOB_QUEUE_BEAT_CANCEL)
        cancel(attempt);
    grant(attempt);
}

static void on_kept(void *context)
{
    conclude(context);
}

static void note_latest(struct supervisor_attempt *attempt);

static void on_noted(void *context)
{
    struct supervisor_attempt *attempt = context;

    attempt->note = NULL;
    if (attempt->waits && attempt->child != NULL)
        note_latest(attempt);
    conclude(attempt);
}

static void note_latest(struct supervisor_attempt *attempt)
{
    attempt->waits = false;
    attempt->noted_ms = monotonic_ms();
    attempt->note =
        supervisor_note_start(attempt->config.store, &attempt->lease_of, &attempt->latest, on_noted, attempt);
}

/* Into the document, each new stage and now and then; what comes while it is written follows it. */
static void note_progress(struct supervisor_attempt *attempt, const struct child_line *line)
{
    bool is_new = strcmp(attempt->latest.stage, line->stage) != 0;

    if (is_new)
        log_info("job.stage", log_text("job", id_of(attempt)), log_text("stage", line->stage),
                 log_real("progress", line->progress));
    attempt->latest = *line; /* no end is in it */
    attempt->waits = attempt->waits || is_new;
    if (attempt->note == NULL && (attempt->waits || monotonic_ms() - attempt->noted_ms >= NOTE_EVERY_MS))
        note_latest(attempt);
}

static void on_line(void *context, struct child_line *line)
{
    struct supervisor_attempt *attempt = context;

    if (line->kind == CHILD_LINE_PROGRESS) {
        supervisor_lease_tell(attempt->lease, line->stage, line->progress);
        note_progress(attempt, line);
    } else if (line->kind == CHILD_LINE_REPORT) {
        supervisor_keep_take(&attempt->keep, line->report);
        line->report = NULL;
    } else if (line->kind == CHILD_LINE_MAY_PUBLISH) {
        attempt->asked = line->number > attempt->asked ? line->number : attempt->asked;
        grant(attempt);
    } else if (line->kind == CHILD_LINE_END && !attempt->has_end) {
        attempt->end = line->end;
        line->end = (struct child_end){0};
        attempt->has_end = true;
    }
}

static void on_exit_of_child(void *context, const struct supervisor_child_exit *exit)
{
    struct supervisor_attempt *attempt = context;

    attempt->child = NULL;
    if (attempt->outcome.verdict == SUPERVISOR_RUNNING)
        supervisor_outcome_of_child(&attempt->outcome, exit, attempt->has_end ? &attempt->end : NULL, &attempt->wishes,
                                    &attempt->history);
    child_end_fini(&attempt->end);
    conclude(attempt);
}

static void start_child(struct supervisor_attempt *attempt, const struct supervisor_begun *begun)
{
    char *job = supervisor_begin_print_job(begun, &attempt->lease_of, attempt->args);
    struct supervisor_child_config config = {.loop = attempt->config.loop,
                                             .env_file = attempt->config.env_file,
                                             .job = job,
                                             .on_line = on_line,
                                             .on_exit = on_exit_of_child,
                                             .context = attempt};
    struct err err;
    enum err_code rc = job != NULL ? supervisor_child_start(&attempt->child, &config, &err)
                                   : ERR_SET(&err, ERR_NO_MEMORY, "no memory for a job");

    free(job);
    if (rc != ERR_OK) {
        fail(attempt, &err);
        return;
    }
    log_info("job.started", log_text("job", id_of(attempt)), log_text("type", job_type_name(attempt->lease_of.type)),
             log_int("attempt", attempt->lease_of.attempt), log_int("fence", attempt->lease_of.fence),
             log_int("pid", supervisor_child_pid(attempt->child)));
}

static void on_begun(void *context, const struct supervisor_begun *begun)
{
    struct supervisor_attempt *attempt = context;

    attempt->begin = NULL;
    attempt->wishes.cancelled = attempt->wishes.cancelled || begun->is_cancelled;
    if (is_wished_to_end(attempt)) {
        heed_wishes(attempt);
    } else if (attempt->outcome.verdict == SUPERVISOR_RUNNING && begun->is_terminal) {
        attempt->outcome.verdict = SUPERVISOR_FINISHED; /* the queue is behind its document */
        attempt->outcome.state = begun->state;
    } else if (attempt->outcome.verdict == SUPERVISOR_RUNNING) {
        start_child(attempt, begun);
        return;
    }
    conclude(attempt);
}

static void on_limit(uv_timer_t *timer)
{
    struct supervisor_attempt *attempt = timer->data;

    if (attempt->ending != NULL || attempt->ended || is_wished_to_end(attempt))
        return;
    attempt->wishes.timed_out = true;
    stop_short(attempt);
}

static void free_when_closed(struct supervisor_attempt *attempt)
{
    struct supervisor_attempt_config config = attempt->config;

    if (attempt->open > 0)
        return;
    config.on_over(config.context, &attempt->lease_of, &attempt->outcome);
    supervisor_outcome_fini(&attempt->outcome);
    child_end_fini(&attempt->end);
    json_value_destroy(attempt->args);
    free(attempt);
}

static void on_closed(void *context)
{
    struct supervisor_attempt *attempt = context;

    attempt->open--;
    free_when_closed(attempt);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_closed(handle->data);
}

static void close_all(struct supervisor_attempt *attempt)
{
    uv_close((uv_handle_t *)&attempt->limit, on_timer_closed);
    uv_close((uv_handle_t *)&attempt->kill, on_timer_closed);
    supervisor_lease_close(attempt->lease, on_closed, attempt);
}

static enum err_code create_lease(struct supervisor_attempt *attempt, struct err *err)
{
    const struct job_settings *settings = attempt->config.settings;
    const struct supervisor_lease_config config = {.loop = attempt->config.loop,
                                                   .redis = attempt->config.redis,
                                                   .news = attempt->config.news,
                                                   .queue = attempt->queue,
                                                   .worker = attempt->config.worker,
                                                   .lease = attempt->lease_of,
                                                   .lease_ms = settings->lease_ms,
                                                   .heartbeat_ms = settings->heartbeat_ms,
                                                   .on_beat = on_beat,
                                                   .context = attempt};

    return supervisor_lease_create(&attempt->lease, &config, err);
}

static void open_timers(struct supervisor_attempt *attempt)
{
    (void)uv_timer_init(attempt->config.loop, &attempt->limit);
    (void)uv_timer_init(attempt->config.loop, &attempt->kill);
    attempt->limit.data = attempt;
    attempt->kill.data = attempt;
    attempt->open = 3; /* the lease too */
    (void)uv_timer_start(&attempt->limit, on_limit, (uint64_t)attempt->config.settings->max_runtime_ms, 0);
}

enum err_code supervisor_attempt_start(struct supervisor_attempt **out, const struct supervisor_attempt_config *config,
                                       const struct supervisor_started *started, struct err *err)
{
    struct supervisor_attempt *attempt = mem_zeroed(1, sizeof *attempt);
    enum err_code rc;

    *out = NULL;
    if (attempt == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a job");
    attempt->config = *config;
    attempt->queue = started->queue;
    attempt->lease_of = started->lease;
    attempt->history = (struct supervisor_history){
        .errors = started->errors, .max_errors = started->max_errors, .retry_base_ms = config->settings->retry_base_ms};
    attempt->keep = (struct supervisor_keep){
        .store = config->store, .lease = &attempt->lease_of, .on_idle = on_kept, .context = attempt};
    rc = json_value_parse(&attempt->args, started->args, strlen(started->args), err);
    if (rc == ERR_OK)
        rc = create_lease(attempt, err);
    if (rc != ERR_OK) {
        json_value_destroy(attempt->args);
        free(attempt);
        return rc;
    }
    open_timers(attempt);
    *out = attempt;
    if (started->unreadable != NULL) {
        fail(attempt, started->unreadable);
        return ERR_OK;
    }
    attempt->begin =
        supervisor_begin_start(config->loop, config->store, &attempt->lease_of, config->worker, on_begun, attempt);
    if (attempt->begin == NULL) {
        struct err no_memory;

        (void)ERR_SET(&no_memory, ERR_NO_MEMORY, "no memory for a job");
        fail(attempt, &no_memory);
    }
    return ERR_OK;
}

void supervisor_attempt_on_ready(struct supervisor_attempt *attempt)
{
    supervisor_lease_beat(attempt->lease);
}

void supervisor_attempt_give_back(struct supervisor_attempt *attempt)
{
    if (attempt->ending != NULL || attempt->ended || attempt->wishes.gave_back)
        return;
    attempt->wishes.gave_back = true;
    stop_short(attempt);
}

void supervisor_attempt_abandon(struct supervisor_attempt *attempt)
{
    supervisor_attempt_give_back(attempt);
    if (attempt->ending != NULL)
        supervisor_ending_abandon(attempt->ending);
}
