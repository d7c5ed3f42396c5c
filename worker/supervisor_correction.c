#include "worker/supervisor_correction.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

struct correction {
    struct supervisor_store_call call;
    char id[JOB_ID_BYTES];
    int64_t fence;
    struct json *changes;
};

static enum err_code correction_work(struct job_store *store, void *context, struct err *err)
{
    const struct correction *correction = context;
    bool applied;

    return job_store_update(store, correction->id, correction->fence, correction->changes, &applied, err);
}

static void on_corrected(void *context, enum err_code rc, const struct err *err)
{
    struct correction *correction = context;

    if (rc != ERR_OK)
        log_err("job.document_is_behind", err);
    json_value_destroy(correction->changes);
    free(correction);
}

static struct json *make_error(void)
{
    struct json *error = json_value_new_object();

    if (error != NULL && json_value_set_text(error, "code", err_code_name(ERR_INTERNAL)) &&
        json_value_set_text(error, "message", "its worker was lost too often") &&
        json_value_set_bool(error, "transient", false))
        return error;
    json_value_destroy(error);
    return NULL;
}

static struct json *make_changes(enum job_state state)
{
    struct clock_source clock = clock_system();
    struct json *changes = json_value_new_object();

    if (changes != NULL && json_value_set_text(changes, "state", job_state_name(state)) &&
        job_document_set_time(changes, "finished_at", clock_unix_ms(&clock)) &&
        (state != JOB_DEAD || json_value_set(changes, "error", make_error())))
        return changes;
    json_value_destroy(changes);
    return NULL;
}

void supervisor_correction_start(struct supervisor_store *store, const char *id, int64_t fence, enum job_state state)
{
    struct correction *correction = mem_zeroed(1, sizeof *correction);
    struct json *changes = make_changes(state);

    if (correction == NULL || changes == NULL) {
        log_error("job.document_is_behind", log_text("job", id), log_text("message", "no memory to correct it"));
        json_value_destroy(changes);
        free(correction);
        return;
    }
    *correction = (struct correction){.call = {.work = correction_work, .done = on_corrected, .context = correction},
                                      .fence = fence,
                                      .changes = changes};
    str_copy(correction->id, sizeof correction->id, id);
    supervisor_store_submit(store, &correction->call);
}
