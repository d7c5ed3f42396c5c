#include "worker/pipeline/job_run.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "worker/pipeline/counts.h"
#include "worker/pipeline/dump.h"

void job_run_add_dropped(struct report_stage *stage, const char *reason, size_t count)
{
    if (stage->dropped == NULL)
        stage->dropped = json_value_new_object();
    if (count > 0)
        (void)json_value_set_int(stage->dropped, reason, (int64_t)count);
}

static double seconds_since(const struct clock_source *clock, int64_t start_ms)
{
    return (double)(clock_monotonic_ms(clock) - start_ms) / 1000;
}

/* Runs one stage and reports it, failed or not. */
static enum err_code run_stage(struct job_run *run, const struct job_stage *planned, void *job, struct err *err)
{
    struct clock_source clock = clock_system();
    int64_t start_ms = clock_monotonic_ms(&clock);
    struct report_stage stage = {.name = planned->name};
    enum err_code rc;

    if (!progress_report(&run->inputs->progress, planned->name, 0, NULL))
        return ERR_SET(err, ERR_CANCELLED, "cancelled before %s", planned->name);
    rc = planned->fn(job, &stage, err);
    stage.seconds = seconds_since(&clock, start_ms);
    if (rc != ERR_OK)
        (void)snprintf(stage.notes, sizeof stage.notes, "failed");
    report_add_stage(run->report, &stage);
    if (rc == ERR_OK) /* who asks to stop now is heard before the next stage; after the last it is too late */
        (void)progress_report(&run->inputs->progress, planned->name, 1, stage.notes);
    return rc;
}

static enum err_code run_stages(struct job_run *run, const struct job_plan *plan, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (run->inputs->dump_dir != NULL)
        rc = dump_prepare(run->inputs->dump_dir, err);
    if (rc != ERR_OK)
        report_set_error(run->report, "dump", err);
    for (size_t i = 0; rc == ERR_OK && i < plan->stage_count; i++) {
        rc = run_stage(run, &plan->stages[i], plan->job, err);
        if (rc != ERR_OK)
            report_set_error(run->report, plan->stages[i].name, err);
    }
    return rc;
}

/* The dump of a run that failed is what there is to find out why, but its own failure does not hide the first. */
static enum err_code dump_end(const struct job_run *run, enum err_code rc, struct err *err)
{
    const char *dir = run->inputs->dump_dir;
    struct err first = {0};
    enum err_code dump_rc;

    if (dir == NULL)
        return rc;
    dump_rc = dump_json(dir, "counts.json", run->counts, &first);
    if (dump_rc == ERR_OK)
        dump_rc = dump_json(dir, "report.json", run->report, &first);
    if (rc == ERR_OK && dump_rc != ERR_OK)
        return ERR_SET(err, dump_rc, "%s", first.message);
    return rc;
}

enum err_code job_run_stages(struct json **report, struct job_run *run, const struct job_plan *plan, struct err *err)
{
    struct clock_source clock = clock_system();
    int64_t start_ms = clock_monotonic_ms(&clock);
    struct err own = {0};
    enum err_code rc;

    if (err == NULL)
        err = &own; /* the report tells the error too */
    *report = NULL;
    run->report = NULL;
    run->counts = NULL;
    rc = report_create(&run->report, plan->type, plan->now_s, err);
    if (rc == ERR_OK)
        rc = counts_create(&run->counts, err);
    if (rc == ERR_OK)
        rc = run_stages(run, plan, err);
    if (run->counts != NULL)
        report_set_counts(run->report, run->counts);
    if (run->report != NULL) {
        report_finish(run->report, seconds_since(&clock, start_ms));
        rc = dump_end(run, rc, err);
    }
    *report = run->report;
    json_value_destroy(run->counts);
    run->counts = NULL;
    return rc;
}
