/* One queue's round: its group, the open jobs a page at a time, then what may be forgotten. */
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/upkeep_parts.h"

enum { PAGES = 20, CONSUMER_LEASES = 10 /* without a sign of life before a consumer is forgotten */ };

/* One job. */
struct repair {
    struct upkeep_queue *queue;
    char id[JOB_ID_BYTES];
};

static struct queue_client *client_of(const struct upkeep_queue *queue)
{
    return queue->upkeep->services->queue;
}

static void send_for(struct upkeep_queue *queue, struct redis_command *command, redis_async_reply_fn fn, void *context)
{
    queue->pending++;
    upkeep_begin(queue->upkeep);
    queue_client_send(client_of(queue), command, fn, context);
    redis_command_fini(command);
}

static void answered(struct upkeep_queue *queue)
{
    queue->pending--;
    upkeep_end(queue->upkeep);
}

static void on_group(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct upkeep_queue *queue = context;

    (void)err; /* with the group there already it is one, and all else queue_client sees when it comes back */
    if (redis_reply_kind(reply) == REDIS_REPLY_KIND_TEXT)
        log_warn("queue.group_made", log_text("queue", queue->name));
    else if (!redis_reply_is_error(reply, "BUSYGROUP"))
        queue_client_note_refusal(client_of(queue), reply, err);
    answered(queue);
}

/* Forgetting */

static void on_forgotten(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct upkeep_queue *queue = context;

    (void)reply;
    if (err != NULL)
        upkeep_log_failure("queue.upkeep_failed", err);
    answered(queue);
}

static void forget(struct upkeep_queue *queue)
{
    struct redis_command command;

    job_queue_trim_command(&command, queue->name);
    send_for(queue, &command, on_forgotten, queue);
    job_queue_collect_consumers_command(&command, queue->name,
                                        queue->upkeep->services->settings->job.lease_ms * CONSUMER_LEASES);
    send_for(queue, &command, on_forgotten, queue);
}

/* Repair */

static void ask_page(struct upkeep_queue *queue);

static void page_done(struct upkeep_queue *queue)
{
    bool more = queue->page == UPKEEP_PAGE;

    queue->cursor = more ? queue->cursor + UPKEEP_PAGE : 0;
    if (queue->upkeep->closing || !queue_client_is_ready(client_of(queue)))
        return;
    if (more && ++queue->pages < PAGES)
        ask_page(queue);
    else
        forget(queue);
}

/* The page holds one of `pending` itself until all its jobs were sent. */
static void leave_page(struct upkeep_queue *queue)
{
    if (queue->pending == 1)
        page_done(queue);
    answered(queue);
}

static void on_repaired(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct repair *repair = context;
    struct upkeep_queue *queue = repair->queue;
    enum job_queue_repaired outcome = JOB_QUEUE_REPAIR_NOTHING;
    struct err failure;

    if (err == NULL && job_queue_repair_parse(reply, &outcome, &failure) != ERR_OK)
        err = &failure;
    if (err != NULL)
        upkeep_log_failure("job.repair_failed", err);
    else if (outcome == JOB_QUEUE_REPAIR_REQUEUED)
        log_warn("job.requeued", log_text("job", repair->id), log_text("queue", queue->name));
    else if (outcome == JOB_QUEUE_REPAIR_REMOVED)
        log_info("job.unlisted", log_text("job", repair->id), log_text("queue", queue->name));
    free(repair);
    leave_page(queue);
}

static void repair_job(struct upkeep_queue *queue, const char *id)
{
    struct repair *repair;
    struct redis_command command;

    if (id == NULL || !job_id_is_valid(id))
        return;
    repair = mem_zeroed(1, sizeof *repair);
    if (repair == NULL)
        return;
    repair->queue = queue;
    str_copy(repair->id, sizeof repair->id, id);
    job_queue_repair_command(&command, queue->name, id, queue->upkeep->services->settings->job.lease_ms);
    send_for(queue, &command, on_repaired, repair);
}

static void on_page(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct upkeep_queue *queue = context;

    queue->page = err == NULL ? redis_reply_count(reply) : 0;
    for (size_t i = 0; i < queue->page && !queue->upkeep->closing; i++)
        repair_job(queue, redis_reply_text(redis_reply_at(reply, i)));
    leave_page(queue);
}

static void ask_page(struct upkeep_queue *queue)
{
    struct redis_command command;

    job_queue_open_command(&command, queue->name, queue->cursor, UPKEEP_PAGE);
    send_for(queue, &command, on_page, queue);
}

void upkeep_repair_run(struct upkeep *upkeep)
{
    size_t count = queue_client_queues(upkeep->services->queue)->count;

    for (size_t i = 0; i < count; i++) {
        struct upkeep_queue *queue = &upkeep->queues[i];
        struct redis_command command;

        if (queue->pending > 0)
            continue;
        queue->pages = 0;
        job_queue_group_command(&command, queue->name); /* first, since what follows needs it */
        send_for(queue, &command, on_group, queue);
        ask_page(queue);
    }
}
