/* Jobs whose time has come leave `delay`: first what the job is, then the move, then the document follows. */
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"
#include "gateway/upkeep_parts.h"

enum { MAX_PROMOTIONS = 1000 };

/* One promotion. */
struct promotion {
    struct upkeep *upkeep;
    const char *queue;
    char id[JOB_ID_BYTES];
    int64_t fence; /* the last it ran with, or 0 */
};

static void promotion_destroy(struct promotion *promotion)
{
    struct upkeep *upkeep = promotion->upkeep;

    free(promotion);
    upkeep->promoting--;
    upkeep_end(upkeep);
}

/* Unless a newer run has written it. */
static void follow(const struct promotion *promotion, bool superseded)
{
    const struct services *services = promotion->upkeep->services;
    struct json *changes = json_value_new_object();

    if (changes != NULL &&
        json_value_set_text(changes, "state", job_state_name(superseded ? JOB_SUPERSEDED : JOB_QUEUED)) &&
        job_document_set_time(changes, superseded ? "finished_at" : "queued_at", clock_unix_ms(&services->clock)))
        store_client_update(services->store, promotion->id, promotion->fence, changes);
    else
        json_value_destroy(changes);
}

static void on_promoted(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct promotion *promotion = context;
    int64_t outcome = 0;

    queue_client_note_refusal(promotion->upkeep->services->queue, reply, err);
    if (err != NULL) {
        upkeep_log_failure("job.promote_failed", err);
    } else if (redis_reply_to_int64(reply, &outcome) && outcome != 0) {
        log_info("job.promoted", log_text("job", promotion->id),
                 log_text("state", job_state_name(outcome < 0 ? JOB_SUPERSEDED : JOB_QUEUED)));
        follow(promotion, outcome < 0);
    }
    promotion_destroy(promotion);
}

static void promote(struct promotion *promotion, const char *unique_key)
{
    struct redis_command command;

    job_queue_promote_command(&command, promotion->queue, promotion->id, unique_key);
    queue_client_send(promotion->upkeep->services->queue, &command, on_promoted, promotion);
    redis_command_fini(&command);
}

/* A job without a HASH has no lock to take: it only leaves `delay`, and its document's round makes it anew. */
static void drop(struct promotion *promotion)
{
    char *unused_key = job_queue_unique_key(promotion->queue, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, "");

    if (unused_key != NULL)
        promote(promotion, unused_key);
    else
        promotion_destroy(promotion);
    free(unused_key);
}

static void on_due_job(void *context, struct json *fields, const struct err *err)
{
    struct promotion *promotion = context;
    const char *unique_key = json_value_get_text(fields, "uniq");
    const char *fence = json_value_get_text(fields, "fence");

    if (fence == NULL || !str_to_int64(fence, &promotion->fence))
        promotion->fence = 0;
    if (unique_key != NULL)
        promote(promotion, unique_key);
    else if (err != NULL && err->code == ERR_NOT_FOUND)
        drop(promotion);
    else
        promotion_destroy(promotion); /* the next second tries again */
    json_value_destroy(fields);
}

static void begin(struct upkeep *upkeep, const char *queue, const char *id)
{
    struct promotion *promotion;

    if (id == NULL || !job_id_is_valid(id) || upkeep->promoting >= MAX_PROMOTIONS)
        return;
    promotion = mem_zeroed(1, sizeof *promotion);
    if (promotion == NULL)
        return;
    promotion->upkeep = upkeep;
    promotion->queue = queue;
    str_copy(promotion->id, sizeof promotion->id, id);
    upkeep->promoting++;
    upkeep_begin(upkeep);
    queue_client_describe(upkeep->services->queue, queue, id, on_due_job, promotion);
}

static void on_due(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct upkeep_queue *queue = context;
    struct upkeep *upkeep = queue->upkeep;

    for (size_t i = 0; err == NULL && !upkeep->closing && i < redis_reply_count(reply); i++)
        begin(upkeep, queue->name, redis_reply_text(redis_reply_at(reply, i)));
    upkeep->promoting--;
    upkeep_end(upkeep);
}

void upkeep_promotion_run(struct upkeep *upkeep)
{
    const struct services *services = upkeep->services;
    const struct job_queue_names *queues = queue_client_queues(services->queue);

    if (upkeep->promoting > 0)
        return;
    upkeep_begin(upkeep);
    for (size_t i = 0; i < queues->count; i++) {
        struct redis_command command;

        upkeep->promoting++;
        upkeep_begin(upkeep);
        job_queue_due_command(&command, queues->names[i], clock_unix_ms(&services->clock));
        queue_client_send(services->queue, &command, on_due, &upkeep->queues[i]);
        redis_command_fini(&command);
    }
    upkeep_end(upkeep);
}
