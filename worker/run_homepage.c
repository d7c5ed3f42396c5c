#include "common/base/str.h"
#include "worker/run_kind.h"

#include "worker/job_setup.h"

/* {users, products, published}: of the document */
static struct json *make_result(const struct json *report)
{
    const struct json *matrix = json_value_get(report, "matrix");
    const struct json *counts = json_value_get(report, "published_counts");
    struct json *result = json_value_new_object();
    int64_t users = 0;
    int64_t products = 0;
    int64_t homepage = 0;
    int64_t similar = 0;

    (void)json_value_get_int64(matrix, "users", &users);
    (void)json_value_get_int64(matrix, "products", &products);
    (void)json_value_get_int64(counts, "homepage_keys", &homepage);
    (void)json_value_get_int64(counts, "similar_keys", &similar);
    if (result == NULL || !json_value_set_int(result, "users", users) ||
        !json_value_set_int(result, "products", products) ||
        !json_value_set_int(result, "published", homepage + similar)) {
        json_value_destroy(result);
        return NULL;
    }
    return result;
}

enum err_code run_homepage(struct child_end *end, const struct run_kind_context *context, struct err *err)
{
    struct homepage_params params;
    const char *backend;
    enum err_code rc;

    job_setup_homepage(&params, context->settings, context->request->params, context->request->now_s);
    params.rows.outliers.excluded = context->excluded;
    rc = homepage_job_run(&end->report, &params, context->inputs, err);
    backend = json_value_get_text(json_value_get(end->report, "als"), "backend");
    str_copy(end->backend, sizeof end->backend, backend != NULL ? backend : "");
    if (rc == ERR_OK)
        end->result = make_result(end->report);
    return rc;
}
