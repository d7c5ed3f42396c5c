#include "worker/pipeline/warehouse_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/warehouse.h"

/* Of a stage; the indexes take the rest. */
static const double rows_share = .8;

struct job {
    const struct warehouse_params *params;
    struct job_run run;
    struct fetch_result fetch;
    struct cross_sell_counts counts;
    size_t interactions;
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

static enum err_code complete(const struct job *job, const char *stage, enum warehouse_table table, struct err *err)
{
    const struct warehouse *warehouse = &job->run.inputs->warehouse;

    if (!progress_report(&job->run.inputs->progress, stage, rows_share, "indexes"))
        return ERR_SET(err, ERR_CANCELLED, "cancelled before the indexes of the %s", stage);
    return warehouse->complete(warehouse->self, table, err);
}

static struct warehouse_interaction interaction_of(const struct job *job, size_t row)
{
    const struct interactions *rows = &job->fetch.rows;

    return (struct warehouse_interaction){.id = rows->activity_id[row],
                                          .user_uid = id_table_text(rows->users, rows->user[row]),
                                          .product_id = rows->product_id[row],
                                          .action = action_name((enum action)rows->action[row]),
                                          .created = rows->created[row],
                                          .local = shop_time_of(rows->created[row], job->params->offset_s)};
}

static enum err_code put_interactions(struct job *job, struct warehouse_interaction *batch, struct err *err)
{
    const struct job_inputs *inputs = job->run.inputs;
    size_t rows = job->fetch.rows.count;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && job->interactions < rows) {
        size_t count = 0;

        while (count < WAREHOUSE_BATCH && job->interactions + count < rows) {
            batch[count] = interaction_of(job, job->interactions + count);
            count++;
        }
        rc = inputs->warehouse.put_interactions(inputs->warehouse.self, batch, count, err);
        if (rc != ERR_OK)
            break;
        job->interactions += count;
        if (!progress_report(&inputs->progress, "interactions", rows_share * (double)job->interactions / (double)rows,
                             NULL))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled at interaction %zu of %zu", job->interactions, rows);
    }
    return rc;
}

static enum err_code run_interactions(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct warehouse_interaction *batch = mem_zeroed(WAREHOUSE_BATCH, sizeof *batch);
    enum err_code rc;

    stage->rows_in = job->fetch.rows.count;
    if (batch == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a batch of interactions");
    rc = put_interactions(job, batch, err);
    free(batch);
    stage->rows_out = job->interactions;
    return rc == ERR_OK ? complete(job, "interactions", WAREHOUSE_INTERACTIONS, err) : rc;
}

/* Weights on their way: a left product may have more than a batch holds, and most have few. */
struct weights {
    struct job *job;
    struct warehouse_weight *batch;
    size_t count;
    size_t put;
};

static enum err_code put_weights(struct weights *weights, struct err *err)
{
    const struct warehouse *warehouse = &weights->job->run.inputs->warehouse;
    enum err_code rc = warehouse->put_weights(warehouse->self, weights->batch, weights->count, err);

    if (rc == ERR_OK)
        weights->put += weights->count;
    weights->count = 0;
    return rc;
}

static enum err_code on_row(void *context, const struct cross_sell_row *row, struct err *err)
{
    struct weights *weights = context;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < row->count; i++) {
        weights->batch[weights->count++] = (struct warehouse_weight){
            .left = row->product_id, .right = row->product_ids[row->right[i]], .weight = row->weights[row->right[i]]};
        if (weights->count == WAREHOUSE_BATCH)
            rc = put_weights(weights, err);
    }
    return rc;
}

/* The stage behind the weights is called otherwise where they are all that is made. */
static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct job *job = context;

    (void)stage;
    return progress_report(&job->run.inputs->progress, "weights", rows_share * fraction, note);
}

/* Interactions without sessions have no weights, and are worth their table all the same. */
static enum err_code make_weights(struct job *job, struct weights *weights, struct err *err)
{
    const struct progress progress = {.fn = on_progress, .context = job};
    const struct cross_sell_visitor visitor = {.fn = on_row, .context = weights};
    enum err_code rc = cross_sell_run(&job->counts, &job->fetch.rows, &job->params->weights, &progress, &visitor, err);

    if (rc == ERR_NO_DATA) {
        report_add_warning(job->run.report, "there are no weights between products: %s", err->message);
        return ERR_OK;
    }
    return rc == ERR_OK && weights->count > 0 ? put_weights(weights, err) : rc;
}

static enum err_code run_weights(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct weights weights = {.job = job, .batch = mem_zeroed(WAREHOUSE_BATCH, sizeof *weights.batch)};
    enum err_code rc;

    stage->rows_in = job->fetch.rows.count;
    if (weights.batch == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a batch of weights");
    rc = make_weights(job, &weights, err);
    free(weights.batch);
    stage->rows_out = weights.put;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu products before, %zu behind", job->counts.left_products,
                   job->counts.right_products);
    return rc == ERR_OK ? complete(job, "weights", WAREHOUSE_WEIGHTS, err) : rc;
}

static enum err_code put_products(struct job *job, struct warehouse_product *batch, size_t *put, struct err *err)
{
    const struct job_inputs *inputs = job->run.inputs;
    const struct catalogue *catalogue = &job->fetch.catalogue;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && *put < catalogue->count) {
        size_t count = 0;

        for (; count < WAREHOUSE_BATCH && *put + count < catalogue->count; count++) {
            const struct product *product = &catalogue->products[*put + count];

            batch[count] = (struct warehouse_product){
                .id = product->id, .title = product->title, .stock = product->stock, .published = product->published};
        }
        rc = inputs->warehouse.put_products(inputs->warehouse.self, batch, count, err);
        if (rc != ERR_OK)
            break;
        *put += count;
        if (!progress_report(&inputs->progress, "products", rows_share * (double)*put / (double)catalogue->count, NULL))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled at product %zu of %zu", *put, catalogue->count);
    }
    return rc;
}

static enum err_code run_products(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    struct warehouse_product *batch = mem_zeroed(WAREHOUSE_BATCH, sizeof *batch);
    enum err_code rc;

    stage->rows_in = job->fetch.catalogue.count;
    if (batch == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a batch of products");
    rc = put_products(job, batch, &stage->rows_out, err);
    free(batch);
    return rc == ERR_OK ? complete(job, "products", WAREHOUSE_PRODUCTS, err) : rc;
}

static enum err_code report_load(struct job *job, struct err *err)
{
    struct json *load = json_value_new_object();
    bool made = load != NULL && json_value_set_int(load, "users", (int64_t)job->counts.users_seen) &&
                json_value_set_int(load, "products", (int64_t)job->counts.products_seen) &&
                json_value_set_int(load, "interactions", (int64_t)job->interactions) &&
                json_value_set_int(load, "weights", (int64_t)job->counts.product_pairs);

    if (made)
        return json_value_set(job->run.report, "warehouse", load)
                   ? ERR_OK
                   : ERR_SET(err, ERR_NO_MEMORY, "no memory for the report");
    json_value_destroy(load);
    return ERR_SET(err, ERR_NO_MEMORY, "no memory for the report");
}

static enum err_code run_swap(void *context, struct report_stage *stage, struct err *err)
{
    struct job *job = context;
    const struct warehouse *warehouse = &job->run.inputs->warehouse;
    enum err_code rc = report_load(job, err);

    stage->rows_in = WAREHOUSE_TABLE_COUNT;
    if (rc == ERR_OK)
        rc = warehouse->swap(warehouse->self, err);
    if (rc != ERR_OK)
        json_value_remove(job->run.report, "warehouse");
    else
        stage->rows_out = WAREHOUSE_TABLE_COUNT;
    return rc;
}

enum err_code warehouse_job_run(struct json **report, const struct warehouse_params *params,
                                const struct job_inputs *inputs, struct err *err)
{
    static const struct job_stage stages[] = {
        {"fetch", run_fetch},     {"outliers", run_outliers}, {"interactions", run_interactions},
        {"weights", run_weights}, {"products", run_products}, {"swap", run_swap},
    };
    struct job job = {.params = params, .run = {.inputs = inputs}};
    const struct job_plan plan = {.type = "warehouse",
                                  .now_s = params->rows.fetch.now_s,
                                  .stages = stages,
                                  .stage_count = sizeof stages / sizeof stages[0],
                                  .job = &job};
    enum err_code rc = job_run_stages(report, &job.run, &plan, err);

    fetch_result_fini(&job.fetch);
    return rc;
}
