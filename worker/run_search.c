#include "common/base/str.h"
#include "worker/run_kind.h"

#include "worker/job_setup_search.h"

/* {best_params, best_score, test_info}: of the document; all results stand in the report */
static struct json *make_result(const struct json *report)
{
    static const char *const members[] = {"best_params", "best_score", "test_info"};
    struct json *result = json_value_new_object();
    bool made = result != NULL;

    for (size_t i = 0; made && i < sizeof members / sizeof members[0]; i++)
        made = json_value_set(result, members[i], json_value_dup(json_value_get(report, members[i])));
    if (!made) {
        json_value_destroy(result);
        return NULL;
    }
    return result;
}

enum err_code run_search(struct child_end *end, const struct run_kind_context *context, struct err *err)
{
    const struct run_job_request *request = context->request;
    struct search_params params;
    const char *backend;
    enum err_code rc;

    job_setup_search(&params, context->settings, request->params, request->earlier, request->now_s);
    params.rows.outliers.excluded = context->excluded;
    rc = search_job_run(&end->report, &params, context->inputs, err);
    backend = json_value_get_text(end->report, "backend");
    str_copy(end->backend, sizeof end->backend, backend != NULL ? backend : "");
    if (rc == ERR_OK)
        end->result = make_result(end->report);
    return rc;
}
