#include "gateway/submission.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/job/job_queue_control.h"
#include "common/job/job_settings.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"

enum origin {
    ORIGIN_NEW,     /* a request's */
    ORIGIN_RESUMED, /* the store's: it was promised to somebody, and the queue does not have it */
    ORIGIN_RETRIED  /* the store's, opened again */
};

struct submission {
    const struct services *services;
    struct json *document; /* as the store has it; NULL while it is on its way there */
    char id[JOB_ID_BYTES];
    enum origin origin;
    size_t asking;                     /* other queues that are asked for the idempotency key */
    enum job_queue_enqueued elsewhere; /* what they say: NEW where none knows it */
    bool is_replay;
    char known_id[JOB_ID_BYTES];
    submission_fn fn;
    void *context;
};

static void submission_destroy(struct submission *submission)
{
    if (submission == NULL)
        return;
    json_value_destroy(submission->document);
    free(submission);
}

static void answer(struct submission *submission, enum submission_outcome outcome, const char *id,
                   const struct err *err)
{
    struct submission_result result = {
        .outcome = outcome, .document = submission->document, .is_replay = submission->is_replay, .err = err};

    (void)snprintf(result.id, sizeof result.id, "%s", id);
    submission->fn(submission->context, &result);
    submission_destroy(submission);
}

static int64_t fence_of(const struct submission *submission)
{
    int64_t fence = 0;

    (void)json_value_get_int64(submission->document, "fence", &fence);
    return fence;
}

/* The queue has it: the document says so too, in ours at once and in the store's behind the answer. */
static void note_queued(struct submission *submission)
{
    const char *run_at = json_value_get_text(submission->document, "run_at");
    int64_t now_ms = clock_unix_ms(&submission->services->clock);
    struct json *changes = json_value_new_object();
    int64_t run_at_ms;
    bool later = run_at != NULL && clock_parse_iso8601(run_at, &run_at_ms) && run_at_ms > now_ms;

    if (changes == NULL || !json_value_set_text(changes, "state", job_state_name(later ? JOB_SCHEDULED : JOB_QUEUED)) ||
        !(later || job_document_set_time(changes, "queued_at", now_ms)) ||
        !json_value_merge(submission->document, changes)) {
        json_value_destroy(changes);
        changes = NULL;
    }
    if (changes != NULL) /* the queue knows, and the upkeep would find out */
        store_client_note(submission->services->store, submission->id, fence_of(submission), changes);
}

static void on_superseded(void *context, struct store_result *result)
{
    struct submission *submission = context;

    if (result->code == ERR_OK && result->applied) /* else another gateway was first, and told it */
        queue_client_tell(submission->services->queue, json_value_get_text(submission->document, "queue"),
                          submission->id, JOB_SUPERSEDED);
    if (result->code == ERR_OK)
        answer(submission, SUBMISSION_DUPLICATE, submission->known_id, NULL);
    else
        answer(submission, SUBMISSION_FAILED, "", &result->err);
}

/* Another has taken the place of a job that was promised to somebody: its document stays, and says so. It is answered
 * when that is written, so that nobody resumes it meanwhile. */
static void supersede(struct submission *submission, const char *other)
{
    struct json *changes = json_value_new_object();
    struct err err;

    (void)snprintf(submission->known_id, sizeof submission->known_id, "%s", other);
    if (changes == NULL || !json_value_set_text(changes, "state", job_state_name(JOB_SUPERSEDED)) ||
        !job_document_set_time(changes, "finished_at", clock_unix_ms(&submission->services->clock))) {
        json_value_destroy(changes);
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to end job %s", submission->id);
        answer(submission, SUBMISSION_FAILED, "", &err);
    } else if (store_client_change(submission->services->store, submission->id, fence_of(submission), changes,
                                   on_superseded, submission, &err) != ERR_OK) {
        answer(submission, SUBMISSION_FAILED, "", &err);
    }
}

static void on_enqueued(void *context, enum job_queue_enqueued outcome, const char *id, const struct err *err)
{
    struct submission *submission = context;
    bool own = strcmp(id, submission->id) == 0;

    if (err != NULL && (err->code == ERR_NETWORK || err->code == ERR_CANCELLED)) {
        log_warn("job.outcome_unknown", log_text("job", submission->id), log_text("message", err->message));
        answer(submission, SUBMISSION_ACCEPTED, submission->id, NULL);
        return;
    }
    if (err == NULL && (outcome == JOB_QUEUE_NEW || (outcome == JOB_QUEUE_REPLAY && own))) {
        /* A replay of what the store had may be of an earlier generation, whose end is not told yet: the document stays
         * as it is, and the upkeep hands it over. */
        submission->is_replay = outcome == JOB_QUEUE_REPLAY;
        if (!submission->is_replay || submission->origin == ORIGIN_NEW)
            note_queued(submission);
        answer(submission, SUBMISSION_ACCEPTED, submission->id, NULL);
        return;
    }
    if (err == NULL && submission->origin == ORIGIN_RESUMED) {
        supersede(submission, id);
        return;
    }
    if (submission->origin == ORIGIN_NEW) /* what was there before is its caller's to put back, or for the next try */
        store_client_delete_accepted(submission->services->store, submission->id);
    if (err != NULL)
        answer(submission, SUBMISSION_FAILED, "", err);
    else if (outcome == JOB_QUEUE_REPLAY)
        answer(submission, SUBMISSION_REPLAYED, id, NULL);
    else if (outcome == JOB_QUEUE_MISMATCH)
        answer(submission, SUBMISSION_MISMATCH, id, NULL);
    else
        answer(submission, SUBMISSION_DUPLICATE, id, NULL);
}

/* {"params":…,"namespace":…}: what `start` gives to the worker. malloc'd; NULL when out of memory. */
static char *print_args(const struct json *document)
{
    struct json *args = json_value_new_object();
    char *text = NULL;

    if (args != NULL && json_value_set(args, "params", json_value_share(json_value_get(document, "params"))) &&
        json_value_set_text(args, "namespace", json_value_get_text(document, "namespace")))
        text = json_value_print(args, false, 0);
    json_value_destroy(args);
    return text;
}

static int read_int(const struct json *document, const char *name, int fallback)
{
    int64_t value;

    return json_value_get_int64(document, name, &value) && value >= 0 && value <= INT_MAX ? (int)value : fallback;
}

static void enqueue(struct submission *submission)
{
    const struct json *document = submission->document;
    const char *run_at = json_value_get_text(document, "run_at");
    char *args = print_args(document);
    struct job_queue_enqueue job = {.queue = json_value_get_text(document, "queue"),
                                    .id = submission->id,
                                    .shop = json_value_get_text(document, "namespace"),
                                    .args = args,
                                    .client = json_value_get_text(document, "requested_by"),
                                    .max_errors = read_int(document, "max_errors", JOB_SETTINGS_MAX_ERRORS),
                                    .max_lost = read_int(document, "max_lost", JOB_SETTINGS_MAX_LOST),
                                    .generation = read_int(document, "generation", 0),
                                    .fingerprint = json_value_get_text(document, "fingerprint")};

    if (job.generation == 0) /* a retry is no replay of the first request */
        job.idempotency_hash = json_value_get_text(document, "idempotency_hash");
    if (run_at == NULL || !clock_parse_iso8601(run_at, &job.run_at_ms))
        job.run_at_ms = 0;
    if (args == NULL || job.queue == NULL || job.shop == NULL || job.client == NULL || job.fingerprint == NULL ||
        !job_type_parse(json_value_get_text(document, "type"), &job.type)) {
        struct err err;

        (void)ERR_SET(&err, ERR_INTERNAL, "the document of job %s lacks what the queue needs", submission->id);
        on_enqueued(submission, JOB_QUEUE_NEW, "", &err);
    } else {
        queue_client_enqueue(submission->services->queue, &job, on_enqueued, submission);
    }
    free(args);
}

static void on_inserted(void *context, struct store_result *result)
{
    struct submission *submission = context;

    submission->document = result->document;
    result->document = NULL;
    if (result->code == ERR_OK)
        enqueue(submission);
    else
        answer(submission, SUBMISSION_FAILED, "", &result->err);
}

/* The pool's thread has the document until it is stored. */
static enum err_code insert(struct submission *submission, struct err *err)
{
    struct json *document = submission->document;

    submission->document = NULL;
    return store_client_insert(submission->services->store, document, on_inserted, submission, err);
}

/* The idempotency key. A queue knows its own keys, and the key may have come with a job of another type, or before a
 * type was given another queue: so the others are asked first. */

static void on_asked(struct submission *submission)
{
    struct err err;

    if (--submission->asking > 0)
        return;
    if (submission->elsewhere == JOB_QUEUE_REPLAY)
        answer(submission, SUBMISSION_REPLAYED, submission->known_id, NULL);
    else if (submission->elsewhere == JOB_QUEUE_MISMATCH)
        answer(submission, SUBMISSION_MISMATCH, submission->known_id, NULL);
    else if (insert(submission, &err) != ERR_OK)
        answer(submission, SUBMISSION_FAILED, "", &err);
}

static void on_elsewhere(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct submission *submission = context;
    const char *fingerprint = json_value_get_text(submission->document, "fingerprint");
    enum job_queue_enqueued known = JOB_QUEUE_NEW;

    if (err == NULL && fingerprint != NULL &&
        job_queue_idempotency_parse(reply, fingerprint, &known, submission->known_id, NULL) == ERR_OK &&
        known != JOB_QUEUE_NEW)
        submission->elsewhere = known;
    on_asked(submission);
}

static void ask_other_queues(struct submission *submission, const char *idempotency_hash)
{
    struct queue_client *client = submission->services->queue;
    const struct job_queue_names *queues = queue_client_queues(client);
    const char *own = json_value_get_text(submission->document, "queue");

    submission->asking = 1; /* so that answers from within do not end it too early */
    for (size_t i = 0; i < queues->count; i++) {
        struct redis_command command;

        if (strcmp(queues->names[i], own) == 0)
            continue;
        submission->asking++;
        job_queue_idempotency_command(&command, queues->names[i], idempotency_hash);
        queue_client_send(client, &command, on_elsewhere, submission);
        redis_command_fini(&command);
    }
    on_asked(submission);
}

static enum err_code fill(struct submission *submission, const struct submission_request *request, struct err *err)
{
    const struct services *services = submission->services;
    int64_t now_ms = clock_unix_ms(&services->clock);
    struct job_request job = {.id = submission->id,
                              .type = request->type,
                              .shop = request->shop,
                              .queue = services->settings->job.routes.queue[request->type],
                              .params = request->params,
                              .requested_by = request->client,
                              .run_at_ms = request->run_at_ms,
                              .max_errors = request->max_errors,
                              .max_lost = JOB_SETTINGS_MAX_LOST,
                              .idempotency_hash = request->idempotency_hash,
                              .fingerprint = request->fingerprint};
    enum err_code rc = job_id_generate(submission->id, &services->clock, err);

    if (rc != ERR_OK)
        return rc;
    submission->document = job_document_create(&job, now_ms);
    return submission->document != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a job");
}

enum err_code submission_start(const struct services *services, const struct submission_request *request,
                               submission_fn fn, void *context, struct err *err)
{
    struct submission *submission;
    enum err_code rc;

    if (!queue_client_is_ready(services->queue))
        return ERR_SET(err, ERR_UNAVAILABLE, "%s", queue_client_reason(services->queue));
    submission = mem_zeroed(1, sizeof *submission);
    if (submission == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a job");
    submission->services = services;
    submission->fn = fn;
    submission->context = context;
    rc = fill(submission, request, err);
    if (rc == ERR_OK && request->idempotency_hash != NULL && queue_client_queues(services->queue)->count > 1) {
        ask_other_queues(submission, request->idempotency_hash);
        return ERR_OK;
    }
    if (rc == ERR_OK)
        rc = insert(submission, err);
    if (rc != ERR_OK)
        submission_destroy(submission);
    return rc;
}

static void start_again(const struct services *services, struct json *document, enum origin origin, submission_fn fn,
                        void *context)
{
    struct submission *submission = mem_zeroed(1, sizeof *submission);
    const char *id = json_value_get_text(document, "_id");
    struct submission_result failure = {.outcome = SUBMISSION_FAILED};
    struct err err;

    if (submission == NULL || id == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory for a job");
        failure.err = &err;
        json_value_destroy(document);
        free(submission);
        fn(context, &failure);
        return;
    }
    *submission =
        (struct submission){.services = services, .document = document, .origin = origin, .fn = fn, .context = context};
    (void)snprintf(submission->id, sizeof submission->id, "%s", id);
    enqueue(submission);
}

void submission_resume(const struct services *services, struct json *document, submission_fn fn, void *context)
{
    start_again(services, document, ORIGIN_RESUMED, fn, context);
}

void submission_retry(const struct services *services, struct json *document, submission_fn fn, void *context)
{
    start_again(services, document, ORIGIN_RETRIED, fn, context);
}
