/*
 * Bodies of POST /v1/jobs: the first byte chooses the Content-Type. What is accepted makes a document that can be
 * printed and shown.
 */
#include <stdlib.h>
#include <string.h>

#include "common/job/job_params.h"
#include "common/job/job_shops.h"
#include "gateway/exchange.h"
#include "gateway/job_body.h"
#include "gateway/settings.h"
#include "tests/fuzz/fuzz_support.h"

#define ID "01M83E583Z7ZMJ3KYDMHDHKP5N"

struct stage {
    struct services services;
    struct gateway_settings settings;
    int answers;
};

static void on_answered(struct exchange *exchange, void *owner)
{
    struct stage *stage = owner;

    FUZZ_CHECK(exchange->reply.status == 400 || exchange->reply.status == 415 || exchange->reply.status == 422);
    stage->answers++;
}

static void check_document(const struct submission_request *submission)
{
    const struct job_request request = {.id = ID,
                                        .type = submission->type,
                                        .shop = submission->shop,
                                        .queue = "train",
                                        .params = submission->params,
                                        .requested_by = submission->client,
                                        .run_at_ms = submission->run_at_ms,
                                        .max_errors = submission->max_errors,
                                        .max_lost = 3,
                                        .fingerprint = submission->fingerprint};
    struct json *document = job_document_create(&request, 0);
    struct json *view = job_document_view(document);
    struct json *again = NULL;
    char *text = json_value_print(document, true, 0);
    char *text_again;
    struct err err;

    FUZZ_CHECK(document != NULL && view != NULL && text != NULL);
    FUZZ_CHECK(json_value_parse(&again, text, strlen(text), &err) == ERR_OK);
    text_again = json_value_print(again, true, 0);
    FUZZ_CHECK(text_again != NULL && strcmp(text, text_again) == 0);
    json_value_destroy(document);
    json_value_destroy(view);
    json_value_destroy(again);
    free(text);
    free(text_again);
}

static void read_body(struct stage *stage, const char *content_type, const char *body, size_t length)
{
    struct exchange *exchange = exchange_create(&stage->services, NULL, on_answered, stage);
    const struct http_header header = {"Content-Type", content_type};
    struct submission_request submission;
    struct err err;
    bool accepted;

    FUZZ_CHECK(exchange != NULL);
    exchange->request = (struct http_request){.method = "POST",
                                              .path = "/v1/jobs",
                                              .query = "",
                                              .body = body,
                                              .body_length = length,
                                              .headers = &header,
                                              .header_count = 1};
    stage->answers = 0;
    accepted = job_body_read(exchange, &submission);
    FUZZ_CHECK(stage->answers == (accepted ? 0 : 1));
    if (accepted) {
        FUZZ_CHECK(job_shops_know(stage->services.shops, submission.shop));
        FUZZ_CHECK(submission.run_at_ms >= 0 && submission.max_errors >= 0);
        FUZZ_CHECK(job_params_check(submission.type, submission.params, &err) == ERR_OK);
        check_document(&submission);
    }
    exchange_destroy(exchange);
}

static void prepare(struct stage *stage)
{
    struct err err;

    stage->services.clock = clock_system();
    stage->services.settings = &stage->settings;
    (void)strcpy(stage->settings.job.shop, "shop");
    FUZZ_CHECK(job_shops_create(&stage->services.shops, "shop", NULL, &err) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const content_types[] = {"application/json", "application/json; charset=utf-8",
                                                "application/merge-patch+json", "text/plain"};
    static struct stage stage;
    char *body;

    if (stage.services.shops == NULL)
        prepare(&stage);
    if (size < 1)
        return 0;
    body = fuzz_text(data + 1, size - 1);
    read_body(&stage, content_types[data[0] % 4], body, size - 1);
    free(body);
    return 0;
}
