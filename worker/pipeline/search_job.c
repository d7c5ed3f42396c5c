#include "worker/pipeline/search_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/pipeline/free_memory.h"
#include "worker/pipeline/holdout_split.h"
#include "worker/pipeline/measure.h"
#include "worker/pipeline/report.h"
#include "worker/pipeline/search_identity.h"
#include "worker/pipeline/search_report.h"

enum { BACKEND_BYTES = 64, NOTE_BYTES = 160 };

static const double TRAIN_FRACTION = 0.8;
static const size_t list_lengths[] = {SEARCH_K, SEARCH_SHORT_K};
static const char *const validation_names[] = {"time", "random", "last_out"};

/* One run: what the stages hand on to one another. */
struct job {
    const struct search_params *params;
    struct job_run run;
    struct clock_source clock;
    int64_t start_ms;
    struct fetch_result fetch;
    struct holdout holdout;
    struct measure measure;
    struct search_result *results;
    size_t count;
    struct als_model model; /* of the combination before, where the next goes on from it; else empty */
    double whole;           /* cost of all combinations that are to be trained */
    double behind;          /* of those that ended */
    double now;             /* of the one that is trained, and its iterations */
    int iterations;
    char note[NOTE_BYTES];
    bool unkept; /* the report has something that was not kept yet */
    int64_t kept_ms;
};

static struct search_report report_of(const struct job *job)
{
    const struct search_params *params = job->params;

    return (struct search_report){.validation = validation_names[params->validation],
                                  .bm25_before = params->bm25_before,
                                  .holdout = &job->holdout,
                                  .seed = params->als.seed,
                                  .search_seed = params->search_seed,
                                  .grid = &params->grid,
                                  .results = job->results,
                                  .count = job->count,
                                  .given = params->given};
}

static double seconds_since(const struct job *job, int64_t start_ms)
{
    return (double)(clock_monotonic_ms(&job->clock) - start_ms) / 1000;
}

/* Stages before the search */

/* What comes in while an earlier attempt runs, or lies, is not in the next one's data: both end at `now`. */
static size_t drop_newer_rows(struct interactions *rows, int64_t now_s, struct err *err, enum err_code *rc)
{
    uint8_t *keep = mem_zeroed(rows->count, 1);
    size_t before = rows->count;

    *rc = keep != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu rows", rows->count);
    for (size_t i = 0; keep != NULL && i < rows->count; i++)
        keep[i] = rows->created[i] < now_s;
    if (keep != NULL)
        interactions_filter(rows, keep);
    free(keep);
    return before - rows->count;
}

static enum err_code run_fetch(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    enum err_code rc = job_rows_fetch(&job->run, &job->fetch, &job->params->rows, stage, err);

    if (rc != ERR_OK)
        return rc;
    job_run_add_dropped(stage, "not_before_now",
                        drop_newer_rows(&job->fetch.rows, job->params->rows.fetch.now_s, err, &rc));
    stage->rows_out = job->fetch.rows.count;
    return rc;
}

static enum err_code run_outliers(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;

    return job_rows_outliers(&job->run, &job->fetch, &job->params->rows, stage, err);
}

static enum err_code split_by_time(struct job *job, struct err *err)
{
    const struct holdout_params params = {
        .test_days = job->params->test_days, .weigh = job->params->weigh, .matrix = job->params->matrix};

    enum err_code rc = holdout_make(&job->holdout, &job->fetch.rows, &params, err);

    if (rc == ERR_OK && job->holdout.days < params.test_days)
        report_add_warning(job->run.report, "%d days are held out, not %d: that would be more than a quarter of all",
                           job->holdout.days, params.test_days);
    return rc;
}

static enum err_code split_matrix(struct job *job, struct err *err)
{
    const struct holdout_split_params params = {.bm25_before = job->params->bm25_before,
                                                .train_fraction = TRAIN_FRACTION,
                                                .seed = job->params->search_seed,
                                                .matrix = job->params->matrix};
    struct pairs pairs = {0};
    struct matrix matrix = {0};
    enum err_code rc = weigh_run(&pairs, &job->fetch.rows, &job->params->weigh, err);

    if (rc == ERR_OK)
        rc = matrix_build(&matrix, &pairs, &job->params->matrix, err);
    pairs_fini(&pairs);
    if (rc == ERR_OK && job->params->validation == SEARCH_RANDOM)
        rc = holdout_random(&job->holdout, &matrix, &params, err);
    else if (rc == ERR_OK)
        rc = holdout_last_out(&job->holdout, &matrix, &job->fetch.rows, &params, err);
    matrix_fini(&matrix);
    return rc;
}

/* The results of an earlier attempt, where they are of the same data. */
static size_t resume(struct job *job, const char *data)
{
    const struct json *earlier = job->params->earlier;
    const char *before = json_value_get_text(earlier, "data");

    if (job->params->not_resumed != NULL)
        report_add_warning(job->run.report, "an earlier attempt's results are not taken over: %s",
                           job->params->not_resumed);
    if (before != NULL && strcmp(before, data) == 0)
        return search_results_take(job->results, job->count, json_value_get(earlier, "all_results"));
    if (before != NULL)
        report_add_warning(job->run.report, "an earlier attempt's results are not taken over: the data are not the "
                                            "same any more, so every combination is tried anew");
    return 0;
}

static enum err_code choose_points(struct job *job, struct err *err)
{
    const struct search_params *params = job->params;
    const struct search_point usual = search_point_of(&params->als);
    struct search_point *points;
    enum err_code rc = search_grid_draw(&points, &job->count, &params->grid, &usual, params->most_combinations,
                                        params->search_seed, err);

    if (rc != ERR_OK)
        return rc;
    job->results = mem_zeroed(job->count, sizeof *job->results);
    for (size_t i = 0; job->results != NULL && i < job->count; i++)
        job->results[i] = (struct search_result){.point = points[i], .usual = search_point_equal(&points[i], &usual)};
    free(points);
    return job->results != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu combinations", job->count);
}

static enum err_code prepare(struct job *job, struct report_stage *stage, struct err *err)
{
    char data[SEARCH_IDENTITY_BYTES];
    size_t taken;
    int length;
    enum err_code rc = measure_init(&job->measure, &job->holdout, job->params->als.threads, err);

    if (rc == ERR_OK)
        rc = search_identity(data, &job->holdout, &job->params->als, err);
    if (rc == ERR_OK)
        rc = choose_points(job, err);
    if (rc != ERR_OK)
        return rc;
    taken = resume(job, data);
    stage->rows_out = job->holdout.train.pairs;
    length = snprintf(stage->notes, sizeof stage->notes, "%zu values to train on, %zu to foretell",
                      job->holdout.train.pairs, csr_nonzeros(&job->holdout.test));
    if (taken > 0 && length > 0 && (size_t)length < sizeof stage->notes)
        (void)snprintf(stage->notes + length, sizeof stage->notes - (size_t)length,
                       "; %zu of %zu combinations had ended in an earlier attempt", taken, job->count);
    report_set_matrix(job->run.report, &job->holdout.train);
    (void)json_value_set_text(job->run.report, "data", data);
    (void)json_value_set_bool(job->run.report, "resumable", true);
    return ERR_OK;
}

static enum err_code run_split(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    enum err_code rc;

    stage->rows_in = job->fetch.rows.count;
    rc = job->params->validation == SEARCH_BY_TIME ? split_by_time(job, err) : split_matrix(job, err);
    if (rc == ERR_OK && !matrix_has_values(&job->holdout.train))
        rc = ERR_SET(err, ERR_NO_DATA,
                     "Each of the %zu users has at least half of the %zu products: there is nothing "
                     "to tell one from another by.",
                     job->holdout.train.users, job->holdout.train.products);
    interactions_fini(&job->fetch.rows);
    return rc == ERR_OK ? prepare(job, stage, err) : rc;
}

/* The search */

/* Who looks meanwhile, and a next attempt, see the report as it is. */
static void keep(struct job *job)
{
    int64_t now_ms = clock_monotonic_ms(&job->clock);

    if (!job->unkept || (job->kept_ms != 0 && now_ms - job->kept_ms < job->params->keep_every_ms))
        return;
    job->kept_ms = now_ms;
    report_finish(job->run.report, seconds_since(job, job->start_ms));
    job->unkept = !progress_keep(&job->run.inputs->progress, job->run.report);
}

static bool continues(const struct job *job, size_t i)
{
    return job->params->warm_start && job->params->als.tolerance == 0 && !job->params->als.acceleration && i > 0 &&
           search_point_continues(&job->results[i].point, &job->results[i - 1].point);
}

/* As is to be expected; where what a combination was to go on from fails it takes longer. */
static double cost_of(const struct job *job, size_t i)
{
    const struct search_point *point = &job->results[i].point;
    int iterations = point->iterations;

    if (continues(job, i) && !job->results[i - 1].reused)
        iterations -= job->results[i - 1].point.iterations;
    return job->results[i].reused ? 0 : (double)point->factors * iterations;
}

static bool report_progress(struct job *job, double part)
{
    double whole = job->whole > 0 ? job->whole : 1;

    return progress_report(&job->run.inputs->progress, "search", (job->behind + part * job->now) / whole, job->note);
}

static bool on_iteration(void *context, int iteration, double loss)
{
    struct job *job = context;

    (void)loss;
    keep(job);
    return report_progress(job, (double)iteration / job->iterations);
}

/* Its model stays where the next combination goes on from it. */
static enum err_code train(struct job *job, struct search_result *result, struct err *err)
{
    const struct als_observer observer = {.on_iteration = on_iteration, .context = job};
    const struct als_start start = {.x = job->model.x, .y = job->model.y};
    struct als_params als = job->params->als;
    struct als_model model;
    double *loss;
    enum err_code rc;

    search_point_apply(&als, &result->point);
    als.iterations -= result->continued_from;
    als.memory_limit = free_memory_read("");
    job->iterations = als.iterations;
    loss = mem_zeroed((size_t)als.iterations, sizeof *loss);
    if (loss == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the losses of %d iterations", als.iterations);
    rc = als_train_from(&model, &job->holdout.train.values, &als, &start, &observer, loss, err);
    als_model_fini(&job->model);
    job->model = model;
    for (int i = 0; rc == ERR_OK && i < als.iterations && loss[i] == loss[i]; i++) /* behind `tolerance` it is NAN */
        result->loss = loss[i];
    free(loss);
    return rc;
}

static enum err_code try_point(struct job *job, struct search_result *result, struct err *err)
{
    struct evaluate_metrics metrics[2];
    int64_t start_ms = clock_monotonic_ms(&job->clock);
    enum err_code rc = train(job, result, err);

    if (rc == ERR_OK)
        rc = measure_model(metrics, list_lengths, 2, &job->measure, &job->model, err);
    if (rc == ERR_CANCELLED || rc == ERR_DEVICE_LOST)
        return rc;
    result->seconds = seconds_since(job, start_ms);
    result->has_ended = true;
    result->failed = rc != ERR_OK;
    if (rc != ERR_OK) {
        result->err = *err;
        result->err.code = rc;
        als_model_fini(&job->model);
        return ERR_OK;
    }
    result->metrics = search_metrics_of(&metrics[0], &metrics[1]);
    result->score = search_score(&result->metrics);
    return ERR_OK;
}

static void write_note(struct job *job, size_t i)
{
    const struct search_point *point = &job->results[i].point;
    size_t best = search_results_best(job->results, job->count);
    int length =
        snprintf(job->note, sizeof job->note, "%zu of %zu: %s, %d factors, regularization %g, alpha %g, %d iterations",
                 i + 1, job->count, report_solver_name(point->solver), point->factors, point->regularization,
                 point->alpha, point->iterations);

    if (best < job->count && length > 0 && (size_t)length < sizeof job->note)
        (void)snprintf(job->note + length, sizeof job->note - (size_t)length, "; best so far %.4f",
                       job->results[best].score);
}

static enum err_code run_combination(struct job *job, size_t i, struct err *err)
{
    struct search_result *result = &job->results[i];
    const struct search_report report = report_of(job);
    enum err_code rc;

    result->continued_from = job->model.y != NULL ? job->results[i - 1].point.iterations : 0;
    job->now = cost_of(job, i);
    write_note(job, i);
    if (!report_progress(job, 0))
        return ERR_SET(err, ERR_CANCELLED, "cancelled before combination %zu of %zu", i + 1, job->count);
    rc = try_point(job, result, err);
    if (rc != ERR_OK)
        return rc;
    if (i + 1 == job->count || job->results[i + 1].has_ended || !continues(job, i + 1))
        als_model_fini(&job->model);
    job->behind += job->now;
    job->now = 0;
    search_report_add(job->run.report, &report, result);
    job->unkept = true;
    keep(job);
    return ERR_OK;
}

static enum err_code measure_baselines(struct job *job, struct err *err)
{
    for (unsigned i = 0; i < BASELINE_COUNT; i++) {
        const char *name = baseline_name((enum baseline)i);
        struct evaluate_metrics metrics[2];
        struct search_metrics figures = {0};
        struct err why;
        enum err_code rc;

        (void)snprintf(job->note, sizeof job->note, "baseline %s", name);
        if (!report_progress(job, 0))
            return ERR_SET(err, ERR_CANCELLED, "cancelled before the baseline %s", name);
        rc = measure_baseline(metrics, list_lengths, 2, &job->measure, (enum baseline)i, &why);
        if (rc == ERR_OK)
            figures = search_metrics_of(&metrics[0], &metrics[1]);
        search_report_add_baseline(job->run.report, name, &figures, rc == ERR_OK ? NULL : why.message);
    }
    job->unkept = true;
    keep(job);
    return ERR_OK;
}

/* Those of an earlier attempt stand first in the list. */
static void add_reused(struct job *job)
{
    const struct search_report report = report_of(job);

    for (size_t i = 0; i < job->count; i++) {
        job->whole += cost_of(job, i);
        if (job->results[i].reused)
            search_report_add(job->run.report, &report, &job->results[i]);
    }
}

static enum err_code run_all(struct job *job, struct err *err)
{
    enum err_code rc = measure_baselines(job, err);

    for (size_t i = 0; rc == ERR_OK && i < job->count; i++) {
        if (!job->results[i].has_ended)
            rc = run_combination(job, i, err);
    }
    return rc;
}

/* Where nothing could be trained the first error tells why. */
static enum err_code conclude(struct job *job, struct report_stage *stage, struct err *err)
{
    const struct search_report report = report_of(job);
    size_t best = search_results_best(job->results, job->count);

    if (best == job->count)
        return ERR_SET(err, job->results[0].err.code, "none of the %zu combinations could be tried: %s", job->count,
                       job->results[0].err.message);
    if (json_value_get(job->run.report, "best_params") == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the best of %zu combinations", job->count);
    search_report_warn(job->run.report, &report);
    (void)snprintf(stage->notes, sizeof stage->notes, "best score %.4f", job->results[best].score);
    json_value_remove(job->run.report, "resumable"); /* there is nothing left to do */
    return ERR_OK;
}

static enum err_code run_search(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const struct search_report report = report_of(job);
    char backend[BACKEND_BYTES] = "";
    enum err_code rc;

    stage->rows_in = job->count;
    als_describe_backend(job->params->als.backend, backend, sizeof backend);
    (void)json_value_set_text(job->run.report, "backend", backend);
    (void)json_value_set_bool(job->run.report, "partial", true);
    search_report_begin(job->run.report, &report);
    add_reused(job);
    rc = run_all(job, err);
    for (size_t i = 0; i < job->count; i++)
        stage->rows_out += job->results[i].has_ended && !job->results[i].failed;
    json_value_remove(job->run.report, "partial");
    return rc == ERR_OK ? conclude(job, stage, err) : rc;
}

/* A run that fails before it came to the results of an earlier one passes them on to the next. */
static void pass_on(struct json *report, const struct json *earlier)
{
    static const char *const members[] = {"data",        "grid",        "test_info",  "baselines",
                                          "all_results", "best_params", "best_score", "resumable"};
    const char *data = json_value_get_text(report, "data");
    const char *before = json_value_get_text(earlier, "data");

    if (before == NULL || json_value_get(report, "all_results") != NULL || (data != NULL && strcmp(data, before) != 0))
        return;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (json_value_get(earlier, members[i]) != NULL)
            (void)json_value_set(report, members[i], json_value_dup(json_value_get(earlier, members[i])));
    }
}

static void job_fini(struct job *job)
{
    als_model_fini(&job->model);
    free(job->results);
    measure_fini(&job->measure);
    holdout_fini(&job->holdout);
    fetch_result_fini(&job->fetch);
}

enum err_code search_job_run(struct json **report, const struct search_params *params, const struct job_inputs *inputs,
                             struct err *err)
{
    static const struct job_stage stages[] = {
        {"fetch", run_fetch}, {"outliers", run_outliers}, {"split", run_split}, {"search", run_search}};
    struct job job = {.params = params, .run = {.inputs = inputs}, .clock = clock_system()};
    const struct job_plan plan = {.type = "hyperparameter_search",
                                  .now_s = params->rows.fetch.now_s,
                                  .stages = stages,
                                  .stage_count = sizeof stages / sizeof stages[0],
                                  .job = &job};
    enum err_code rc;

    job.start_ms = clock_monotonic_ms(&job.clock);
    rc = job_run_stages(report, &job.run, &plan, err);
    if (*report != NULL && rc != ERR_OK)
        pass_on(*report, params->earlier);
    job_fini(&job);
    return rc;
}
