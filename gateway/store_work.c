#include "gateway/store_work.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { DOCUMENT_BYTES = 1200 /* of most */ };

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
        (void)snprintf(work->id, sizeof work->id, "%s", id);
    return work;
}

struct store_work *store_work_create_insert(const struct job_new *job)
{
    struct store_work *work = store_work_create(STORE_INSERT, job->request.id, NULL);

    if (work == NULL)
        return NULL;
    work->type = job->request.type;
    (void)snprintf(work->created_at, sizeof work->created_at, "%s", job->created_at);
    str_reserve(&work->text, DOCUMENT_BYTES);
    job_new_print_document(&work->text, job);
    if (!work->text.failed)
        return work;
    store_work_destroy(work);
    return NULL;
}

void store_work_destroy(struct store_work *work)
{
    if (work == NULL)
        return;
    json_value_destroy(work->changes);
    str_fini(&work->text);
    json_value_destroy(work->result.document);
    free(work);
}

/* The text in the work's own memory; NULL stays NULL. */
static const char *keep(char *out, size_t size, const char *text)
{
    if (text == NULL)
        return NULL;
    (void)snprintf(out, size, "%s", text);
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
                                   .type = job_type_name(work->type),
                                   .created_at = work->created_at,
                                   .text = work->text.text};
}

const struct json *store_work_changes(struct store_work *work)
{
    if (work->changes != NULL || !work->is_note)
        return work->changes;
    work->changes = json_value_new_object();
    if (json_value_set_text(work->changes, "state", job_state_name(work->state)) &&
        (work->queued_ms == 0 || job_document_set_time(work->changes, "queued_at", work->queued_ms)))
        return work->changes;
    json_value_destroy(work->changes);
    work->changes = NULL;
    return NULL;
}

static enum err_code insert(struct store_work *work, struct job_store *store)
{
    struct job_store_text document = store_work_document(work);

    return job_store_insert_text(store, &document, &work->result.err);
}

static enum err_code update(struct store_work *work, struct job_store *store)
{
    struct store_result *result = &work->result;
    const struct json *changes = store_work_changes(work);

    if (changes == NULL)
        return ERR_SET(&result->err, ERR_NO_MEMORY, "no memory for the changes of job %s", work->id);
    return job_store_update(store, work->id, work->fence, changes, &result->applied, &result->err);
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
