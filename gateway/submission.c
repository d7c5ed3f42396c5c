#include "gateway/submission.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "common/job/job_settings.h"
#include "common/net/json_print.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"

enum { ARGS_BYTES = 300 /* of most */ };

enum origin {
    ORIGIN_NEW,     /* a request's */
    ORIGIN_RESUMED, /* the store's: it was promised to somebody, and the queue does not have it */
    ORIGIN_RETRIED  /* the store's, opened again */
};

struct submission {
    const struct services *services;
    struct job_new job;    /* a request's */
    struct json *document; /* of another origin: as the store has it */
    char id[JOB_ID_BYTES];
    enum origin origin;
    size_t asking;                     /* other queues that are asked for the idempotency key */
    enum job_queue_enqueued elsewhere; /* what they say: NEW where none knows it */
    char known_id[JOB_ID_BYTES];
    submission_fn fn;
    void *context;
};

static void submission_destroy(struct submission *submission)
{
    if (submission == NULL)
        return;
    job_new_fini(&submission->job);
    json_value_destroy(submission->document);
    free(submission);
}

static void answer_as(struct submission *submission, const struct submission_result *what, const char *id)
{
    struct submission_result result = *what;

    result.job = submission->origin == ORIGIN_NEW ? &submission->job : NULL;
    result.document = submission->document;
    str_copy(result.id, sizeof result.id, id);
    submission->fn(submission->context, &result);
    submission_destroy(submission);
}

static void answer(struct submission *submission, enum submission_outcome outcome, const char *id,
                   const struct err *err)
{
    const struct submission_result result = {.outcome = outcome, .err = err};

    answer_as(submission, &result, id);
}

/* What the submission is of, by the request or by the document. */

static const char *queue_of(const struct submission *submission)
{
    return submission->origin == ORIGIN_NEW ? submission->job.request.queue
                                            : json_value_get_text(submission->document, "queue");
}

static int64_t fence_of(const struct submission *submission)
{
    int64_t fence = 0; /* a new one's */

    (void)json_value_get_int64(submission->document, "fence", &fence);
    return fence;
}

static int64_t run_at_of(const struct submission *submission)
{
    const char *run_at = json_value_get_text(submission->document, "run_at");
    int64_t run_at_ms;

    if (submission->origin == ORIGIN_NEW)
        return submission->job.request.run_at_ms;
    return run_at != NULL && clock_parse_iso8601(run_at, &run_at_ms) ? run_at_ms : 0;
}

/* The queue has it: the document says so too, in ours at once and in the store's behind the answer. */
static enum job_state note_queued(struct submission *submission)
{
    int64_t now_ms = clock_unix_ms(&submission->services->clock);
    bool later = run_at_of(submission) > now_ms;
    enum job_state state = later ? JOB_SCHEDULED : JOB_QUEUED;

    store_client_note(submission->services->store, submission->id, fence_of(submission), state, later ? 0 : now_ms);
    if (submission->document != NULL) { /* out of memory it shows what was before */
        (void)json_value_set_text(submission->document, "state", job_state_name(state));
        if (!later)
            (void)job_document_set_time(submission->document, "queued_at", now_ms);
    }
    return state;
}

/* A replay of what the store had may be of an earlier generation, whose end is not told yet: the document stays as it
 * is, and the upkeep hands it over. */
static void take_up(struct submission *submission, bool is_replay)
{
    struct submission_result result = {.outcome = SUBMISSION_ACCEPTED, .is_replay = is_replay, .state = JOB_ACCEPTED};

    if (!is_replay || submission->origin == ORIGIN_NEW)
        result.state = note_queued(submission);
    answer_as(submission, &result, submission->id);
}

static void on_superseded(void *context, struct store_result *result)
{
    struct submission *submission = context;

    if (result->code == ERR_OK && result->applied) /* else another gateway was first, and told it */
        queue_client_tell(submission->services->queue, queue_of(submission), submission->id, JOB_SUPERSEDED);
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

    str_copy(submission->known_id, sizeof submission->known_id, other);
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
        take_up(submission, outcome == JOB_QUEUE_REPLAY);
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

/* {"params":…,"namespace":…}: what `start` gives to the worker. */
static void print_args(struct str *out, const struct submission *submission)
{
    const char *shop = json_value_get_text(submission->document, "namespace");

    if (submission->origin == ORIGIN_NEW) {
        job_new_print_args(out, &submission->job);
        return;
    }
    str_append_text(out, "{\"params\":");
    json_print_append(out, json_value_get(submission->document, "params"));
    str_append_text(out, ",\"namespace\":");
    json_print_append_text(out, shop != NULL ? shop : "", shop != NULL ? strlen(shop) : 0);
    str_append_char(out, '}');
}

static int read_int(const struct json *document, const char *name, int fallback)
{
    int64_t value;

    return json_value_get_int64(document, name, &value) && value >= 0 && value <= INT_MAX ? (int)value : fallback;
}

static struct job_queue_enqueue enqueue_of_request(const struct job_request *request)
{
    return (struct job_queue_enqueue){.shop = request->shop,
                                      .type = request->type,
                                      .client = request->requested_by,
                                      .max_errors = request->max_errors,
                                      .max_lost = request->max_lost,
                                      .idempotency_hash = request->idempotency_hash,
                                      .fingerprint = request->fingerprint};
}

/* false: it lacks what the queue needs. */
static bool enqueue_of_document(struct job_queue_enqueue *out, const struct json *document)
{
    *out = (struct job_queue_enqueue){.shop = json_value_get_text(document, "namespace"),
                                      .client = json_value_get_text(document, "requested_by"),
                                      .max_errors = read_int(document, "max_errors", JOB_SETTINGS_MAX_ERRORS),
                                      .max_lost = read_int(document, "max_lost", JOB_SETTINGS_MAX_LOST),
                                      .generation = read_int(document, "generation", 0),
                                      .fingerprint = json_value_get_text(document, "fingerprint")};
    if (out->generation == 0) /* a retry is no replay of the first request */
        out->idempotency_hash = json_value_get_text(document, "idempotency_hash");
    return out->shop != NULL && out->client != NULL && out->fingerprint != NULL &&
           job_type_parse(json_value_get_text(document, "type"), &out->type);
}

static enum err_code describe(struct job_queue_enqueue *out, const struct submission *submission, struct str *args,
                              struct err *err)
{
    bool is_whole = true;

    if (submission->origin == ORIGIN_NEW)
        *out = enqueue_of_request(&submission->job.request);
    else
        is_whole = enqueue_of_document(out, submission->document);
    out->queue = queue_of(submission);
    out->id = submission->id;
    out->run_at_ms = run_at_of(submission);
    str_reserve(args, ARGS_BYTES);
    print_args(args, submission);
    out->args = args->text;
    if (!is_whole || out->queue == NULL)
        return ERR_SET(err, ERR_INTERNAL, "the document of job %s lacks what the queue needs", submission->id);
    return args->failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory for job %s", submission->id) : ERR_OK;
}

static void enqueue(struct submission *submission)
{
    struct job_queue_enqueue job;
    struct str args = {0};
    struct err err;

    if (describe(&job, submission, &args, &err) == ERR_OK)
        queue_client_enqueue(submission->services->queue, &job, on_enqueued, submission);
    else
        on_enqueued(submission, JOB_QUEUE_NEW, "", &err);
    str_fini(&args);
}

static void on_inserted(void *context, struct store_result *result)
{
    struct submission *submission = context;

    if (result->code == ERR_OK)
        enqueue(submission);
    else
        answer(submission, SUBMISSION_FAILED, "", &result->err);
}

static enum err_code insert(struct submission *submission, struct err *err)
{
    return store_client_insert(submission->services->store, &submission->job, on_inserted, submission, err);
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
    enum job_queue_enqueued known = JOB_QUEUE_NEW;

    if (err == NULL &&
        job_queue_idempotency_parse(reply, submission->job.request.fingerprint, &known, submission->known_id, NULL) ==
            ERR_OK &&
        known != JOB_QUEUE_NEW)
        submission->elsewhere = known;
    on_asked(submission);
}

static void ask_other_queues(struct submission *submission, const char *idempotency_hash)
{
    struct queue_client *client = submission->services->queue;
    const struct job_queue_names *queues = queue_client_queues(client);
    submission->asking = 1; /* so that answers from within do not end it too early */
    for (size_t i = 0; i < queues->count; i++) {
        struct redis_command command;

        if (strcmp(queues->names[i], queue_of(submission)) == 0)
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
    enum err_code rc = job_id_next(submission->id, services->ids, &services->clock, err);

    if (rc != ERR_OK)
        return rc;
    return job_new_init(&submission->job, &job, now_ms) ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a job");
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
    str_copy(submission->id, sizeof submission->id, id);
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
