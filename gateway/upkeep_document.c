/* One unfinished document and its HASH: whichever fell behind follows. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "gateway/job_overlay.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"
#include "gateway/submission.h"
#include "gateway/upkeep_parts.h"

/* A document that waits for an answer of the queue. */
struct settling {
    struct upkeep *upkeep;
    struct json *document;
    struct json *fields;
};

static const char *id_of(const struct settling *settling)
{
    return json_value_get_text(settling->document, "_id");
}

static void settling_destroy(struct settling *settling)
{
    struct upkeep *upkeep = settling->upkeep;

    json_value_destroy(settling->document);
    json_value_destroy(settling->fields);
    free(settling);
    upkeep_end(upkeep);
}

static int64_t field_int(const struct json *fields, const char *name)
{
    const char *text = json_value_get_text(fields, name);
    int64_t value;

    return text != NULL && str_to_int64(text, &value) ? value : 0;
}

static int64_t document_int(const struct settling *settling, const char *name)
{
    int64_t value = 0;

    (void)json_value_get_int64(settling->document, name, &value);
    return value;
}

static bool is_cancel_asked(const struct settling *settling)
{
    return json_value_get_text(settling->document, "cancel") != NULL;
}

/* The document follows, unless a newer run has written it. Takes the changes. */
static void change(struct settling *settling, struct json *changes, const char *state)
{
    int64_t fence = document_int(settling, "fence");

    if (field_int(settling->fields, "fence") > fence)
        fence = field_int(settling->fields, "fence");
    log_info("job.settled", log_text("job", id_of(settling)), log_text("state", state));
    store_client_update(settling->upkeep->services->store, id_of(settling), fence, changes);
}

/* Adds the end to the changes, which are taken and given back; NULL when out of memory. */
static struct json *make_end(const struct settling *settling, struct json *changes, enum job_state state)
{
    int64_t now_ms = clock_unix_ms(&settling->upkeep->services->clock);

    if (changes != NULL && json_value_set_text(changes, "state", job_state_name(state)) &&
        job_document_set_time(changes, "finished_at", now_ms))
        return changes;
    json_value_destroy(changes);
    return NULL;
}

static void end_document(struct settling *settling, struct json *changes, enum job_state state)
{
    changes = make_end(settling, changes, state);
    if (changes != NULL) /* else for want of memory: the next round */
        change(settling, changes, job_state_name(state));
}

/* What the HASH says, as changes of the document; NULL when out of memory. */
static struct json *changes_create(const struct settling *settling)
{
    struct json *changes = json_value_new_object();

    if (changes == NULL || !job_overlay_apply(changes, settling->fields)) {
        json_value_destroy(changes);
        return NULL;
    }
    json_value_remove(changes, "fence");
    return changes;
}

/* Enqueueing again */

static void on_resumed(void *context, const struct submission_result *result)
{
    struct settling *settling = context;

    if (result->outcome == SUBMISSION_FAILED)
        upkeep_log_failure("job.reenqueue_failed", result->err);
    else if (!result->is_replay)
        log_warn("job.reenqueued", log_text("job", id_of(settling)),
                 log_text("was", json_value_get_text(settling->document, "state")),
                 log_text("outcome", result->outcome == SUBMISSION_ACCEPTED ? "queued" : "superseded"));
    settling_destroy(settling);
}

static void resume(struct settling *settling)
{
    struct json *own = json_value_dup(settling->document);

    if (own != NULL)
        submission_resume(settling->upkeep->services, own, on_resumed, settling);
    else
        settling_destroy(settling);
}

/* Cancelling */

static void on_cancelled(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct settling *settling = context;
    enum job_queue_cancel outcome = JOB_QUEUE_CANCEL_NOT_FOUND;
    struct err failure;
    struct json *changes;

    if (err == NULL && job_queue_cancel_parse(reply, &outcome, &failure) != ERR_OK)
        err = &failure;
    if (err != NULL) {
        queue_client_note_refusal(settling->upkeep->services->queue, reply, err);
        upkeep_log_failure("job.cancel_failed", err);
    } else if (outcome == JOB_QUEUE_CANCEL_DONE) {
        end_document(settling, json_value_new_object(), JOB_CANCELLED);
    } else if (outcome == JOB_QUEUE_CANCEL_PUBLISHING) { /* too late, so it was never asked for */
        changes = json_value_new_object();
        if (changes != NULL && json_value_set_null(changes, "cancel"))
            change(settling, changes, json_value_get_text(settling->document, "state"));
        else
            json_value_destroy(changes);
    }
    settling_destroy(settling);
}

static void cancel(struct settling *settling)
{
    const char *queue = json_value_get_text(settling->document, "queue");
    const char *unique_key = json_value_get_text(settling->fields, "uniq");
    struct redis_command command;

    if (unique_key == NULL) {
        settling_destroy(settling);
        return;
    }
    job_queue_cancel_command(&command, queue, id_of(settling), unique_key,
                             json_value_get_text(settling->document, "cancel"));
    queue_client_send(settling->upkeep->services->queue, &command, on_cancelled, settling);
    redis_command_fini(&command);
}

/* Which of them it is */

static void on_lost_cancelled(void *context, struct store_result *result)
{
    struct settling *settling = context;

    if (result->code != ERR_OK) {
        upkeep_log_failure("job.cancel_failed", &result->err);
    } else if (result->applied) { /* else another gateway was first, and told it */
        log_info("job.settled", log_text("job", id_of(settling)), log_text("state", job_state_name(JOB_CANCELLED)));
        queue_client_tell(settling->upkeep->services->queue, json_value_get_text(settling->document, "queue"),
                          id_of(settling), JOB_CANCELLED);
    }
    settling_destroy(settling);
}

/* The queue has no such job: it is enqueued again, or ends. */
static void settle_lost(struct settling *settling)
{
    struct json *changes;
    struct err err;

    if (!is_cancel_asked(settling)) {
        resume(settling);
        return;
    }
    changes = make_end(settling, json_value_new_object(), JOB_CANCELLED);
    if (changes == NULL ||
        store_client_change(settling->upkeep->services->store, id_of(settling), document_int(settling, "fence"),
                            changes, on_lost_cancelled, settling, &err) != ERR_OK)
        settling_destroy(settling); /* the next round */
}

/* The HASH of a live job, of the same generation. */
static void settle_live(struct settling *settling, const char *state)
{
    struct json *changes;

    if (is_cancel_asked(settling) && json_value_get_text(settling->fields, "cancel") == NULL) {
        cancel(settling);
        return;
    }
    if (!job_overlay_is_earlier(settling->document, settling->fields) &&
        strcmp(state, json_value_get_text(settling->document, "state")) != 0) {
        changes = changes_create(settling);
        if (changes != NULL)
            change(settling, changes, state);
    }
    settling_destroy(settling);
}

void upkeep_document_settle(struct upkeep *upkeep, struct json *document, struct json *fields)
{
    struct settling *settling = mem_zeroed(1, sizeof *settling);
    const char *text = json_value_get_text(fields, "state");
    enum job_state state = JOB_QUEUED;
    bool is_earlier;

    if (settling == NULL) {
        json_value_destroy(document);
        json_value_destroy(fields);
        return;
    }
    *settling = (struct settling){.upkeep = upkeep, .document = document, .fields = fields};
    upkeep_begin(upkeep);
    is_earlier = field_int(fields, "gen") < document_int(settling, "generation");
    if (fields != NULL && !job_state_parse(text, &state)) {
        log_error("job.unreadable", log_text("job", id_of(settling)), log_text("state", text));
        settling_destroy(settling);
    } else if (fields == NULL || (is_earlier && job_state_is_terminal(state))) {
        settle_lost(settling); /* the queue has none, or one that was opened again since: it takes this one */
    } else if (is_earlier) {
        settling_destroy(settling); /* its worker is about to tell the queue that it ended */
    } else if (job_state_is_terminal(state)) {
        end_document(settling, changes_create(settling), state);
        settling_destroy(settling);
    } else {
        settle_live(settling, text);
    }
}
