#include "common/job/job_params_from.h"

#include <string.h>

#include "common/job/job_params.h"

const char *job_params_from_id(const struct json *params)
{
    return json_value_get_text(params, "params_from");
}

static enum err_code check_report(const struct json *report, const char *id, const char *shop, struct err *err)
{
    const char *type = json_value_get_text(report, "type");
    const char *of = json_value_get_text(report, "namespace");

    if (report == NULL)
        return ERR_SET(err, ERR_ARGUMENT, "params_from: there is no search %.26s that has a report", id);
    if (type == NULL || strcmp(type, job_type_name(JOB_HYPERPARAMETER_SEARCH)) != 0)
        return ERR_SET(err, ERR_ARGUMENT, "params_from: job %.26s is no %s, but a %.32s", id,
                       job_type_name(JOB_HYPERPARAMETER_SEARCH), type != NULL ? type : "job of no known type");
    if (of == NULL || strcmp(of, shop) != 0)
        return ERR_SET(err, ERR_ARGUMENT, "params_from: search %.26s is of the shop %.63s, not of %.63s", id,
                       of != NULL ? of : "", shop);
    if (json_value_get(report, "partial") != NULL || json_value_get(report, "error") != NULL ||
        json_value_kind(json_value_get(report, "best_params")) != JSON_KIND_OBJECT)
        return ERR_SET(err, ERR_ARGUMENT, "params_from: search %.26s has not succeeded", id);
    return ERR_OK;
}

struct adding {
    struct json *params;
    enum job_type type;
    bool failed;
};

static bool add_member(void *context, const char *name, const struct json *value)
{
    struct adding *adding = context;

    if (job_params_find(adding->type, name) != NULL && json_value_get(adding->params, name) == NULL)
        adding->failed = !json_value_set(adding->params, name, json_value_dup(value));
    return !adding->failed;
}

enum err_code job_params_from_add(struct json *params, enum job_type type, const char *shop, const struct json *report,
                                  struct err *err)
{
    struct adding adding = {.params = params, .type = type};
    const char *id = job_params_from_id(params);
    enum err_code rc = check_report(report, id, shop, err);

    if (rc != ERR_OK)
        return rc;
    if (json_value_get(params, "profile") != NULL)
        return ERR_SET(err, ERR_ARGUMENT,
                       "params_from and profile both say which solver and numbers: give one of them");
    json_value_each(json_value_get(report, "best_params"), add_member, &adding);
    if (adding.failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for parameters");
    return job_params_check(type, params, err);
}
