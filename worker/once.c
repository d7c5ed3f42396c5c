#include "worker/once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_params.h"
#include "common/job/job_params_from.h"
#include "common/job/job_queue.h"
#include "common/job/job_store.h"
#include "common/net/redis_client.h"
#include "worker/run_job.h"
#include "worker/stage_progress.h"

enum { REDIS_TIMEOUT_MS = 10000, MAX_STARTS = 3 };

struct once {
    const struct worker_settings *settings;
    enum job_type type;
    char id[JOB_ID_BYTES];
    struct json *params;
    struct job_store *store; /* NULL: it is away, and this is a dry run */
    struct json *last;       /* the report that the guard compares with; NULL: none */
    struct stage_progress progress;
    bool on_terminal;
};

/* On a terminal one line that changes, else log lines. */
static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct once *once = context;
    double overall = stage_progress_overall(once->type, stage, fraction);
    bool is_new = strcmp(once->progress.stage, stage) != 0;

    if (overall < 0 || !stage_progress_is_due(&once->progress, stage, fraction))
        return true;
    if (once->on_terminal)
        (void)fprintf(stderr, "\r\033[K%3d %%  %-10s %s", (int)(overall * 100), stage, note != NULL ? note : "");
    else if (is_new || note != NULL)
        log_info("job.progress", log_text("stage", stage), log_real("progress", overall), log_text("note", note));
    return true;
}

static enum err_code read_params(struct once *once, const struct arguments *arguments, enum job_type type,
                                 struct err *err)
{
    enum err_code rc = ERR_OK;

    once->params = json_value_new_object();
    if (once->params == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for parameters");
    for (size_t i = 0; rc == ERR_OK && i < arguments->param_count; i++) {
        const char *equals = strchr(arguments->params[i], '=');
        char *name = str_format("%.*s", (int)(equals - arguments->params[i]), arguments->params[i]);

        rc = name != NULL ? job_params_set_text(once->params, type, name, equals + 1, err)
                          : ERR_SET(err, ERR_NO_MEMORY, "no memory for parameters");
        free(name);
    }
    return rc;
}

/* A dry run does without a store. */
static enum err_code open_store(struct once *once, enum job_type type, bool publishes, struct err *err)
{
    const struct job_settings *job = &once->settings->job;
    enum err_code rc = job_store_open(&once->store, job->store_url, job->retention_days, err);

    if (rc == ERR_OK)
        rc = job_store_last_published(once->store, type, job->shop, &once->last, err);
    if (rc == ERR_OK || rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (publishes)
        return rc;
    log_warn("job.report_not_kept", log_text("message", err->message));
    job_store_close(once->store);
    once->store = NULL;
    return ERR_OK;
}

/* What a search found best, by the report that the store has of it. */
static enum err_code take_params_from(struct once *once, const struct run_job_request *request, struct err *err)
{
    const char *id = job_params_from_id(once->params);
    struct json *report = NULL;
    enum err_code rc;

    if (id == NULL)
        return ERR_OK;
    if (once->store == NULL)
        return ERR_SET(err, ERR_UNAVAILABLE, "params_from: the job store that has the search is away");
    rc = job_store_get_report(once->store, id, &report, err);
    if (rc == ERR_OK || rc == ERR_NOT_FOUND)
        rc = job_params_from_add(once->params, request->type, once->settings->job.shop, report, err);
    json_value_destroy(report);
    return rc;
}

/* The next fence by the rule of the queue's `start`, above `floor`. */
static enum err_code take_fence(const struct once *once, enum job_type type, int64_t floor_fence, int64_t *fence,
                                struct err *err)
{
    const struct job_settings *job = &once->settings->job;
    struct redis_client *client = NULL;
    struct redis_reply *reply = NULL;
    struct redis_command command;
    enum err_code rc = redis_client_connect(&client, &job->queue_redis, REDIS_TIMEOUT_MS, err);

    if (rc != ERR_OK)
        return rc;
    job_queue_fence_command(&command, job->routes.queue[type], floor_fence);
    rc = redis_client_send(client, &command, &reply, err);
    if (rc == ERR_OK && !redis_reply_to_int64(reply, fence))
        rc = ERR_SET(err, ERR_REMOTE, "the queue's Redis gave no fence");
    redis_reply_destroy(reply);
    redis_command_fini(&command);
    redis_client_destroy(client);
    return rc;
}

/* A target that holds a newer fence (a clock went back) makes the floor of the next start. */
static enum err_code run(struct once *once, struct run_job_request *request, struct child_end *end, struct err *err)
{
    int64_t floor_fence = 0;
    enum err_code rc;

    for (int start = 1;; start++) {
        if (run_job_publishes(request->type, once->params)) {
            rc = take_fence(once, request->type, floor_fence, &request->fence, err);
            if (rc != ERR_OK)
                return rc;
        }
        run_job_run(end, once->settings, request);
        if (!end->refused_at_start || start == MAX_STARTS)
            break;
        floor_fence = end->newest_fence;
        child_end_fini(end);
    }
    *err = end->err;
    return end->err.code;
}

static enum err_code keep_report(const struct once *once, const struct run_job_request *request,
                                 const struct child_end *end, struct err *err)
{
    struct clock_source clock = clock_system();
    struct json *report;
    bool applied;
    enum err_code rc;

    if (once->store == NULL || end->report == NULL)
        return ERR_OK;
    report = json_value_dup(end->report);
    if (report == NULL || !json_value_set_text(report, "type", job_type_name(request->type)) ||
        !json_value_set_text(report, "namespace", once->settings->job.shop) ||
        (end->err.code != ERR_OK && !json_value_set_bool(report, "published", false)) ||
        !job_document_set_time(report, "created_at", clock_unix_ms(&clock)))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");
    else
        rc = job_store_put_report(once->store, once->id, request->fence, report, &applied, err);
    json_value_destroy(report);
    return rc;
}

static void print_text(const struct json *report)
{
    const char *text = json_value_get_text(report, "text");

    if (text != NULL)
        (void)fputs(text, stdout);
    (void)fflush(stdout);
}

static enum err_code run_and_keep(struct once *once, const struct arguments *arguments, struct err *err)
{
    struct clock_source clock = clock_system();
    struct run_job_request request = {.dump_dir = arguments->dump_dir,
                                      .now_s = clock_unix_ms(&clock) / 1000,
                                      .progress = {.fn = on_progress, .context = once}};
    struct child_end end = {0};
    struct err store_err;
    enum err_code rc;

    if (!job_type_parse(arguments->type, &request.type))
        return ERR_SET(err, ERR_ARGUMENT, "\"%s\" is no type of job", arguments->type);
    once->type = request.type;
    rc = read_params(once, arguments, request.type, err);
    request.params = once->params;
    if (rc == ERR_OK)
        rc = run_job_check(once->settings, &request, err);
    if (rc == ERR_OK)
        rc = job_id_generate(once->id, &clock, err);
    if (rc == ERR_OK)
        rc = open_store(once, request.type, run_job_publishes(request.type, once->params), err);
    if (rc == ERR_OK)
        rc = take_params_from(once, &request, err);
    if (rc != ERR_OK)
        return rc;
    request.last_published = once->last;
    rc = run(once, &request, &end, err);
    if (once->on_terminal)
        (void)fputs("\r\033[K", stderr);
    print_text(end.report);
    if (keep_report(once, &request, &end, &store_err) != ERR_OK) {
        if (rc == ERR_OK)
            rc = ERR_SET(err, store_err.code, "the report could not be kept: %s", store_err.message);
    }
    if (rc == ERR_OK && once->store != NULL && request.type == JOB_HYPERPARAMETER_SEARCH)
        (void)printf("\n--param params_from=%s trains with the best of these\n", once->id);
    child_end_fini(&end);
    return rc;
}

const char *once_shop(const struct arguments *arguments)
{
    const char *shop = "";

    for (size_t i = 0; i < arguments->param_count; i++) {
        if (str_starts_with(arguments->params[i], "namespace="))
            shop = arguments->params[i] + strlen("namespace=");
    }
    return shop;
}

int once_run(struct fleet *fleet, const struct arguments *arguments)
{
    struct once once = {.progress = {.clock = clock_system()}, .on_terminal = isatty(STDERR_FILENO) == 1};
    struct err err = {0};
    enum err_code rc = fleet_take(fleet, once_shop(arguments), &once.settings, &err);

    if (rc == ERR_OK)
        rc = run_and_keep(&once, arguments, &err);

    if (rc != ERR_OK)
        (void)fprintf(stderr, "recfleet-worker: %s\n", err.message);
    json_value_destroy(once.last);
    json_value_destroy(once.params);
    job_store_close(once.store);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
