#include "gateway/params_from.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/job/job_params_from.h"
#include "common/job/job_settings.h"
#include "gateway/problem.h"
#include "gateway/store_client.h"

struct asking {
    struct exchange *exchange;
    enum job_type type;
    const char *shop; /* of the exchange's document, or of the settings */
    void (*next)(struct exchange *exchange);
};

static void on_report(void *context, struct store_result *result)
{
    struct asking asking = *(struct asking *)context;
    struct json *params = json_value_get_mutable(asking.exchange->document, "params");
    struct err err;
    enum err_code rc;

    free(context);
    if (result->code != ERR_OK && result->code != ERR_NOT_FOUND) {
        problem_answer_err(asking.exchange, &result->err);
        return;
    }
    rc = job_params_from_add(params, asking.type, asking.shop, result->document, &err);
    if (rc == ERR_OK)
        asking.next(asking.exchange);
    else if (rc == ERR_ARGUMENT)
        problem_answer(asking.exchange, 422, "bad_params_from", "%s", err.message);
    else
        problem_answer_err(asking.exchange, &err);
}

void params_from_take(struct exchange *exchange, const struct submission_request *request,
                      void (*next)(struct exchange *exchange))
{
    const char *id = job_params_from_id(request->params);
    struct asking *asking = mem_zeroed(1, sizeof *asking);
    struct err err;
    enum err_code rc;

    if (asking == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory for a submission");
        problem_answer_err(exchange, &err);
        return;
    }
    *asking = (struct asking){.exchange = exchange, .type = request->type, .shop = request->shop, .next = next};
    rc = store_client_get_report(exchange->services->store, id, on_report, asking, &err);
    if (rc != ERR_OK) {
        free(asking);
        problem_answer_err(exchange, &err);
    }
}
