#include "worker/run_kind.h"

#include <string.h>

#include "common/base/zone.h"
#include "worker/job_setup.h"
#include "worker/pipeline/warehouse_job.h"

static const double session_hours = 12; /* as those of the analytics */

static void set_up(struct warehouse_params *out, const struct run_kind_context *context)
{
    const struct json *params = context->request->params;
    int64_t now_s = context->request->now_s;
    struct weigh_params weigh;
    struct matrix_params matrix;

    (void)json_value_get_int64(params, "now", &now_s);
    *out = (struct warehouse_params){.offset_s = zone_offset_s};
    job_setup_rows(&out->rows, context->settings, params, now_s);
    out->rows.outliers.excluded = context->excluded;
    job_setup_weighing(&weigh, &matrix, context->settings, params, now_s);
    out->weights = (struct cross_sell_params){.min_user_rows = matrix.min_user_rows,
                                              .min_product_rows = matrix.min_product_rows,
                                              .decay_days = weigh.decay_days,
                                              .session_hours = session_hours};
    memcpy(out->weights.weights, weigh.weights, sizeof out->weights.weights);
}

enum err_code run_warehouse(struct child_end *end, const struct run_kind_context *context, struct err *err)
{
    struct warehouse_params params;
    enum err_code rc;

    set_up(&params, context);
    rc = warehouse_job_run(&end->report, &params, context->inputs, err);
    if (rc == ERR_OK) /* {users, products, interactions, weights}: of the document */
        end->result = json_value_dup(json_value_get(end->report, "warehouse"));
    return rc;
}
