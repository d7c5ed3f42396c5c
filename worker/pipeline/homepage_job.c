#include "worker/pipeline/homepage_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/pipeline/counts.h"
#include "worker/pipeline/dump.h"
#include "worker/pipeline/free_memory.h"
#include "worker/pipeline/report.h"
#include "worker/pipeline/report_samples.h"
#include "worker/pipeline/warm_start.h"

enum {
    BACKEND_BYTES = 64,
    PROGRESS_NOTE_BYTES = 80,
    STAGE_NOTE_BYTES = 70,
    EVALUATION_FACTORS = 256, /* shows what 800 are worth, at a quarter of the time; 64 show half of it */
    EVALUATION_USERS = 5000
};

/* One run: what the stages hand on to one another. Each part is freed when no later stage needs it. */
struct job {
    const struct homepage_params *params;
    struct job_run run;
    struct fetch_result fetch;
    struct holdout holdout;
    char no_holdout[REPORT_NOTES_BYTES]; /* why there is none; "": there is */
    struct pairs pairs;
    struct matrix matrix;
    struct als_params als; /* as trained: a warm start takes fewer iterations */
    double *loss;          /* als.iterations */
    size_t losses;
    struct als_model model;
    struct recommendations recommendations;
    size_t busiest_user; /* of the matrix: with most interactions */
};

static enum err_code run_fetch(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;

    return job_rows_fetch(&job->run, &job->fetch, &job->params->rows, stage, err);
}

static enum err_code run_outliers(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;

    return job_rows_outliers(&job->run, &job->fetch, &job->params->rows, stage, err);
}

static enum err_code run_analytics(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;

    return job_rows_analytics(&job->run, &job->fetch, &job->params->analytics, stage, err);
}

/* What is held out has to be taken while there are rows. Without it the run goes on all the same. */
static void hold_out(struct job *job)
{
    const struct homepage_params *params = job->params;
    const struct holdout_params holdout = {.test_days = params->evaluation_days,
                                           .most_users = EVALUATION_USERS,
                                           .weigh = params->weigh,
                                           .matrix = params->matrix};
    struct err err = {0};

    if (params->evaluation_days == 0)
        (void)snprintf(job->no_holdout, sizeof job->no_holdout, "off: EVALUATION_DAYS is 0");
    else if (holdout_make(&job->holdout, &job->fetch.rows, &holdout, &err) != ERR_OK)
        (void)snprintf(job->no_holdout, sizeof job->no_holdout, "%.*s", REPORT_NOTES_BYTES - 1, err.message);
}

static enum err_code run_weigh(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    enum err_code rc;

    stage->rows_in = job->fetch.rows.count;
    rc = weigh_run(&job->pairs, &job->fetch.rows, &job->params->weigh, err);
    if (rc != ERR_OK)
        return rc;
    hold_out(job);
    interactions_drop_rows(&job->fetch.rows); /* the pairs borrow the users' ids */
    stage->rows_out = job->pairs.count;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu users, %zu products", job->pairs.users, job->pairs.products);
    return counts_add_pairs(job->run.counts, &job->pairs, err);
}

/* Both lists of users ascend, and the matrix has some of those of the pairs: the same texts but not the same copies. */
static size_t find_busiest_user(const struct pairs *pairs, const struct matrix *matrix)
{
    size_t busiest = 0;
    uint32_t most = 0;

    for (size_t place = 0, user = 0; user < matrix->users; place++) {
        if (strcmp(pairs->user_uids[place], matrix->user_uids[user]) != 0)
            continue;
        if (pairs->user_rows[place] > most) {
            most = pairs->user_rows[place];
            busiest = user;
        }
        user++;
    }
    return busiest;
}

static enum err_code run_matrix(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const char *dump_dir = job->run.inputs->dump_dir;
    enum err_code rc;

    stage->rows_in = job->pairs.count;
    rc = matrix_build(&job->matrix, &job->pairs, &job->params->matrix, err);
    if (rc != ERR_OK)
        return rc;
    stage->rows_out = job->matrix.pairs;
    job_run_add_dropped(stage, "below_thresholds", job->pairs.count - job->matrix.pairs);
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu users, %zu products", job->matrix.users,
                   job->matrix.products);
    job->busiest_user = find_busiest_user(&job->pairs, &job->matrix);
    pairs_fini(&job->pairs);
    interactions_fini(&job->fetch.rows);
    report_set_matrix(job->run.report, &job->matrix);
    rc = counts_add_matrix(job->run.counts, &job->matrix, &job->fetch.catalogue, err);
    if (rc == ERR_OK && !matrix_has_values(&job->matrix))
        rc = ERR_SET(err, ERR_NO_DATA,
                     "Each of the %zu users has at least half of the %zu products: there is nothing "
                     "to tell one from another by.",
                     job->matrix.users, job->matrix.products);
    return rc == ERR_OK && dump_dir != NULL ? dump_matrix(dump_dir, &job->matrix, err) : rc;
}

static bool on_iteration(void *context, int iteration, double loss)
{
    struct job *job = context;
    int iterations = job->als.iterations;
    char note[PROGRESS_NOTE_BYTES];

    report_add_loss(job->run.report, loss);
    job->losses = (size_t)iteration;
    (void)snprintf(note, sizeof note, "iteration %d of %d, loss %.4g", iteration, iterations, loss);
    return progress_report(&job->run.inputs->progress, "als", (double)iteration / iterations, note);
}

static enum err_code train(struct job *job, struct report_stage *stage, struct warm_start *start, struct err *err)
{
    const struct als_observer observer = {.on_iteration = on_iteration, .context = job};
    const struct als_start factors = {.x = start->x, .y = start->y};
    char backend[BACKEND_BYTES] = "";
    enum err_code rc;

    if (start->y != NULL && job->params->warm_iterations < job->als.iterations)
        job->als.iterations = job->params->warm_iterations;
    job->loss = mem_zeroed((size_t)job->als.iterations, sizeof *job->loss);
    if (job->loss == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the losses of %d iterations", job->als.iterations);
    als_describe_backend(job->als.backend, backend, sizeof backend);
    report_set_als(job->run.report, &job->als, backend);
    rc = als_train_from(&job->model, &job->matrix.values, &job->als, &factors, &observer, job->loss, err);
    if (rc == ERR_OK)
        (void)snprintf(stage->notes, sizeof stage->notes, "%s, loss %.6g; %.*s", backend, job->loss[job->losses - 1],
                       STAGE_NOTE_BYTES, start->note);
    return rc;
}

/* The factors are worth keeping, not failing for. */
static void keep_factors(struct job *job)
{
    const struct job_inputs *inputs = job->run.inputs;
    struct err err;

    if (inputs->factors != NULL && job->params->warm_start &&
        warm_start_save(inputs->factors, inputs->source.identity, &job->matrix, &job->als, &job->model, &err) != ERR_OK)
        report_add_warning(job->run.report, "the factors are not kept, so the next run starts cold: %s", err.message);
}

static enum err_code run_als(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const struct job_inputs *inputs = job->run.inputs;
    const char *dump_dir = job->run.inputs->dump_dir;
    struct warm_start start = {.note = "cold start"};
    enum err_code rc = ERR_OK;

    job->als = job->params->als;
    job->als.memory_limit = free_memory_read("");
    if (job->als.iterations < 1)
        return ERR_SET(err, ERR_ARGUMENT, "iterations is %d; it must be at least 1", job->als.iterations);
    stage->rows_in = job->matrix.pairs;
    if (inputs->factors != NULL && job->params->warm_start)
        rc = warm_start_load(&start, inputs->factors, inputs->source.identity, &job->matrix, &job->als, err);
    if (rc == ERR_OK)
        rc = train(job, stage, &start, err);
    warm_start_fini(&start);
    if (rc != ERR_OK)
        return rc;
    stage->rows_out = job->model.users + job->model.items;
    keep_factors(job);
    return dump_dir != NULL ? dump_als(dump_dir, &job->matrix, &job->als, job->loss, job->losses, err) : ERR_OK;
}

static enum err_code run_recommend(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const char *dump_dir = job->run.inputs->dump_dir;
    struct report_samples samples = {.matrix = &job->matrix,
                                     .catalogue = &job->fetch.catalogue,
                                     .recommendations = &job->recommendations,
                                     .user = job->params->sample_user,
                                     .product = job->params->sample_product,
                                     .fallback_user = job->busiest_user};
    enum err_code rc = recommend_run(&job->recommendations, &job->matrix, &job->fetch.catalogue, &job->model,
                                     &job->params->recommend, err);

    if (rc != ERR_OK)
        return rc;
    als_model_fini(&job->model);
    stage->rows_in = job->matrix.users + job->matrix.products;
    stage->rows_out = job->recommendations.users.rows + job->recommendations.similar.rows;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu of %zu products recommendable",
                   job->recommendations.recommendable, job->matrix.products);
    if (job->recommendations.recommendable == 0)
        report_add_warning(job->run.report, "none of the %zu products may be recommended: all lists are empty",
                           job->matrix.products);
    report_samples_set(job->run.report, &samples);
    return dump_dir != NULL ? dump_recommendations(dump_dir, &job->matrix, &job->recommendations, err) : ERR_OK;
}

static bool on_evaluation_iteration(void *context, int iteration, double loss)
{
    struct job *job = context;

    (void)loss;
    return progress_report(&job->run.inputs->progress, "evaluate",
                           (double)iteration / (job->params->als.iterations + 1), NULL);
}

static void warn_of_loser(struct job *job, const struct evaluation_entry *als, const struct evaluation_entry *other)
{
    if (other->measured && als->measured && als->metrics.ndcg < other->metrics.ndcg)
        report_add_warning(job->run.report,
                           "on the days held out %s foretells better than ALS: NDCG@%d %.3f against %.3f. Other "
                           "parameters (regularization first) may serve this shop better",
                           other->name, EVALUATION_K, other->metrics.ndcg, als->metrics.ndcg);
}

/* A small model of the same parameters, on the newest days held out. What fails here is no reason not to publish. */
static enum err_code run_evaluate(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const struct als_observer observer = {.on_iteration = on_evaluation_iteration, .context = job};
    struct als_params params = job->params->als;
    struct evaluation evaluation;
    enum err_code rc;

    if (job->no_holdout[0] != '\0') {
        str_copy(stage->notes, sizeof stage->notes, job->no_holdout);
        return ERR_OK;
    }
    if (params.factors > EVALUATION_FACTORS)
        params.factors = EVALUATION_FACTORS;
    params.memory_limit = free_memory_read("");
    stage->rows_in = job->holdout.train.pairs;
    rc = evaluation_run(&evaluation, &job->holdout, &params, &observer, err);
    holdout_fini(&job->holdout);
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc != ERR_OK) {
        report_add_warning(job->run.report, "the model was not measured: %s", err->message);
        return ERR_OK;
    }
    stage->rows_out = evaluation.pairs;
    (void)snprintf(stage->notes, sizeof stage->notes, "%d days held out, %zu users, NDCG@%d %.3f", evaluation.days,
                   evaluation.users, EVALUATION_K, evaluation.entries[0].metrics.ndcg);
    report_set_metrics(job->run.report, &evaluation, params.factors);
    warn_of_loser(job, &evaluation.entries[0], &evaluation.entries[1 + BASELINE_POPULARITY]);
    warn_of_loser(job, &evaluation.entries[0], &evaluation.entries[1 + BASELINE_ITEM_COSINE]);
    return ERR_OK;
}

static enum err_code run_publish(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct publish_counts counts = {0};
    enum err_code rc = publish_run(&counts, &job->matrix, &job->recommendations, &job->params->publish,
                                   json_value_get(job->run.inputs->last_published, "published_counts"),
                                   &job->run.inputs->sink, &job->run.inputs->progress, err);

    stage->rows_in = job->recommendations.users.rows + job->recommendations.similar.rows;
    stage->rows_out = counts.homepage_keys + counts.similar_keys;
    job_run_add_dropped(stage, "reserved_user", counts.reserved_users);
    if (!job->params->publish.enabled)
        (void)snprintf(stage->notes, sizeof stage->notes, "a dry run: nothing is written");
    if (counts.reserved_users > 0)
        report_add_warning(job->run.report, "%zu users are named like a key of the shop's and get no list",
                           counts.reserved_users);
    report_set_published(job->run.report, &counts);
    return rc;
}

static void job_fini(struct job *job)
{
    recommendations_fini(&job->recommendations);
    als_model_fini(&job->model);
    holdout_fini(&job->holdout);
    matrix_fini(&job->matrix);
    pairs_fini(&job->pairs);
    fetch_result_fini(&job->fetch);
    free(job->loss);
}

enum err_code homepage_job_run(struct json **report, const struct homepage_params *params,
                               const struct job_inputs *inputs, struct err *err)
{
    static const struct job_stage stages[] = {
        {"fetch", run_fetch},         {"outliers", run_outliers}, {"analytics", run_analytics},
        {"weigh", run_weigh},         {"matrix", run_matrix},     {"als", run_als},
        {"recommend", run_recommend}, {"evaluate", run_evaluate}, {"publish", run_publish},
    };
    struct job job = {.params = params, .run = {.inputs = inputs}};
    const struct job_plan plan = {.type = "homepage_and_similar_products",
                                  .now_s = params->rows.fetch.now_s,
                                  .stages = stages,
                                  .stage_count = sizeof stages / sizeof stages[0],
                                  .job = &job};
    enum err_code rc = job_run_stages(report, &job.run, &plan, err);

    job_fini(&job);
    return rc;
}
