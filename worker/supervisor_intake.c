#include "worker/supervisor_intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/supervisor_correction.h"

enum { BLOCK_MS = 5000, SHORT_BLOCK_MS = 500, AWAY_MS = 200, PAUSED_MS = 1000 };

struct supervisor_intake {
    struct supervisor_intake_config config;
    uv_timer_t timer; /* to the next try */
    size_t at;        /* the queue that is looked at, of the worker's */
    bool searching;
    bool stopping;
    bool reading;                 /* XREADGROUP is under way */
    int64_t reader_id;            /* the reader's id at the server, to end its BLOCK; 0: not known */
    struct job_queue_entry entry; /* being started; job_id "": none */
    char *unique_key;             /* of the entry */
    int64_t fence;                /* that its HASH has */
    int errors;
    int max_errors;
    int64_t floor_fence; /* the newest fence seen at a target */
};

static void start_entry(struct supervisor_intake *intake);

static const char *queue_of(const struct supervisor_intake *intake)
{
    return intake->config.settings->worker_queues.names[intake->at];
}

/* The search is over: with a job, or stopped. */
static void end_search(struct supervisor_intake *intake)
{
    intake->searching = false;
    (void)uv_timer_stop(&intake->timer);
    intake->entry = (struct job_queue_entry){0};
    free(intake->unique_key);
    intake->unique_key = NULL;
}

static void look(struct supervisor_intake *intake);

static void on_timer(uv_timer_t *timer)
{
    struct supervisor_intake *intake = timer->data;

    if (intake->entry.job_id[0] != '\0')
        start_entry(intake);
    else
        look(intake);
}

static void wait_for(struct supervisor_intake *intake, uint64_t ms)
{
    if (intake->stopping) {
        end_search(intake);
        intake->config.on_stopped(intake->config.context);
        return;
    }
    (void)uv_timer_start(&intake->timer, on_timer, ms, 0);
}

/* The queue is away, or answered oddly: what it was is told, and it is asked again soon. */
static void wait_after(struct supervisor_intake *intake, const char *event, const struct redis_reply *reply,
                       const struct err *err)
{
    if (!supervisor_news_take(intake->config.news, reply, err))
        log_err(event, err);
    wait_for(intake, AWAY_MS);
}

/* Forgets the entry and goes on looking. */
static void drop_entry(struct supervisor_intake *intake)
{
    intake->entry = (struct job_queue_entry){0};
    free(intake->unique_key);
    intake->unique_key = NULL;
}

static void on_grouped(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    struct err own = {0};

    if (reply != NULL && job_queue_group_parse(reply, &own) == ERR_OK)
        look(intake);
    else
        wait_after(intake, "worker.group_failed", reply, err != NULL ? err : &own);
}

static void make_group(struct supervisor_intake *intake)
{
    struct redis_command command;

    log_info("worker.group_missing", log_text("queue", queue_of(intake)));
    job_queue_group_command(&command, queue_of(intake));
    redis_async_send(intake->config.redis, &command, on_grouped, intake);
    redis_command_fini(&command);
}

/* The answer's code, also where the server answered an error that a parser knows (NOGROUP). */
static enum err_code code_of(const struct redis_reply *reply, const struct err *err, struct err *out)
{
    if (reply != NULL || err == NULL)
        return ERR_OK;
    *out = *err;
    return err->code;
}

static void after_entry(struct supervisor_intake *intake, enum err_code rc, const struct redis_reply *reply,
                        const struct err *err, void (*nothing)(struct supervisor_intake *intake))
{
    if (rc == ERR_NOT_FOUND)
        make_group(intake);
    else if (rc != ERR_OK)
        wait_after(intake, "worker.read_failed", reply, err);
    else if (intake->entry.job_id[0] == '\0')
        nothing(intake);
    else
        start_entry(intake);
}

static void look_or_stop(struct supervisor_intake *intake)
{
    if (intake->stopping)
        wait_for(intake, 0);
    else
        look(intake);
}

/* Nothing in this queue: the next, and behind the last the first again. */
static void look_further(struct supervisor_intake *intake)
{
    intake->at = (intake->at + 1) % intake->config.settings->worker_queues.count;
    look_or_stop(intake);
}

/* How long to wait for a new entry: with several queues not for long, since the others may have one. */
static int64_t block_ms(const struct supervisor_intake *intake)
{
    const struct job_settings *settings = intake->config.settings;
    int64_t longest = settings->worker_queues.count > 1 ? SHORT_BLOCK_MS : BLOCK_MS;

    return settings->lease_ms < longest ? settings->lease_ms : longest;
}

static void on_read(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    struct err own;
    enum err_code rc = code_of(reply, err, &own);

    intake->reading = false;
    if (rc == ERR_OK)
        rc = job_queue_entry_parse(reply, &intake->entry, &own);
    after_entry(intake, rc, reply, &own, look_further);
}

static void on_reader_id(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;

    if (err != NULL || !redis_reply_to_int64(reply, &intake->reader_id))
        intake->reader_id = 0;
}

static void read_new(struct supervisor_intake *intake)
{
    struct redis_command command;

    if (intake->stopping) {
        wait_for(intake, 0);
        return;
    }
    redis_command_init(&command, "CLIENT");
    redis_command_add(&command, "ID");
    redis_async_send(intake->config.reader, &command, on_reader_id, intake);
    redis_command_fini(&command);

    intake->reading = true;
    job_queue_read_command(&command, queue_of(intake), intake->config.worker, block_ms(intake));
    redis_async_send(intake->config.reader, &command, on_read, intake);
    redis_command_fini(&command);
}

static void on_claimed(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    struct err own;
    enum err_code rc = code_of(reply, err, &own);

    if (rc == ERR_OK)
        rc = job_queue_entry_parse(reply, &intake->entry, &own);
    after_entry(intake, rc, reply, &own, read_new);
}

static void on_idle(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    const struct job_settings *settings = intake->config.settings;
    struct job_queue_entry found;
    struct redis_command command;
    struct err own;
    enum err_code rc = code_of(reply, err, &own);

    if (rc == ERR_OK)
        rc = job_queue_idle_parse(reply, &found, &own);
    if (rc != ERR_OK || found.stream_id[0] == '\0') {
        after_entry(intake, rc, reply, &own, read_new);
        return;
    }
    job_queue_claim_command(&command, queue_of(intake), intake->config.worker, settings->lease_ms, found.stream_id);
    redis_async_send(intake->config.redis, &command, on_claimed, intake);
    redis_command_fini(&command);
}

static void on_paused(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    const struct job_settings *settings = intake->config.settings;
    struct redis_command command;
    int64_t paused = 0;

    if (err != NULL) {
        wait_after(intake, "worker.read_failed", reply, err);
        return;
    }
    if (intake->stopping) {
        wait_for(intake, 0);
        return;
    }
    if (redis_reply_to_int64(reply, &paused) && paused != 0) {
        intake->at = (intake->at + 1) % settings->worker_queues.count;
        if (intake->at == 0)
            wait_for(intake, PAUSED_MS);
        else
            look(intake);
        return;
    }
    /* Beats may have been missed while the queue was away: their owners get a lease's time to come back first. */
    if (redis_async_ready_for_ms(intake->config.redis) < settings->lease_ms) {
        read_new(intake);
        return;
    }
    job_queue_idle_command(&command, queue_of(intake), settings->lease_ms);
    redis_async_send(intake->config.redis, &command, on_idle, intake);
    redis_command_fini(&command);
}

static void look(struct supervisor_intake *intake)
{
    struct redis_command command;

    if (!redis_async_is_ready(intake->config.redis) || !redis_async_is_ready(intake->config.reader)) {
        wait_for(intake, AWAY_MS);
        return;
    }
    redis_command_init(&command, "EXISTS");
    redis_command_add_format(&command, "q:{%s}:paused", queue_of(intake));
    redis_async_send(intake->config.redis, &command, on_paused, intake);
    redis_command_fini(&command);
}

static void hand_over(struct supervisor_intake *intake, const struct job_queue_lease *lease, const char *args,
                      const struct err *unreadable)
{
    struct supervisor_started started = {
        .queue = queue_of(intake), .lease = *lease, .args = args, .unreadable = unreadable};

    started.errors = intake->errors;
    started.max_errors = intake->max_errors;
    started.lease.entry = intake->entry;
    end_search(intake);
    intake->config.on_started(intake->config.context, &started);
}

static void on_started(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    enum job_queue_started outcome = JOB_QUEUE_STALE;
    struct job_queue_lease lease = {0};
    char *args = NULL;
    struct err own;
    enum err_code rc = err != NULL ? err->code : job_queue_start_parse(reply, &outcome, &lease, &args, &own);

    if (rc != ERR_OK && rc != ERR_FORMAT) {
        wait_after(intake, "worker.start_failed", reply, err != NULL ? err : &own); /* it is started again then */
        return;
    }
    if (rc == ERR_FORMAT) { /* the job is this worker's all the same, to end it */
        hand_over(intake, &lease, "{}", &own);
        return;
    }
    if (outcome == JOB_QUEUE_RUN) {
        hand_over(intake, &lease, args, NULL);
        free(args);
        return;
    }
    if (outcome == JOB_QUEUE_START_DEAD || outcome == JOB_QUEUE_START_CANCELLED)
        supervisor_correction_start(intake->config.store, intake->entry.job_id, intake->fence,
                                    outcome == JOB_QUEUE_START_DEAD ? JOB_DEAD : JOB_CANCELLED);
    log_info("job.not_started", log_text("job", intake->entry.job_id), log_int("answer", (int64_t)outcome));
    drop_entry(intake);
    if (outcome == JOB_QUEUE_PAUSED)
        wait_for(intake, PAUSED_MS);
    else if (outcome == JOB_QUEUE_HELD)
        read_new(intake);
    else
        look_or_stop(intake);
}

static int field_int(const struct json *fields, const char *name, int64_t fallback, int64_t *out)
{
    const char *text = json_value_get_text(fields, name);
    int64_t value = fallback;

    if (text != NULL && !str_to_int64(text, &value))
        value = fallback;
    if (out != NULL)
        *out = value;
    return value < INT16_MAX ? (int)value : INT16_MAX;
}

static void on_described(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct supervisor_intake *intake = context;
    struct json *fields = NULL;
    const char *unique;
    struct redis_command command;
    struct err own;
    enum err_code rc = err != NULL ? err->code : job_queue_describe_parse(reply, &fields, &own);

    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        wait_after(intake, "worker.start_failed", reply, err != NULL ? err : &own);
        return;
    }
    unique = json_value_get_text(fields, "uniq");
    free(intake->unique_key);
    intake->unique_key = unique != NULL ? strdup(unique) : NULL;
    intake->errors = field_int(fields, "errs", 0, NULL);
    intake->max_errors = field_int(fields, "max_errs", JOB_SETTINGS_MAX_ERRORS, NULL);
    (void)field_int(fields, "fence", 0, &intake->fence);
    json_value_destroy(fields);
    job_queue_start_command(&command, queue_of(intake), &intake->entry, intake->unique_key, intake->config.worker,
                            intake->config.settings->lease_ms, intake->floor_fence);
    redis_async_send(intake->config.redis, &command, on_started, intake);
    redis_command_fini(&command);
}

static void start_entry(struct supervisor_intake *intake)
{
    struct redis_command command;

    job_queue_describe_command(&command, queue_of(intake), intake->entry.job_id);
    redis_async_send(intake->config.redis, &command, on_described, intake);
    redis_command_fini(&command);
}

enum err_code supervisor_intake_create(struct supervisor_intake **out, const struct supervisor_intake_config *config,
                                       struct err *err)
{
    struct supervisor_intake *intake = mem_zeroed(1, sizeof *intake);

    *out = intake;
    if (intake == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to look for jobs");
    intake->config = *config;
    (void)uv_timer_init(config->loop, &intake->timer);
    intake->timer.data = intake;
    return ERR_OK;
}

void supervisor_intake_search(struct supervisor_intake *intake)
{
    intake->searching = true;
    intake->at = 0;
    look_or_stop(intake);
}

void supervisor_intake_restart(struct supervisor_intake *intake, const struct job_queue_entry *entry,
                               int64_t floor_fence)
{
    intake->searching = true;
    if (floor_fence > intake->floor_fence)
        intake->floor_fence = floor_fence;
    intake->entry = *entry;
    if (intake->stopping)
        wait_for(intake, 0);
    else
        start_entry(intake);
}

static void on_unblocked(void *context, const struct redis_reply *reply, const struct err *err)
{
    (void)context; /* where it failed the BLOCK ends by itself */
    (void)reply;
    (void)err;
}

void supervisor_intake_stop(struct supervisor_intake *intake)
{
    struct redis_command command;

    intake->stopping = true;
    if (!intake->searching) {
        intake->config.on_stopped(intake->config.context);
        return;
    }
    if (uv_is_active((uv_handle_t *)&intake->timer)) {
        (void)uv_timer_stop(&intake->timer);
        wait_for(intake, 0);
        return;
    }
    if (!intake->reading || intake->reader_id == 0)
        return;
    redis_command_init(&command, "CLIENT");
    redis_command_add(&command, "UNBLOCK");
    redis_command_add_int(&command, intake->reader_id);
    redis_async_send(intake->config.redis, &command, on_unblocked, NULL);
    redis_command_fini(&command);
}

static void on_closed(uv_handle_t *handle)
{
    struct supervisor_intake *intake = handle->data;

    free(intake->unique_key);
    free(intake);
}

void supervisor_intake_close(struct supervisor_intake *intake)
{
    if (intake != NULL)
        uv_close((uv_handle_t *)&intake->timer, on_closed);
}
