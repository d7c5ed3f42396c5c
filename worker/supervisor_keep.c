#include "worker/supervisor_keep.h"

#include "common/base/clock.h"
#include "common/base/log.h"

struct json *supervisor_keep_document(const struct json *report, const struct job_queue_lease *lease, bool succeeded)
{
    struct clock_source clock = clock_system();
    struct json *document = json_value_dup(report);

    if (document == NULL)
        return NULL;
    if ((!succeeded && !json_value_set_bool(document, "published", false)) ||
        !json_value_set_text(document, "type", job_type_name(lease->type)) ||
        !json_value_set_text(document, "namespace", lease->shop) ||
        !json_value_set_int(document, "attempt", lease->attempt) ||
        !job_document_set_time(document, "created_at", clock_unix_ms(&clock))) {
        json_value_destroy(document);
        return NULL;
    }
    return document;
}

static enum err_code keep_work(struct job_store *store, void *context, struct err *err)
{
    const struct supervisor_keep *keep = context;
    struct json *document = supervisor_keep_document(keep->report, keep->lease, false);
    bool applied;
    enum err_code rc = document != NULL ? job_store_put_report(store, keep->lease->entry.job_id, keep->lease->fence,
                                                               document, &applied, err)
                                        : ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");

    json_value_destroy(document);
    return rc;
}

static void start(struct supervisor_keep *keep, struct json *report);

static void on_kept(void *context, enum err_code rc, const struct err *err)
{
    struct supervisor_keep *keep = context;
    struct json *next = keep->waiting;

    if (rc != ERR_OK)
        log_debug("job.report_not_kept", log_text("message", err->message));
    json_value_destroy(keep->report);
    keep->report = NULL;
    keep->waiting = NULL;
    keep->is_busy = false;
    if (next != NULL)
        start(keep, next);
    else
        keep->on_idle(keep->context);
}

static void start(struct supervisor_keep *keep, struct json *report)
{
    keep->report = report;
    keep->is_busy = true;
    keep->call = (struct supervisor_store_call){.work = keep_work, .done = on_kept, .context = keep};
    supervisor_store_submit(keep->store, &keep->call);
}

void supervisor_keep_take(struct supervisor_keep *keep, struct json *report)
{
    if (!keep->is_busy) {
        start(keep, report);
        return;
    }
    json_value_destroy(keep->waiting);
    keep->waiting = report;
}
