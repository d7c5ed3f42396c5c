#include "gateway/job_lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/job/job.h"
#include "gateway/job_overlay.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"
#include "gateway/store_client.h"

struct job_lookup {
    const struct services *services;
    char id[JOB_ID_BYTES];
    int pending;           /* answers to come, of the store and of the queue */
    struct json *document; /* of the store */
    struct err store_err;  /* where there is no document */
    struct json *fields;   /* of the queue's HASH */
    job_lookup_fn fn;
    void *context;
};

static void lookup_destroy(struct job_lookup *lookup)
{
    json_value_destroy(lookup->document);
    json_value_destroy(lookup->fields);
    free(lookup);
}

static void answer_when_complete(struct job_lookup *lookup)
{
    struct json *document = lookup->document;
    struct err err = lookup->store_err;

    if (--lookup->pending > 0)
        return;
    lookup->document = NULL;
    if (document == NULL && lookup->fields != NULL) {
        document = job_overlay_document(lookup->id, lookup->services->settings->job.queue_name, lookup->fields);
        if (document == NULL)
            (void)ERR_SET(&err, ERR_INTERNAL, "the queue's record of job %s cannot be read", lookup->id);
    } else if (document != NULL && lookup->fields != NULL && !job_overlay_apply(document, lookup->fields)) {
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
    struct job_lookup *lookup = context;

    (void)err; /* without a HASH the document is the answer, whatever the reason */
    lookup->fields = fields;
    answer_when_complete(lookup);
}

void job_lookup_start(const struct services *services, const char *id, job_lookup_fn fn, void *context)
{
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
    (void)snprintf(lookup->id, sizeof lookup->id, "%s", id);
    lookup->pending = 2;
    if (store_client_get(services->store, id, on_document, lookup, &lookup->store_err) != ERR_OK)
        lookup->pending--;
    queue_client_describe(services->queue, id, on_fields, lookup);
}
