/*
 * The kinds of jobs: each makes parameters of the settings and the request, runs its pipeline, and leaves report,
 * result and backend in *end.
 */
#ifndef WORKER_RUN_KIND_H
#define WORKER_RUN_KIND_H

#include "common/base/err.h"
#include "worker/child_line.h"
#include "worker/pipeline/id_table.h"
#include "worker/pipeline/job_run.h"
#include "worker/run_job.h"
#include "worker/settings.h"

/* Borrowed for the call. */
struct run_kind_context {
    const struct worker_settings *settings;
    const struct run_job_request *request;
    const struct job_inputs *inputs;
    const struct id_table *excluded; /* users; NULL: none */
};

typedef enum err_code (*run_kind_fn)(struct child_end *end, const struct run_kind_context *context, struct err *err);

enum err_code run_homepage(struct child_end *end, const struct run_kind_context *context, struct err *err) MUST_CHECK;
enum err_code run_cross_sell(struct child_end *end, const struct run_kind_context *context, struct err *err) MUST_CHECK;
enum err_code run_search(struct child_end *end, const struct run_kind_context *context, struct err *err) MUST_CHECK;
enum err_code run_warehouse(struct child_end *end, const struct run_kind_context *context, struct err *err) MUST_CHECK;

#endif
