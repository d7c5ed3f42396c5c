/* The round through the unfinished documents, oldest first and a page at a time: each is held against its HASH. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"
#include "gateway/upkeep_parts.h"

enum { PAGES = 20 };

/* One document while its HASH is asked for. */
struct question {
    struct upkeep *upkeep;
    struct json *document;
};

static void ask_page(struct upkeep *upkeep);

static void answered(struct upkeep *upkeep, bool more)
{
    struct upkeep_documents *documents = &upkeep->documents;

    if (documents->pending == 1 && more && !upkeep->closing && ++documents->pages < PAGES)
        ask_page(upkeep);
    documents->pending--;
    upkeep_end(upkeep);
}

static void on_fields(void *context, struct json *fields, const struct err *err)
{
    struct question *question = context;
    struct upkeep *upkeep = question->upkeep;

    if (!upkeep->closing && (err == NULL || err->code == ERR_NOT_FOUND)) {
        upkeep_document_settle(upkeep, question->document, fields);
    } else {
        json_value_destroy(question->document);
        json_value_destroy(fields);
    }
    free(question);
    answered(upkeep, upkeep->documents.cursor[0] != '\0');
}

static void ask(struct upkeep *upkeep, const struct json *document)
{
    const char *queue = json_value_get_text(document, "queue");
    const char *id = json_value_get_text(document, "_id");
    struct question *question = mem_zeroed(1, sizeof *question);

    if (question != NULL)
        question->document = json_value_dup(document);
    if (queue == NULL || id == NULL || question == NULL || question->document == NULL) {
        if (question != NULL)
            json_value_destroy(question->document);
        free(question);
        return;
    }
    question->upkeep = upkeep;
    upkeep->documents.pending++;
    upkeep_begin(upkeep);
    queue_client_describe(upkeep->services->queue, queue, id, on_fields, question);
}

/* The next page goes on behind the last of this one; behind the newest the round begins anew. */
static void note_cursor(struct upkeep_documents *documents, const struct json *page)
{
    size_t count = json_value_count(page);
    const char *last = count > 0 ? json_value_get_text(json_value_at(page, count - 1), "_id") : NULL;

    str_copy(documents->cursor, sizeof documents->cursor, count == UPKEEP_PAGE && last != NULL ? last : "");
}

static void on_page(void *context, struct store_result *result)
{
    struct upkeep *upkeep = context;

    if (result->code == ERR_OK) {
        note_cursor(&upkeep->documents, result->document);
        for (size_t i = 0; i < json_value_count(result->document) && !upkeep->closing; i++)
            ask(upkeep, json_value_at(result->document, i));
    } else {
        upkeep_log_failure("queue.documents_unread", &result->err);
    }
    answered(upkeep, result->code == ERR_OK && upkeep->documents.cursor[0] != '\0');
}

static void ask_page(struct upkeep *upkeep)
{
    const struct services *services = upkeep->services;
    const char *cursor = upkeep->documents.cursor;
    int64_t before_ms = clock_unix_ms(&services->clock) - services->settings->settle_after_ms;
    struct err err;

    if (!queue_client_is_ready(services->queue))
        return;
    if (store_client_list_unfinished(services->store, before_ms, cursor[0] != '\0' ? cursor : NULL, UPKEEP_PAGE,
                                     on_page, upkeep, &err) != ERR_OK)
        return; /* the store is away or busy: the next round asks again */
    upkeep->documents.pending++;
    upkeep_begin(upkeep);
}

void upkeep_documents_run(struct upkeep *upkeep)
{
    if (upkeep->documents.pending > 0)
        return;
    upkeep->documents.pages = 0;
    ask_page(upkeep);
}
