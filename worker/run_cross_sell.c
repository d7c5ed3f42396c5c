#include <stdio.h>
#include <string.h>

#include "worker/job_setup.h"
#include "worker/pipeline/cross_sell_job.h"
#include "worker/run_kind.h"

/* Weights and their decay are the settings' for all jobs. */
static void set_up(struct cross_sell_job_params *out, const struct run_kind_context *context)
{
    const struct worker_settings *settings = context->settings;
    const struct json *params = context->request->params;
    int64_t now_s = context->request->now_s;
    struct weigh_params weigh;
    struct matrix_params matrix;
    int list_size = 18;

    *out = (struct cross_sell_job_params){.sample_product = settings->test_cross_sell};
    (void)json_value_get_int64(params, "now", &now_s);
    job_setup_rows(&out->rows, settings, params, now_s);
    out->rows.outliers.excluded = context->excluded;
    job_setup_weighing(&weigh, &matrix, settings, params, now_s);
    job_setup_analytics(&out->analytics, settings, &weigh, &matrix);

    out->pairs = (struct cross_sell_params){.min_user_rows = matrix.min_user_rows,
                                            .min_product_rows = matrix.min_product_rows,
                                            .decay_days = weigh.decay_days,
                                            .session_hours = 12};
    memcpy(out->pairs.weights, weigh.weights, sizeof out->pairs.weights);
    job_setup_take_real(&out->pairs.session_hours, params, "session_hours");
    out->lists.minimum_weight = 0.1;
    job_setup_take_real(&out->lists.minimum_weight, params, "minimum_weight");
    job_setup_take_int(&list_size, params, "cross_sell_limit");
    out->lists.list_size = (size_t)list_size;

    out->publish = (struct publish_params){.enabled = true, .guard_percent = settings->guard_percent};
    job_setup_take_bool(&out->publish.enabled, params, "publish");
    job_setup_take_bool(&out->publish.force, params, "force");
}

/* {users, products, published}: of the document; nothing is made for a user */
static struct json *make_result(const struct json *report)
{
    const struct json *counts = json_value_get(report, "published_counts");
    struct json *result = json_value_new_object();
    int64_t products = 0;
    int64_t published = 0;

    (void)json_value_get_int64(counts, "cross_sell_lists", &products);
    (void)json_value_get_int64(counts, "cross_sell_keys", &published);
    if (result == NULL || !json_value_set_int(result, "users", 0) ||
        !json_value_set_int(result, "products", products) || !json_value_set_int(result, "published", published)) {
        json_value_destroy(result);
        return NULL;
    }
    return result;
}

enum err_code run_cross_sell(struct child_end *end, const struct run_kind_context *context, struct err *err)
{
    struct cross_sell_job_params params;
    enum err_code rc;

    set_up(&params, context);
    (void)snprintf(end->backend, sizeof end->backend, "cpu");
    rc = cross_sell_job_run(&end->report, &params, context->inputs, err);
    if (rc == ERR_OK)
        end->result = make_result(end->report);
    return rc;
}
