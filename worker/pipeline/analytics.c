#include "worker/pipeline/analytics.h"

#include <stdlib.h>

#include "worker/pipeline/analytics_figures.h"

static void figures_fini(struct analytics_figures *figures)
{
    free(figures->product_of);
    free(figures->local_day);
    free(figures->products);
    free(figures->users);
    free(figures->by_month);
    free(figures->user_day_rows.values);
    free(figures->cart_hours.values);
}

enum err_code analytics_run(struct json **out, const struct interactions *rows, const struct catalogue *catalogue,
                            const struct analytics_params *params, const struct progress *progress, struct err *err)
{
    struct analytics_figures figures = {.rows = rows, .params = params};
    enum err_code rc = analytics_count_rows(&figures, err);

    *out = NULL;
    if (rc == ERR_OK)
        rc = analytics_users_count(&figures, err);
    if (rc == ERR_OK)
        rc = analytics_pairs_count(&figures, progress, err);
    if (rc == ERR_OK)
        rc = analytics_json_make(out, &figures, catalogue, err);
    figures_fini(&figures);
    return rc;
}
