#include "worker/pipeline/cross_sell_job.h"

#include <stdio.h>

#include "worker/pipeline/cross_sell_dump.h"
#include "worker/pipeline/cross_sell_publish.h"
#include "worker/pipeline/cross_sell_report.h"

/* One run: what the stages hand on to one another. */
struct job {
    const struct cross_sell_job_params *params;
    struct job_run run;
    struct fetch_result fetch;
    struct cross_sell_lists lists;
    struct cross_sell_dump *dump; /* while pairs are made; NULL: there is none */
    size_t recommendable;         /* left products that may be recommended */
    size_t heaviest;              /* of the lists: with the largest sum of weights */
    double heaviest_sum;
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

static enum err_code on_left_product(void *context, const struct cross_sell_row *row, struct err *err)
{
    struct job *job = context;
    const struct catalogue *catalogue = &job->fetch.catalogue;
    double sum = 0;

    for (size_t i = 0; i < row->count; i++)
        sum += row->weights[row->right[i]];
    if (sum > job->heaviest_sum) {
        job->heaviest_sum = sum;
        job->heaviest = job->lists.count;
    }
    job->recommendable += product_is_recommendable(catalogue_find(catalogue, row->product_id));
    if (job->dump != NULL)
        cross_sell_dump_add(job->dump, row);
    return cross_sell_lists_add(&job->lists, row, &job->params->lists, catalogue, err);
}

static enum err_code make_pairs(struct job *job, struct cross_sell_counts *found, struct err *err)
{
    const struct cross_sell_visitor visitor = {.fn = on_left_product, .context = job};
    const char *dump_dir = job->run.inputs->dump_dir;
    struct cross_sell_dump dump;
    enum err_code rc = cross_sell_lists_init(&job->lists, job->params->lists.list_size, err);

    if (rc != ERR_OK)
        return rc;
    if (dump_dir == NULL)
        return cross_sell_run(found, &job->fetch.rows, &job->params->pairs, &job->run.inputs->progress, &visitor, err);
    rc = cross_sell_dump_open(&dump, dump_dir, err);
    job->dump = &dump;
    if (rc == ERR_OK)
        rc = cross_sell_run(found, &job->fetch.rows, &job->params->pairs, &job->run.inputs->progress, &visitor, err);
    job->dump = NULL;
    rc = cross_sell_dump_close(&dump, rc, err);
    return rc == ERR_OK ? cross_sell_dump_lists(dump_dir, &job->lists, err) : rc;
}

static enum err_code run_pairs(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct cross_sell_counts found = {0};
    struct cross_sell_list_counts counts;
    const struct cross_sell_sample sample = {
        .lists = &job->lists, .catalogue = &job->fetch.catalogue, .product = job->params->sample_product};
    enum err_code rc;

    stage->rows_in = job->fetch.rows.count;
    rc = make_pairs(job, &found, err);
    if (rc != ERR_OK)
        return rc;
    interactions_fini(&job->fetch.rows);
    counts = cross_sell_lists_count(&job->lists);
    stage->rows_out = counts.lists;
    job_run_add_dropped(stage, "below_thresholds", stage->rows_in - found.rows);
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu users, %zu products, %llu pairs of products, %zu full lists",
                   found.users_over_threshold, found.products_over_threshold, (unsigned long long)found.product_pairs,
                   counts.full);
    if (counts.empty == counts.lists)
        report_add_warning(job->run.report, "all %zu lists are empty: no product that may be recommended weighs enough",
                           counts.lists);
    cross_sell_report_set(job->run.report, &found, &counts);
    cross_sell_report_set_sample(job->run.report, &sample, job->heaviest);
    return cross_sell_report_count(job->run.counts, &found, &counts, err);
}

static enum err_code run_publish(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct cross_sell_published published = {.recommendable = job->recommendable};
    enum err_code rc = cross_sell_publish_run(&published, &job->lists, &job->params->publish,
                                              json_value_get(job->run.inputs->last_published, "published_counts"),
                                              &job->run.inputs->sink, &job->run.inputs->progress, err);

    stage->rows_in = job->lists.count;
    stage->rows_out = published.keys;
    job_run_add_dropped(stage, "empty_list", job->lists.count - published.lists);
    if (!job->params->publish.enabled)
        (void)snprintf(stage->notes, sizeof stage->notes, "a dry run: nothing is written");
    else if (published.removed > 0)
        (void)snprintf(stage->notes, sizeof stage->notes, "%zu keys of products that vanished are removed",
                       published.removed);
    cross_sell_report_set_published(job->run.report, &published);
    return rc;
}

enum err_code cross_sell_job_run(struct json **report, const struct cross_sell_job_params *params,
                                 const struct job_inputs *inputs, struct err *err)
{
    static const struct job_stage stages[] = {{"fetch", run_fetch},
                                              {"outliers", run_outliers},
                                              {"analytics", run_analytics},
                                              {"pairs", run_pairs},
                                              {"publish", run_publish}};
    struct job job = {.params = params, .run = {.inputs = inputs}};
    const struct job_plan plan = {.type = "cross_sell",
                                  .now_s = params->rows.fetch.now_s,
                                  .stages = stages,
                                  .stage_count = sizeof stages / sizeof stages[0],
                                  .job = &job};
    enum err_code rc = job_run_stages(report, &job.run, &plan, err);

    cross_sell_lists_fini(&job.lists);
    fetch_result_fini(&job.fetch);
    return rc;
}
