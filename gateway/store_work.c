#include "gateway/store_work.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"

enum { DOCUMENT_BYTES = 1000 /* of most */ };

struct store_work *store_work_create(enum store_operation operation, const char *id, struct json *changes)
{
    struct store_work *work = mem_zeroed(1, sizeof *work);

    if (work == NULL) {
        json_value_destroy(changes);
        return NULL;
    }
    work->operation = operation;
    work->changes = changes;
    if (id != NULL)
        str_copy(work->id, sizeof work->id, id);
    return work;
}

struct store_work *store_work_create_insert(const struct job_new *job)
{
    struct store_work *work = store_work_create(STORE_INSERT, job->request.id, NULL);

    if (work == NULL)
        return NULL;
    work->insert.type = job->request.type;
    str_copy(work->insert.created_at, sizeof work->insert.created_at, job->created_at);
    str_reserve(&work->insert.text, DOCUMENT_BYTES);
    job_new_print_document(&work->insert.text, job);
    if (!work->insert.text.failed)
        return work;
    store_work_destroy(work);
    return NULL;
}

struct store_work *store_work_create_note(const struct store_note *note)
{
    struct json *changes = json_value_new_object();
    struct store_work *work;

    if (!json_value_set_text(changes, "state", job_state_name(note->state)) ||
        (note->queued_ms != 0 && !job_document_set_time(changes, "queued_at", note->queued_ms))) {
        json_value_destroy(changes);
        return NULL;
    }
    work = store_work_create(STORE_UPDATE, note->id, changes);
    if (work != NULL)
        work->fence = note->fence;
    return work;
}

void store_work_destroy(struct store_work *work)
{
    if (work == NULL)
        return;
    json_value_destroy(work->changes);
    if (work->operation == STORE_INSERT)
        str_fini(&work->insert.text);
    json_value_destroy(work->result.document);
    free(work);
}

/* The text in the work's own memory; NULL stays NULL. */
static const char *keep(char *out, size_t size, const char *text)
{
    if (text == NULL)
        return NULL;
    str_copy(out, size, text);
    return out;
}

void store_work_set_filter(struct store_work *work, const struct job_store_filter *filter)
{
    work->filter = *filter;
    work->filter.state = keep(work->texts.state, sizeof work->texts.state, filter->state);
    work->filter.type = keep(work->texts.type, sizeof work->texts.type, filter->type);
    work->filter.shop = keep(work->texts.shop, sizeof work->texts.shop, filter->shop);
    work->filter.before = keep(work->id, sizeof work->id, filter->before);
}

struct job_store_text store_work_document(const struct store_work *work)
{
    return (struct job_store_text){.id = work->id,
                                   .state = job_state_name(JOB_ACCEPTED),
                                   .type = job_type_name(work->insert.type),
                                   .created_at = work->insert.created_at,
                                   .text = work->insert.text.text};
}

static enum err_code insert(struct store_work *work, struct job_store *store)
{
    struct job_store_text document = store_work_document(work);

    return job_store_insert_text(store, &document, &work->result.err);
}

static enum err_code update(struct store_work *work, struct job_store *store)
{
    struct store_result *result = &work->result;

    return job_store_update(store, work->id, work->fence, work->changes, &result->applied, &result->err);
}

static enum err_code ask(struct store_work *work, struct job_store *store)
{
    struct store_result *result = &work->result;

    switch (work->operation) {
    case STORE_PING:
        return job_store_ping(store, &result->err);
    case STORE_INSERT:
        return insert(work, store);
    case STORE_GET:
        return job_store_get(store, work->id, &result->document, &result->err);
    case STORE_GET_REPORT:
        return job_store_get_report(store, work->id, &result->document, &result->err);
    case STORE_FIND:
        return job_store_find(store, &work->filter, &result->document, &result->err);
    case STORE_LIST_UNFINISHED:
        return job_store_list_unfinished(store, work->created_before_ms, work->id[0] != '\0' ? work->id : NULL,
                                         work->limit, &result->document, &result->err);
    case STORE_REQUEST_CANCEL:
        return job_store_request_cancel(store, work->id, work->reason, &result->applied, &result->err);
    case STORE_REOPEN:
        return job_store_reopen(store, work->id, &result->document, &result->err);
    case STORE_UPDATE:
        return update(work, store);
    case STORE_DELETE_ACCEPTED:
        return job_store_delete_accepted(store, work->id, &result->err);
    case STORE_LAST_SUCCESSES:
        return job_store_last_successes(store, &result->document, &result->err);
    case STORE_LATEST_ANALYTICS:
        return job_store_latest_analytics(store, work->texts.shop, &result->document, &result->err);
    case STORE_OPERATION_COUNT:
        break;
    }
    return ERR_SET(&result->err, ERR_INTERNAL, "a call that the store does not know");
}

void store_work_perform(struct store_work *work, struct job_store *store)
{
    work->result.code = ask(work, store);
}

void store_work_push(struct store_work_list *list, struct store_work *work)
{
    work->next = NULL;
    if (list->last != NULL)
        list->last->next = work;
    else
        list->first = work;
    list->last = work;
    list->count++;
}

struct store_work *store_work_pop(struct store_work_list *list)
{
    struct store_work *work = list->first;

    if (work == NULL)
        return NULL;
    list->first = work->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    work->next = NULL;
    return work;
}
