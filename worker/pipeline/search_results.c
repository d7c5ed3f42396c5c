#include "worker/pipeline/search_results.h"

#include <math.h>
#include <string.h>

#include "worker/pipeline/report.h"

double search_score(const struct search_metrics *metrics)
{
    return .25 * metrics->precision + .20 * metrics->precision_short + .20 * metrics->auc + .20 * metrics->map +
           .15 * metrics->ndcg;
}

struct search_metrics search_metrics_of(const struct evaluate_metrics *at_k, const struct evaluate_metrics *at_short_k)
{
    return (struct search_metrics){.precision = at_k->precision,
                                   .precision_short = at_short_k->precision,
                                   .map = at_k->map,
                                   .ndcg = at_k->ndcg,
                                   .auc = at_k->auc};
}

size_t search_results_best(const struct search_result *results, size_t count)
{
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        if (results[i].has_ended && !results[i].failed && (best == count || results[i].score > results[best].score))
            best = i;
    }
    return best;
}

struct json *search_point_json(const struct search_point *point)
{
    struct json *object = json_value_new_object();

    if (object != NULL && json_value_set_text(object, "solver", report_solver_name(point->solver)) &&
        json_value_set_int(object, "factors", point->factors) &&
        json_value_set_real(object, "regularization", point->regularization) &&
        json_value_set_real(object, "alpha", point->alpha) &&
        json_value_set_int(object, "iterations", point->iterations))
        return object;
    json_value_destroy(object);
    return NULL;
}

struct json *search_metrics_json(const struct search_metrics *metrics)
{
    struct json *object = json_value_new_object();

    if (object != NULL && json_value_set_real(object, "precision_at_10", metrics->precision) &&
        json_value_set_real(object, "precision_at_5", metrics->precision_short) &&
        json_value_set_real(object, "map_at_10", metrics->map) &&
        json_value_set_real(object, "ndcg_at_10", metrics->ndcg) &&
        json_value_set_real(object, "auc_at_10", metrics->auc))
        return object;
    json_value_destroy(object);
    return NULL;
}

static bool fill_error(struct json *object, const struct err *err)
{
    struct json *error = json_value_new_object();
    bool made = json_value_set_text(error, "code", err_code_name(err->code)) &&
                json_value_set_text(error, "message", err->message);

    return json_value_set(object, "error", error) && made;
}

static bool fill_figures(struct json *object, const struct search_result *result)
{
    bool made = json_value_set_real(object, "score", result->score) &&
                json_value_set(object, "metrics", search_metrics_json(&result->metrics)) &&
                json_value_set_real(object, "loss", result->loss) &&
                json_value_set_real(object, "seconds", round(result->seconds * 1000) / 1000);

    if (result->continued_from > 0)
        made = json_value_set_int(object, "continued_from", result->continued_from) && made;
    if (result->reused)
        made = json_value_set_bool(object, "reused", true) && made;
    return made;
}

struct json *search_result_json(const struct search_result *result)
{
    struct json *object = json_value_new_object();

    if (object != NULL && json_value_set(object, "params", search_point_json(&result->point)) &&
        (result->failed ? fill_error(object, &result->err) : fill_figures(object, result)) &&
        (!result->usual || json_value_set_bool(object, "usual", true)))
        return object;
    json_value_destroy(object);
    return NULL;
}

/* JSON keeps 15 digits. */
static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

static bool is_of_point(const struct json *params, const struct search_point *point)
{
    const char *solver = json_value_get_text(params, "solver");
    int64_t factors = 0;
    int64_t iterations = 0;
    double regularization = NAN;
    double alpha = NAN;

    (void)json_value_get_int64(params, "factors", &factors);
    (void)json_value_get_int64(params, "iterations", &iterations);
    (void)json_value_get_double(params, "regularization", &regularization);
    (void)json_value_get_double(params, "alpha", &alpha);
    return solver != NULL && strcmp(solver, report_solver_name(point->solver)) == 0 && factors == point->factors &&
           iterations == point->iterations && is_near(regularization, point->regularization) &&
           is_near(alpha, point->alpha);
}

static bool take(struct search_result *result, const struct json *earlier)
{
    const struct json *metrics = json_value_get(earlier, "metrics");
    struct search_metrics found;
    int64_t continued_from = 0;

    if (!json_value_get_double(metrics, "precision_at_10", &found.precision) ||
        !json_value_get_double(metrics, "precision_at_5", &found.precision_short) ||
        !json_value_get_double(metrics, "map_at_10", &found.map) ||
        !json_value_get_double(metrics, "ndcg_at_10", &found.ndcg) ||
        !json_value_get_double(metrics, "auc_at_10", &found.auc) ||
        !json_value_get_double(earlier, "score", &result->score))
        return false;
    (void)json_value_get_double(earlier, "loss", &result->loss);
    (void)json_value_get_double(earlier, "seconds", &result->seconds);
    (void)json_value_get_int64(earlier, "continued_from", &continued_from);
    result->continued_from = (int)continued_from;
    result->metrics = found;
    result->has_ended = true;
    result->reused = true;
    return true;
}

size_t search_results_take(struct search_result *results, size_t count, const struct json *all_results)
{
    size_t taken = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; !results[i].has_ended && j < json_value_count(all_results); j++) {
            const struct json *earlier = json_value_at(all_results, j);

            if (is_of_point(json_value_get(earlier, "params"), &results[i].point))
                taken += take(&results[i], earlier);
        }
    }
    return taken;
}
