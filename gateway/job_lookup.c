#include "gateway/job_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job.h"
#include "common/job/job_routes.h"
#include "gateway/job_overlay.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"

/* What one queue says. */
struct queue_answer {
    struct job_lookup *lookup;
    struct json *fields; /* the HASH; NULL: it has none, or could not be asked */
};

struct job_lookup {
    const struct services *services;
    char id[JOB_ID_BYTES];
    size_t pending;        /* answers to come, of the store and of each queue */
    struct json *document; /* of the store */
    struct err store_err;  /* where there is no document */
    struct queue_answer answers[JOB_ROUTES_MAX];
    job_lookup_fn fn;
    void *context;
};

static const struct job_queue_names *queues_of(const struct job_lookup *lookup)
{
    return queue_client_queues(lookup->services->queue);
}

static void lookup_destroy(struct job_lookup *lookup)
{
    json_value_destroy(lookup->document);
    for (size_t i = 0; i < JOB_ROUTES_MAX; i++)
        json_value_destroy(lookup->answers[i].fields);
    free(lookup);
}

/* The queue that has the job: its document's, or without a document the first that knows it. Its index, or the number
 * of queues where none does. */
static size_t find_queue(const struct job_lookup *lookup)
{
    const struct job_queue_names *queues = queues_of(lookup);
    const char *name = json_value_get_text(lookup->document, "queue");

    for (size_t i = 0; i < queues->count; i++) {
        if (lookup->answers[i].fields != NULL && (name == NULL || strcmp(name, queues->names[i]) == 0))
            return i;
    }
    return queues->count;
}

static void answer_when_complete(struct job_lookup *lookup)
{
    struct json *document = lookup->document;
    struct err err = lookup->store_err;
    size_t queue;

    if (--lookup->pending > 0)
        return;
    queue = find_queue(lookup);
    lookup->document = NULL;
    if (queue < queues_of(lookup)->count && document == NULL) {
        document = job_overlay_document(lookup->id, queues_of(lookup)->names[queue], lookup->answers[queue].fields);
        if (document == NULL)
            (void)ERR_SET(&err, ERR_INTERNAL, "the queue's record of job %s cannot be read", lookup->id);
    } else if (queue < queues_of(lookup)->count && !job_overlay_apply(document, lookup->answers[queue].fields)) {
        json_value_destroy(document);
        document = NULL;
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory for a job");
    }
    lookup->fn(lookup->context, document, document == NULL ? &err : NULL);
    lookup_destroy(lookup);
}

static void on_document(void *context, struct store_result *result)
{
    struct job_lookup *lookup = context;

    if (result->code == ERR_OK) {
        lookup->document = result->document;
        result->document = NULL;
    } else {
        lookup->store_err = result->err;
    }
    answer_when_complete(lookup);
}

static void on_fields(void *context, struct json *fields, const struct err *err)
{
    struct queue_answer *answer = context;

    (void)err; /* without a HASH the document is the answer, whatever the reason */
    answer->fields = fields;
    answer_when_complete(answer->lookup);
}

void job_lookup_start(const struct services *services, const char *id, job_lookup_fn fn, void *context)
{
    const struct job_queue_names *queues = queue_client_queues(services->queue);
    struct job_lookup *lookup = mem_zeroed(1, sizeof *lookup);

    if (lookup == NULL) {
        struct err err;

        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to look a job up");
        fn(context, NULL, &err);
        return;
    }
    lookup->services = services;
    lookup->fn = fn;
    lookup->context = context;
    str_copy(lookup->id, sizeof lookup->id, id);
    lookup->pending = 1 + queues->count;
    if (store_client_get(services->store, id, on_document, lookup, &lookup->store_err) != ERR_OK)
        lookup->pending--;
    for (size_t i = 0; i < queues->count; i++) {
        lookup->answers[i].lookup = lookup;
        queue_client_describe(services->queue, queues->names[i], id, on_fields, &lookup->answers[i]);
    }
}
