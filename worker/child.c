#include "worker/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "worker/child_link.h"
#include "worker/fleet.h"
#include "worker/run_job.h"
#include "worker/stage_progress.h"

enum { JOB_LIMIT_BYTES = 16 * 1024 * 1024, READ_BYTES = 65536 };

struct child {
    struct child_link *link;
    enum job_type type;
    struct stage_progress progress;
    bool told_unkept;
};

static enum err_code read_all(int fd, struct str *out, struct err *err)
{
    char bytes[READ_BYTES];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) != 0) {
        if (got < 0 && errno != EINTR)
            return ERR_SET(err, ERR_IO, "read the job: %s", strerror(errno));
        if (got > 0)
            str_append(out, bytes, (size_t)got);
        if (out->length > JOB_LIMIT_BYTES)
            return ERR_SET(err, ERR_TOO_LARGE, "a job of more than %d bytes", JOB_LIMIT_BYTES);
    }
    return out->failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory for the job") : ERR_OK;
}

static enum err_code read_job(struct json **out, struct err *err)
{
    struct str text = {0};
    enum err_code rc = read_all(STDIN_FILENO, &text, err);

    *out = NULL;
    if (rc == ERR_OK)
        rc = json_value_parse(out, text.text != NULL ? text.text : "", text.length, err);
    str_fini(&text);
    return rc;
}

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct child *child = context;
    double overall = stage_progress_overall(child->type, stage, fraction);

    if (overall >= 0 && stage_progress_is_due(&child->progress, stage, fraction))
        child_link_tell_progress(child->link, stage, overall, note);
    return !child_link_is_cancelled(child->link);
}

static bool on_report(void *context, const struct json *report)
{
    struct child *child = context;
    struct err err;

    if (child_link_tell_report(child->link, report, &err) == ERR_OK)
        return true;
    if (!child->told_unkept)
        log_warn("job.report_not_kept", log_text("message", err.message));
    child->told_unkept = true;
    return false;
}

static enum err_code on_chunk(void *context, struct err *err)
{
    struct child *child = context;

    return child_link_may_publish(child->link, err);
}

static enum err_code read_request(struct run_job_request *out, const struct json *job, struct err *err)
{
    if (!job_type_parse(json_value_get_text(job, "type"), &out->type))
        return ERR_SET(err, ERR_ARGUMENT, "the job is of no known type");
    if (!json_value_get_int64(job, "fence", &out->fence))
        return ERR_SET(err, ERR_INTERNAL, "the job has no fence");
    out->params = json_value_get(job, "params");
    out->last_published = json_value_get(job, "last_published");
    out->earlier = json_value_get(job, "earlier");
    return ERR_OK;
}

/* The settings of the job's shop. What is wrong with them may be mended before the job is tried again. */
static enum err_code take_settings(struct fleet *fleet, struct env *env, const struct json *job,
                                   const struct worker_settings **out, struct err *err)
{
    const char *named = json_value_get_text(job, "namespace");
    const char *shop = named != NULL ? named : "";
    enum err_code rc = fleet_check(fleet, shop, err);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    if (env_problem_count(env) > 1)
        return ERR_SET(err, ERR_UNAVAILABLE, "%s (and %zu more)", env_problem_at(env, 0), env_problem_count(env) - 1);
    if (env_problem_count(env) == 1)
        return ERR_SET(err, ERR_UNAVAILABLE, "%s", env_problem_at(env, 0));
    rc = fleet_take(fleet, shop, out, err);
    if (rc == ERR_NOT_FOUND) {
        /* without a file no settings will ever be there; a file may come later here than at the gateway */
        rc = fleet_settings(fleet)->job.namespaces_file != NULL ? ERR_UNAVAILABLE : ERR_ARGUMENT;
        err->code = rc;
    }
    return rc;
}

static void run_job(struct child *child, struct child_end *end, struct env *env)
{
    struct clock_source clock = clock_system();
    struct run_job_request request = {.now_s = clock_unix_ms(&clock) / 1000,
                                      .progress = {.fn = on_progress, .keep = on_report, .context = child},
                                      .permit = on_chunk,
                                      .permit_context = child};
    const struct worker_settings *settings;
    struct fleet *fleet = NULL;
    struct json *job = NULL;
    struct err err = {0};
    enum err_code rc = read_job(&job, &err);

    *end = (struct child_end){0};
    if (rc == ERR_OK)
        rc = read_request(&request, job, &err);
    child->type = request.type;
    if (rc == ERR_OK)
        rc = fleet_create(&fleet, env, &err);
    if (rc == ERR_OK)
        rc = take_settings(fleet, env, job, &settings, &err);
    if (rc == ERR_OK)
        run_job_run(end, settings, &request);
    else
        end->err = err;
    fleet_destroy(fleet);
    json_value_destroy(job);
}

int child_run(struct env *env)
{
    struct child child = {.progress = {.clock = clock_system()}};
    struct child_end end;
    struct err err = {0};
    int status;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A signal to the whole process group or service is the parent's business: it says over the pipe what it means. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    if (child_link_create(&child.link, CHILD_LINE_FD_UP, CHILD_LINE_FD_DOWN, CHILD_EXIT_TRANSIENT, &err) != ERR_OK) {
        log_err("child.failed", &err);
        return CHILD_EXIT_TRANSIENT;
    }
    run_job(&child, &end, env);
    status = (int)child_line_exit_of(end.err.code);
    if (child_link_tell_end(child.link, &end, &err) != ERR_OK) {
        log_err("child.failed", &err);
        status = CHILD_EXIT_TRANSIENT;
    }
    child_end_fini(&end);
    child_link_destroy(child.link);
    return status;
}
