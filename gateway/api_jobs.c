#include "gateway/api_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/job/job_params_from.h"
#include "common/net/hash.h"
#include "gateway/job_answer.h"
#include "gateway/job_body.h"
#include "gateway/job_lookup.h"
#include "gateway/job_overlay.h"
#include "gateway/params_from.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"
#include "gateway/submission.h"
#include "gateway/waiters.h"

enum { MAX_WAIT_S = 60, MAX_KEY_BYTES = 255, ETAG_DIGITS = 32, ANSWER_BYTES = 1000 /* of most */ };

/* 200 with an ETag, or 304 where the client has this already. */
static void answer_tagged(struct exchange *exchange, struct json *view)
{
    char *text = view != NULL ? json_value_print(view, false, 0) : NULL;
    char tag[HASH_SHA256_HEX_BYTES];
    const char *rest;

    if (text == NULL || hash_sha256_hex(text, strlen(text), tag) != ERR_OK) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for the answer");
        goto done;
    }
    tag[ETAG_DIGITS] = '\0';
    http_reply_add(&exchange->reply, "ETag", "\"%s\"", tag);
    rest = http_request_header(&exchange->request, "if-none-match");
    if (rest != NULL && (strcmp(rest, "*") == 0 || strstr(rest, tag) != NULL))
        exchange_answer(exchange, 304);
    else
        exchange_answer_text(exchange, 200, "application/json", text);
done:
    free(text);
    json_value_destroy(view);
}

static void on_position(struct exchange *exchange, int64_t position)
{
    struct json *view = job_answer_view(exchange, exchange->document);

    if (view != NULL && position > 0 && !json_value_set_int(view, "queue_position", position)) {
        json_value_destroy(view);
        view = NULL;
    }
    if (!job_overlay_is_terminal(exchange->document))
        http_reply_add(&exchange->reply, "Retry-After", "%d", JOB_ANSWER_POLL_AGAIN_S);
    answer_tagged(exchange, view);
}

/* GET /v1/jobs/{id} */

static void on_waited(struct exchange *exchange, struct json *document, const struct err *err)
{
    if (document == NULL) {
        job_answer_lookup_failed(exchange, err);
        return;
    }
    exchange->document = document;
    job_answer_ask_position(exchange, document, on_position);
}

static void on_looked_up(void *context, struct json *document, const struct err *err)
{
    struct exchange *exchange = context;
    int wait_s = http_request_wait_s(&exchange->request);

    if (wait_s > MAX_WAIT_S)
        wait_s = MAX_WAIT_S;
    if (document != NULL && wait_s > 0 && !job_overlay_is_terminal(document) &&
        waiters_add(exchange->services->waiters, exchange, exchange->job_id, json_value_get_text(document, "state"),
                    (int64_t)wait_s * 1000, on_waited, NULL) == ERR_OK) {
        http_reply_add(&exchange->reply, "Preference-Applied", "wait=%d", wait_s);
        json_value_destroy(document);
        return;
    }
    on_waited(exchange, document, err); /* too many wait: a poll is answered as ever */
}

void api_jobs_get(struct exchange *exchange)
{
    job_lookup_start(exchange->services, exchange->job_id, on_looked_up, exchange);
}

/* GET /v1/jobs/{id}/report */

static void on_report(void *context, struct store_result *result)
{
    struct exchange *exchange = context;
    struct json *report = result->document;

    if (result->code == ERR_NOT_FOUND) {
        problem_answer(exchange, 404, "not_found", "there is no report of job %s, or not yet", exchange->job_id);
    } else if (result->code != ERR_OK) {
        problem_answer_err(exchange, &result->err);
    } else if (json_value_set_text(report, "id", exchange->job_id)) {
        json_value_remove(report, "_id");
        json_value_remove(report, "fence");
        result->document = NULL;
        exchange_answer_json(exchange, 200, report);
    } else {
        exchange_answer_json(exchange, 200, NULL);
    }
}

void api_jobs_get_report(struct exchange *exchange)
{
    struct err err;

    if (store_client_get_report(exchange->services->store, exchange->job_id, on_report, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}

/* POST /v1/jobs */

static void on_replayed(void *context, struct json *document, const struct err *err)
{
    struct exchange *exchange = context;

    if (document == NULL) {
        job_answer_lookup_failed(exchange, err);
        return;
    }
    http_reply_add(&exchange->reply, "Idempotent-Replayed", "true");
    job_answer_add_location(exchange, exchange->job_id);
    exchange_answer_json(exchange, 200, job_answer_view(exchange, document));
    json_value_destroy(document);
}

/* Neither stalled nor with a place in the queue: a look at that would cost another round trip. */
static void answer_accepted(struct exchange *exchange, const struct submission_result *result)
{
    struct str *body = &exchange->reply.body;

    str_reserve(body, ANSWER_BYTES);
    job_new_print_view(body, result->job, result->state);
    if (body->failed) {
        str_fini(body);
        exchange_answer_json(exchange, 202, NULL);
        return;
    }
    exchange->reply.content_type = "application/json";
    exchange_answer(exchange, 202);
}

static void on_submitted(void *context, const struct submission_result *result)
{
    struct exchange *exchange = context;

    str_copy(exchange->job_id, sizeof exchange->job_id, result->id);
    switch (result->outcome) {
    case SUBMISSION_ACCEPTED:
        job_answer_add_location(exchange, result->id);
        http_reply_add(&exchange->reply, "Retry-After", "%d", JOB_ANSWER_POLL_AGAIN_S);
        answer_accepted(exchange, result);
        break;
    case SUBMISSION_REPLAYED:
        job_lookup_start(exchange->services, result->id, on_replayed, exchange);
        break;
    case SUBMISSION_MISMATCH:
        problem_answer(exchange, 422, "idempotency_key_reused", "this Idempotency-Key came with another body before");
        break;
    case SUBMISSION_DUPLICATE:
        job_answer_add_location(exchange, result->id);
        problem_answer(exchange, 409, "job_is_live", "job %s of this type and shop is not finished yet", result->id);
        break;
    case SUBMISSION_FAILED:
        if (result->err->code == ERR_UNAVAILABLE && !queue_client_is_ready(exchange->services->queue))
            job_answer_queue_away(exchange);
        else
            problem_answer_err(exchange, result->err);
        break;
    }
}

/* Hashes of the Idempotency-Key (of this client and route) and of the body; false: answered. */
static bool read_idempotency(struct exchange *exchange, struct submission_request *request, char *key_hash,
                             char *fingerprint)
{
    const char *key = http_request_header(&exchange->request, "idempotency-key");
    struct str text = {0};
    bool is_hashed;

    if (key == NULL)
        return true;
    if (key[0] == '\0' || strlen(key) > MAX_KEY_BYTES) {
        problem_answer(exchange, 400, "bad_idempotency_key", "Idempotency-Key must have 1 to %d bytes", MAX_KEY_BYTES);
        return false;
    }
    str_reserve(&text, EXCHANGE_CLIENT_BYTES + MAX_KEY_BYTES);
    str_append_text(&text, exchange->client);
    str_append_char(&text, '\n');
    str_append_text(&text, exchange->route);
    str_append_char(&text, '\n');
    str_append_text(&text, key);
    is_hashed = !text.failed && hash_sha256_hex(text.text, text.length, key_hash) == ERR_OK &&
                hash_sha256_hex(exchange->request.body, exchange->request.body_length, fingerprint) == ERR_OK;
    str_fini(&text);
    if (!is_hashed) {
        problem_answer(exchange, 500, "internal", "SHA-256 failed");
        return false;
    }
    request->idempotency_hash = key_hash;
    request->fingerprint = fingerprint;
    return true;
}

static void submit(struct exchange *exchange, const struct submission_request *asked)
{
    struct submission_request request = *asked;
    char key_hash[HASH_SHA256_HEX_BYTES];
    char fingerprint[HASH_SHA256_HEX_BYTES];
    struct json *body =
        exchange->document; /* the submission copies what it needs: its memory is for the next request */
    struct err err;

    if (!read_idempotency(exchange, &request, key_hash, fingerprint))
        return;
    exchange->document = NULL;
    if (!queue_client_is_ready(exchange->services->queue))
        job_answer_queue_away(exchange);
    else if (submission_start(exchange->services, &request, on_submitted, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
    json_value_destroy(body);
}

/* exchange->document is the body, its params complete now. */
static void on_params(struct exchange *exchange)
{
    struct submission_request request;

    if (job_body_check(exchange, &request))
        submit(exchange, &request);
}

void api_jobs_submit(struct exchange *exchange)
{
    struct submission_request request;

    if (!job_body_read(exchange, &request))
        return;
    if (job_params_from_id(request.params) != NULL)
        params_from_take(exchange, &request, on_params);
    else
        submit(exchange, &request);
}
