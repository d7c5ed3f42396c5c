#include "worker/supervisor_outcome.h"
#include "common/base/jitter.h"

#include <signal.h>
#include <string.h>

enum { LONGEST_DELAY_MS = 15 * 60 * 1000 };

void supervisor_outcome_fini(struct supervisor_outcome *outcome)
{
    child_end_fini(&outcome->end);
    *outcome = (struct supervisor_outcome){0};
}

int64_t supervisor_outcome_delay_ms(int64_t base_ms, int errors, uint32_t random)
{
    int64_t delay_ms = base_ms < LONGEST_DELAY_MS ? base_ms : LONGEST_DELAY_MS;

    for (int i = 0; i < errors && delay_ms < LONGEST_DELAY_MS; i++)
        delay_ms *= 2;
    delay_ms = delay_ms < LONGEST_DELAY_MS ? delay_ms : LONGEST_DELAY_MS;
    return (int64_t)((double)delay_ms * (0.8 + 0.4 * (double)random / (double)UINT32_MAX));
}

static void finish(struct supervisor_outcome *out, enum job_state state)
{
    out->verdict = SUPERVISOR_FINISHED;
    out->state = state;
}

static void fail(struct supervisor_outcome *out, bool again, const struct supervisor_history *history)
{
    if (!again || history->errors >= history->max_errors) {
        finish(out, JOB_DEAD);
        return;
    }
    out->verdict = SUPERVISOR_RETRY;
    out->delay_ms = supervisor_outcome_delay_ms(history->retry_base_ms, history->errors, jitter_bits());
}

void supervisor_outcome_of_error(struct supervisor_outcome *out, const struct err *err,
                                 const struct supervisor_history *history)
{
    *out = (struct supervisor_outcome){.end.err = *err};
    fail(out, err_is_transient(err->code), history);
}

/* The child said how it ended. */
static void take_word(struct supervisor_outcome *out, const struct supervisor_history *history)
{
    enum err_code code = out->end.err.code;

    if (code == ERR_OK) {
        finish(out, JOB_SUCCEEDED);
    } else if (code == ERR_FENCED && out->end.refused_at_start) {
        out->verdict = SUPERVISOR_RELEASED; /* the queue's clock went back, or another queue's run was newer */
        out->floor_fence = out->end.newest_fence;
    } else if (code == ERR_FENCED) {
        finish(out, JOB_SUPERSEDED);
    } else if (code == ERR_DEVICE_LOST) {
        out->verdict = SUPERVISOR_RELEASED;
        out->device_lost = true;
    } else {
        fail(out, err_is_transient(code), history);
    }
}

/* It ended without a word: a crash, a kill, a lack of memory. */
static void guess(struct supervisor_outcome *out, const struct supervisor_child_exit *exit,
                  const struct supervisor_history *history)
{
    struct err *err = &out->end.err;

    if (exit->line_too_long) {
        (void)ERR_SET(err, ERR_TOO_LARGE, "the run's report is longer than %d bytes", CHILD_LINE_MAX_BYTES);
        fail(out, false, history);
    } else if (exit->signal != 0) {
        (void)ERR_SET(err, ERR_UNAVAILABLE, "the run was killed by signal %d (%s)%s", exit->signal,
                      strsignal(exit->signal), exit->signal == SIGKILL ? ": perhaps memory ran out" : "");
        fail(out, true, history);
    } else if (exit->status == CHILD_EXIT_DEVICE_LOST) {
        out->verdict = SUPERVISOR_RELEASED;
        out->device_lost = true;
    } else {
        bool permanent = exit->status == CHILD_EXIT_PERMANENT;

        (void)ERR_SET(err, permanent ? ERR_INTERNAL : ERR_UNAVAILABLE, "the run ended with status %d and no report",
                      exit->status);
        fail(out, !permanent, history);
    }
}

void supervisor_outcome_of_child(struct supervisor_outcome *out, const struct supervisor_child_exit *exit,
                                 struct child_end *end, const struct supervisor_wishes *wishes,
                                 const struct supervisor_history *history)
{
    *out = (struct supervisor_outcome){.signal = exit->signal};
    if (end != NULL) {
        out->end = *end;
        *end = (struct child_end){0};
    }
    if (wishes->cancelled) { /* it was not let publish since */
        finish(out, JOB_CANCELLED);
        out->end.err.code = ERR_OK;
    } else if (end != NULL && out->end.err.code == ERR_OK) {
        finish(out, JOB_SUCCEEDED);
    } else if (wishes->gave_back) {
        out->verdict = SUPERVISOR_RELEASED;
    } else if (wishes->timed_out) {
        (void)ERR_SET(&out->end.err, ERR_UNAVAILABLE, "the run took longer than MAX_RUNTIME_S and was killed");
        fail(out, true, history);
    } else if (end != NULL) {
        take_word(out, history);
    } else {
        guess(out, exit, history);
    }
}
