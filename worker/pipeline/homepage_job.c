#include "worker/pipeline/homepage_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
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
struct run {
    const struct homepage_params *params;
    const struct homepage_inputs *inputs;
    struct json *report;
    struct json *counts;
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

typedef enum err_code (*stage_fn)(struct run *run, struct report_stage *stage, struct err *err);

static void add_dropped(struct report_stage *stage, const char *reason, size_t count)
{
    if (stage->dropped == NULL)
        stage->dropped = json_value_new_object();
    if (count > 0)
        (void)json_value_set_int(stage->dropped, reason, (int64_t)count);
}

static void report_fetch(struct run *run, struct report_stage *stage)
{
    const struct fetch_result *fetch = &run->fetch;
    const struct source_counts *source = &fetch->source;

    stage->rows_in = fetch->clean.served + fetch->rows_from_cache + source_bad_total(source);
    stage->rows_out = fetch->rows.count;
    for (size_t i = 0; i < SOURCE_BAD_REASONS && source->bad[i].reason != NULL; i++)
        add_dropped(stage, source->bad[i].reason, source->bad[i].count);
    for (unsigned reason = 0; reason < CLEAN_REASON_COUNT; reason++)
        add_dropped(stage, clean_reason_name((enum clean_reason)reason), fetch->clean.dropped[reason]);
    if (fetch->clean.dropped[CLEAN_DUPLICATE] == 0)
        add_dropped(stage, clean_reason_name(CLEAN_DUPLICATE), fetch->rows_dropped_as_duplicates);
    if (source->lines > 0)
        (void)snprintf(stage->notes, sizeof stage->notes, "%zu lines, %zu of them too old, %zu products", source->lines,
                       source->too_old, fetch->catalogue.count);
    else
        (void)snprintf(stage->notes, sizeof stage->notes, "%zu pages, %zu rows from the cache, %zu products",
                       source->pages, fetch->rows_from_cache, fetch->catalogue.count);
    report_set_dropped(run->report, fetch);
    for (size_t i = 0; i < sizeof fetch->warnings / sizeof fetch->warnings[0] && fetch->warnings[i][0] != '\0'; i++)
        report_add_warning(run->report, "%s", fetch->warnings[i]);
    report_warn_of_age(run->report, fetch->newest_s, run->params->fetch.now_s);
    if (fetch->products_malformed > 0)
        report_add_warning(run->report, "%zu products of the catalogue are malformed and left out",
                           fetch->products_malformed);
    if (fetch->source.retries > 0)
        report_add_warning(run->report, "%zu requests had to be made again", fetch->source.retries);
}

static enum err_code run_fetch(struct run *run, struct report_stage *stage, struct err *err)
{
    enum err_code rc = fetch_run(&run->fetch, &run->params->fetch, &run->inputs->source, run->inputs->cache,
                                 &run->inputs->progress, err);

    report_fetch(run, stage);
    return rc == ERR_OK ? counts_add_fetch(run->counts, &run->fetch, err) : rc;
}

static void report_outliers(struct run *run, struct report_stage *stage, const struct outlier_result *outliers)
{
    const struct outlier_params *params = &run->params->outliers;
    size_t rows[OUTLIER_RULE_COUNT] = {0};

    for (size_t i = 0; i < outliers->removed_count; i++)
        rows[outliers->removed[i].rule] += outliers->removed[i].rows;
    for (unsigned rule = 0; rule < OUTLIER_RULE_COUNT; rule++)
        add_dropped(stage, outlier_rule_name((enum outlier_rule)rule), rows[rule]);
    stage->rows_out = run->fetch.rows.count;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu of %zu users removed", outliers->removed_count,
                   outliers->users_before);
    report_set_outliers(run->report, outliers, run->fetch.rows.users);
    if (outliers->by_rows_only > 0)
        report_add_warning(run->report,
                           "%zu of the %zu users removed were over a limit (of %d a day) with rows, not with "
                           "activities: large baskets may have made good customers look like bots "
                           "(OUTLIER_COUNT=activities keeps them)",
                           outliers->by_rows_only, outliers->removed_count, params->max_per_day);
}

static enum err_code run_outliers(struct run *run, struct report_stage *stage, struct err *err)
{
    struct outlier_result outliers;
    enum err_code rc;

    stage->rows_in = run->fetch.rows.count;
    rc = outliers_run(&outliers, &run->fetch.rows, &run->params->outliers, err);
    if (rc != ERR_OK)
        return rc;
    report_outliers(run, stage, &outliers);
    rc = counts_add_outliers(run->counts, &outliers, &run->fetch.rows, err);
    if (rc == ERR_OK && run->fetch.rows.count == 0)
        rc = ERR_SET(err, ERR_NO_DATA, "No interactions are left: all %zu users were removed as outliers.",
                     outliers.removed_count);
    outlier_result_fini(&outliers);
    return rc;
}

/* What fails here is no reason not to train. */
static enum err_code run_analytics(struct run *run, struct report_stage *stage, struct err *err)
{
    const char *dump_dir = run->params->dump_dir;
    struct json *json;
    enum err_code rc = analytics_run(&json, &run->fetch.rows, &run->fetch.catalogue, &run->params->analytics,
                                     &run->inputs->progress, err);

    stage->rows_in = stage->rows_out = run->fetch.rows.count;
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc != ERR_OK) {
        report_add_warning(run->report, "there are no analytics: %s", err->message);
        return ERR_OK;
    }
    if (dump_dir != NULL)
        rc = dump_json(dump_dir, "analytics.json", json, err);
    (void)json_value_set(run->report, "analytics", json);
    return rc;
}

/* What is held out has to be taken while there are rows. Without it the run goes on all the same. */
static void hold_out(struct run *run)
{
    const struct homepage_params *params = run->params;
    const struct holdout_params holdout = {.test_days = params->evaluation_days,
                                           .most_users = EVALUATION_USERS,
                                           .weigh = params->weigh,
                                           .matrix = params->matrix};
    struct err err = {0};

    if (params->evaluation_days == 0)
        (void)snprintf(run->no_holdout, sizeof run->no_holdout, "off: EVALUATION_DAYS is 0");
    else if (holdout_make(&run->holdout, &run->fetch.rows, &holdout, &err) != ERR_OK)
        (void)snprintf(run->no_holdout, sizeof run->no_holdout, "%.*s", REPORT_NOTES_BYTES - 1, err.message);
}

static enum err_code run_weigh(struct run *run, struct report_stage *stage, struct err *err)
{
    enum err_code rc;

    stage->rows_in = run->fetch.rows.count;
    rc = weigh_run(&run->pairs, &run->fetch.rows, &run->params->weigh, err);
    if (rc != ERR_OK)
        return rc;
    hold_out(run);
    interactions_drop_rows(&run->fetch.rows); /* the pairs borrow the users' ids */
    stage->rows_out = run->pairs.count;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu users, %zu products", run->pairs.users, run->pairs.products);
    return counts_add_pairs(run->counts, &run->pairs, err);
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

static enum err_code run_matrix(struct run *run, struct report_stage *stage, struct err *err)
{
    const char *dump_dir = run->params->dump_dir;
    enum err_code rc;

    stage->rows_in = run->pairs.count;
    rc = matrix_build(&run->matrix, &run->pairs, &run->params->matrix, err);
    if (rc != ERR_OK)
        return rc;
    stage->rows_out = run->matrix.pairs;
    add_dropped(stage, "below_thresholds", run->pairs.count - run->matrix.pairs);
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu users, %zu products", run->matrix.users,
                   run->matrix.products);
    run->busiest_user = find_busiest_user(&run->pairs, &run->matrix);
    pairs_fini(&run->pairs);
    interactions_fini(&run->fetch.rows);
    report_set_matrix(run->report, &run->matrix);
    rc = counts_add_matrix(run->counts, &run->matrix, &run->fetch.catalogue, err);
    if (rc == ERR_OK && !matrix_has_values(&run->matrix))
        rc = ERR_SET(err, ERR_NO_DATA,
                     "Each of the %zu users has at least half of the %zu products: there is nothing "
                     "to tell one from another by.",
                     run->matrix.users, run->matrix.products);
    return rc == ERR_OK && dump_dir != NULL ? dump_matrix(dump_dir, &run->matrix, err) : rc;
}

static bool on_iteration(void *context, int iteration, double loss)
{
    struct run *run = context;
    int iterations = run->als.iterations;
    char note[PROGRESS_NOTE_BYTES];

    report_add_loss(run->report, loss);
    run->losses = (size_t)iteration;
    (void)snprintf(note, sizeof note, "iteration %d of %d, loss %.4g", iteration, iterations, loss);
    return progress_report(&run->inputs->progress, "als", (double)iteration / iterations, note);
}

static enum err_code train(struct run *run, struct report_stage *stage, struct warm_start *start, struct err *err)
{
    const struct als_observer observer = {.on_iteration = on_iteration, .context = run};
    const struct als_start factors = {.x = start->x, .y = start->y};
    char backend[BACKEND_BYTES] = "";
    enum err_code rc;

    if (start->y != NULL && run->params->warm_iterations < run->als.iterations)
        run->als.iterations = run->params->warm_iterations;
    run->loss = mem_zeroed((size_t)run->als.iterations, sizeof *run->loss);
    if (run->loss == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the losses of %d iterations", run->als.iterations);
    als_describe_backend(run->als.backend, backend, sizeof backend);
    report_set_als(run->report, &run->als, backend);
    rc = als_train_from(&run->model, &run->matrix.values, &run->als, &factors, &observer, run->loss, err);
    if (rc == ERR_OK)
        (void)snprintf(stage->notes, sizeof stage->notes, "%s, loss %.6g; %.*s", backend, run->loss[run->losses - 1],
                       STAGE_NOTE_BYTES, start->note);
    return rc;
}

/* The factors are worth keeping, not failing for. */
static void keep_factors(struct run *run)
{
    const struct homepage_inputs *inputs = run->inputs;
    struct err err;

    if (inputs->factors != NULL && run->params->warm_start &&
        warm_start_save(inputs->factors, inputs->source.identity, &run->matrix, &run->als, &run->model, &err) != ERR_OK)
        report_add_warning(run->report, "the factors are not kept, so the next run starts cold: %s", err.message);
}

static enum err_code run_als(struct run *run, struct report_stage *stage, struct err *err)
{
    const struct homepage_inputs *inputs = run->inputs;
    const char *dump_dir = run->params->dump_dir;
    struct warm_start start = {.note = "cold start"};
    enum err_code rc = ERR_OK;

    run->als = run->params->als;
    run->als.memory_limit = free_memory_read("");
    if (run->als.iterations < 1)
        return ERR_SET(err, ERR_ARGUMENT, "iterations is %d; it must be at least 1", run->als.iterations);
    stage->rows_in = run->matrix.pairs;
    if (inputs->factors != NULL && run->params->warm_start)
        rc = warm_start_load(&start, inputs->factors, inputs->source.identity, &run->matrix, &run->als, err);
    if (rc == ERR_OK)
        rc = train(run, stage, &start, err);
    warm_start_fini(&start);
    if (rc != ERR_OK)
        return rc;
    stage->rows_out = run->model.users + run->model.items;
    keep_factors(run);
    return dump_dir != NULL ? dump_als(dump_dir, &run->matrix, &run->als, run->loss, run->losses, err) : ERR_OK;
}

static enum err_code run_recommend(struct run *run, struct report_stage *stage, struct err *err)
{
    const char *dump_dir = run->params->dump_dir;
    struct report_samples samples = {.matrix = &run->matrix,
                                     .catalogue = &run->fetch.catalogue,
                                     .recommendations = &run->recommendations,
                                     .user = run->params->sample_user,
                                     .product = run->params->sample_product,
                                     .fallback_user = run->busiest_user};
    enum err_code rc = recommend_run(&run->recommendations, &run->matrix, &run->fetch.catalogue, &run->model,
                                     &run->params->recommend, err);

    if (rc != ERR_OK)
        return rc;
    als_model_fini(&run->model);
    stage->rows_in = run->matrix.users + run->matrix.products;
    stage->rows_out = run->recommendations.users.rows + run->recommendations.similar.rows;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu of %zu products recommendable",
                   run->recommendations.recommendable, run->matrix.products);
    if (run->recommendations.recommendable == 0)
        report_add_warning(run->report, "none of the %zu products may be recommended: all lists are empty",
                           run->matrix.products);
    report_samples_set(run->report, &samples);
    return dump_dir != NULL ? dump_recommendations(dump_dir, &run->matrix, &run->recommendations, err) : ERR_OK;
}

static bool on_evaluation_iteration(void *context, int iteration, double loss)
{
    struct run *run = context;

    (void)loss;
    return progress_report(&run->inputs->progress, "evaluate", (double)iteration / (run->params->als.iterations + 1),
                           NULL);
}

static void warn_of_loser(struct run *run, const struct evaluation_entry *als, const struct evaluation_entry *other)
{
    if (other->measured && als->measured && als->metrics.ndcg < other->metrics.ndcg)
        report_add_warning(run->report,
                           "on the days held out %s foretells better than ALS: NDCG@%d %.3f against %.3f. Other "
                           "parameters (regularization first) may serve this shop better",
                           other->name, EVALUATION_K, other->metrics.ndcg, als->metrics.ndcg);
}

/* A small model of the same parameters, on the newest days held out. What fails here is no reason not to publish. */
static enum err_code run_evaluate(struct run *run, struct report_stage *stage, struct err *err)
{
    const struct als_observer observer = {.on_iteration = on_evaluation_iteration, .context = run};
    struct als_params params = run->params->als;
    struct evaluation evaluation;
    enum err_code rc;

    if (run->no_holdout[0] != '\0') {
        (void)snprintf(stage->notes, sizeof stage->notes, "%s", run->no_holdout);
        return ERR_OK;
    }
    if (params.factors > EVALUATION_FACTORS)
        params.factors = EVALUATION_FACTORS;
    params.memory_limit = free_memory_read("");
    stage->rows_in = run->holdout.train.pairs;
    rc = evaluation_run(&evaluation, &run->holdout, &params, &observer, err);
    holdout_fini(&run->holdout);
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc != ERR_OK) {
        report_add_warning(run->report, "the model was not measured: %s", err->message);
        return ERR_OK;
    }
    stage->rows_out = evaluation.pairs;
    (void)snprintf(stage->notes, sizeof stage->notes, "%d days held out, %zu users, NDCG@%d %.3f", evaluation.days,
                   evaluation.users, EVALUATION_K, evaluation.entries[0].metrics.ndcg);
    report_set_metrics(run->report, &evaluation, params.factors);
    warn_of_loser(run, &evaluation.entries[0], &evaluation.entries[1 + BASELINE_POPULARITY]);
    warn_of_loser(run, &evaluation.entries[0], &evaluation.entries[1 + BASELINE_ITEM_COSINE]);
    return ERR_OK;
}

static enum err_code run_publish(struct run *run, struct report_stage *stage, struct err *err)
{
    struct publish_counts counts = {0};
    enum err_code rc = publish_run(&counts, &run->matrix, &run->recommendations, &run->params->publish,
                                   json_value_get(run->inputs->last_published, "published_counts"), &run->inputs->sink,
                                   &run->inputs->progress, err);

    stage->rows_in = run->recommendations.users.rows + run->recommendations.similar.rows;
    stage->rows_out = counts.homepage_keys + counts.similar_keys;
    add_dropped(stage, "reserved_user", counts.reserved_users);
    if (!run->params->publish.enabled)
        (void)snprintf(stage->notes, sizeof stage->notes, "a dry run: nothing is written");
    if (counts.reserved_users > 0)
        report_add_warning(run->report, "%zu users are named like a key of the shop's and get no list",
                           counts.reserved_users);
    report_set_published(run->report, &counts);
    return rc;
}

static double seconds_since(const struct clock_source *clock, int64_t start_ms)
{
    return (double)(clock_monotonic_ms(clock) - start_ms) / 1000;
}

/* Runs one stage and reports it, failed or not. */
static enum err_code run_stage(struct run *run, const char *name, stage_fn fn, struct err *err)
{
    struct clock_source clock = clock_system();
    int64_t start_ms = clock_monotonic_ms(&clock);
    struct report_stage stage = {.name = name};
    enum err_code rc;

    if (!progress_report(&run->inputs->progress, name, 0, NULL))
        return ERR_SET(err, ERR_CANCELLED, "cancelled before %s", name);
    rc = fn(run, &stage, err);
    stage.seconds = seconds_since(&clock, start_ms);
    if (rc != ERR_OK)
        (void)snprintf(stage.notes, sizeof stage.notes, "failed");
    report_add_stage(run->report, &stage);
    if (rc == ERR_OK) /* who asks to stop now is heard before the next stage; after the last it is too late */
        (void)progress_report(&run->inputs->progress, name, 1, stage.notes);
    return rc;
}

static enum err_code run_stages(struct run *run, struct err *err)
{
    static const struct {
        const char *name;
        stage_fn fn;
    } stages[] = {
        {"fetch", run_fetch},         {"outliers", run_outliers}, {"analytics", run_analytics},
        {"weigh", run_weigh},         {"matrix", run_matrix},     {"als", run_als},
        {"recommend", run_recommend}, {"evaluate", run_evaluate}, {"publish", run_publish},
    };
    enum err_code rc = ERR_OK;

    if (run->params->dump_dir != NULL)
        rc = dump_prepare(run->params->dump_dir, err);
    if (rc != ERR_OK)
        report_set_error(run->report, "dump", err);
    for (size_t i = 0; rc == ERR_OK && i < sizeof stages / sizeof stages[0]; i++) {
        rc = run_stage(run, stages[i].name, stages[i].fn, err);
        if (rc != ERR_OK)
            report_set_error(run->report, stages[i].name, err);
    }
    return rc;
}

static void run_fini(struct run *run)
{
    recommendations_fini(&run->recommendations);
    als_model_fini(&run->model);
    holdout_fini(&run->holdout);
    matrix_fini(&run->matrix);
    pairs_fini(&run->pairs);
    fetch_result_fini(&run->fetch);
    json_value_destroy(run->counts);
    free(run->loss);
}

/* The dump of a run that failed is what there is to find out why, but its own failure does not hide the first. */
static enum err_code dump_end(const struct run *run, enum err_code rc, struct err *err)
{
    const char *dir = run->params->dump_dir;
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

enum err_code homepage_job_run(struct json **report, const struct homepage_params *params,
                               const struct homepage_inputs *inputs, struct err *err)
{
    struct run run = {.params = params, .inputs = inputs};
    struct clock_source clock = clock_system();
    int64_t start_ms = clock_monotonic_ms(&clock);
    struct err own = {0};
    enum err_code rc;

    if (err == NULL)
        err = &own; /* the report tells the error too */
    *report = NULL;
    rc = report_create(&run.report, "homepage_and_similar_products", params->fetch.now_s, err);
    if (rc == ERR_OK)
        rc = counts_create(&run.counts, err);
    if (rc == ERR_OK)
        rc = run_stages(&run, err);
    if (run.counts != NULL)
        report_set_counts(run.report, run.counts);
    if (run.report != NULL) {
        report_finish(run.report, seconds_since(&clock, start_ms));
        rc = dump_end(&run, rc, err);
    }
    *report = run.report;
    run_fini(&run);
    return rc;
}
