#include "gateway/store_work.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct store_work *store_work_create(enum store_operation operation, const char *id, struct json *input)
{
    struct store_work *work = mem_zeroed(1, sizeof *work);

    if (work == NULL) {
        json_value_destroy(input);
        return NULL;
    }
    work->operation = operation;
    work->input = input;
    if (id != NULL)
        (void)snprintf(work->id, sizeof work->id, "%s", id);
    return work;
}

void store_work_destroy(struct store_work *work)
{
    if (work == NULL)
        return;
    json_value_destroy(work->input);
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

static enum err_code ask(struct store_work *work, struct job_store *store)
{
    struct store_result *result = &work->result;

    switch (work->operation) {
    case STORE_PING:
        return job_store_ping(store, &result->err);
    case STORE_INSERT:
        return job_store_insert(store, work->input, &result->err);
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
        return job_store_update(store, work->id, work->fence, work->input, &result->applied, &result->err);
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
