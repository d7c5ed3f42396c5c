#include "worker/pipeline/search_report.h"

#include <math.h>
#include <string.h>

#include "worker/pipeline/report.h"

static struct json *ints_json(const int *values, size_t count)
{
    struct json *array = json_value_new_array();

    for (size_t i = 0; i < count; i++)
        (void)json_value_append(array, json_value_new_int(values[i]));
    return array;
}

static struct json *reals_json(const double *values, size_t count)
{
    struct json *array = json_value_new_array();

    for (size_t i = 0; i < count; i++)
        (void)json_value_append(array, json_value_new_real(values[i]));
    return array;
}

static size_t count_users(const struct csr *test)
{
    size_t users = 0;

    for (size_t user = 0; user < test->rows; user++)
        users += test->offsets[user + 1] > test->offsets[user];
    return users;
}

static struct json *make_combinations(const struct search_report *search)
{
    struct json *object = json_value_new_object();
    int64_t ended = 0;
    int64_t reused = 0;
    int64_t failed = 0;

    for (size_t i = 0; i < search->count; i++) {
        ended += search->results[i].has_ended;
        reused += search->results[i].reused;
        failed += search->results[i].failed;
    }
    (void)json_value_set_int(object, "grid", (int64_t)search_grid_size(search->grid));
    (void)json_value_set_int(object, "chosen", (int64_t)search->count);
    (void)json_value_set_int(object, "ended", ended);
    (void)json_value_set_int(object, "reused", reused);
    (void)json_value_set_int(object, "failed", failed);
    return object;
}

static void set_info(struct json *report, const struct search_report *search)
{
    const struct holdout *holdout = search->holdout;
    struct json *info = json_value_new_object();
    struct json *train = json_value_new_object();

    (void)json_value_set_int(train, "users", (int64_t)holdout->train.users);
    (void)json_value_set_int(train, "products", (int64_t)holdout->train.products);
    (void)json_value_set_int(train, "pairs", (int64_t)holdout->train.pairs);
    (void)json_value_set_text(info, "validation", search->validation);
    (void)json_value_set_text(info, "bm25", search->bm25_before ? "before" : "after");
    if (holdout->days > 0) {
        (void)json_value_set_int(info, "test_days", holdout->days);
        (void)json_value_set_int(info, "cut", holdout->cut_s);
    }
    (void)json_value_set_int(info, "k", SEARCH_K);
    (void)json_value_set_int(info, "users", (int64_t)count_users(&holdout->test));
    (void)json_value_set(info, "train", train);
    (void)json_value_set_int(info, "test_pairs", (int64_t)csr_nonzeros(&holdout->test));
    (void)json_value_set_int(info, "seed", (int64_t)search->seed);
    (void)json_value_set_int(info, "search_seed", (int64_t)search->search_seed);
    (void)json_value_set(info, "combinations", make_combinations(search));
    (void)json_value_set(report, "test_info", info);
}

void search_report_begin(struct json *report, const struct search_report *search)
{
    const struct search_grid *grid = search->grid;
    struct json *object = json_value_new_object();
    struct json *solvers = json_value_new_array();

    for (size_t i = 0; i < grid->solver_count; i++)
        (void)json_value_append(solvers, json_value_new_text(report_solver_name(grid->solvers[i])));
    (void)json_value_set(object, "solver", solvers);
    (void)json_value_set(object, "factors", ints_json(grid->factors, grid->factors_count));
    (void)json_value_set(object, "regularization", reals_json(grid->regularization, grid->regularization_count));
    (void)json_value_set(object, "alpha", reals_json(grid->alpha, grid->alpha_count));
    (void)json_value_set(object, "iterations", ints_json(grid->iterations, grid->iterations_count));
    (void)json_value_set(report, "grid", object);
    (void)json_value_set(report, "baselines", json_value_new_object());
    (void)json_value_set(report, "all_results", json_value_new_array());
    set_info(report, search);
}

void search_report_add_baseline(struct json *report, const char *name, const struct search_metrics *metrics,
                                const char *why_not)
{
    struct json *object = json_value_new_object();

    if (why_not != NULL) {
        (void)json_value_set_text(object, "why_not", why_not);
    } else {
        (void)json_value_set_real(object, "score", search_score(metrics));
        (void)json_value_set(object, "metrics", search_metrics_json(metrics));
    }
    (void)json_value_set(json_value_get_mutable(report, "baselines"), name, object);
}

/* What a training needs beside the point so that it trains the same model. */
static void add_given(struct json *params, const struct json *given)
{
    static const char *const names[] = {"regularization_scaling",
                                        "tolerance",
                                        "acceleration",
                                        "cg_steps",
                                        "precision",
                                        "repeat_decay",
                                        "repeat_decay_factor",
                                        "interaction_decay_scale",
                                        "bm25_k1",
                                        "bm25_b",
                                        "min_user_interactions",
                                        "min_product_interactions"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct json *value = json_value_get(given, names[i]);

        if (value != NULL)
            (void)json_value_set(params, names[i], json_value_dup(value));
    }
}

void search_report_add(struct json *report, const struct search_report *search, const struct search_result *result)
{
    size_t best = search_results_best(search->results, search->count);

    (void)json_value_append(json_value_get_mutable(report, "all_results"), search_result_json(result));
    set_info(report, search);
    if (best == search->count)
        return;
    if (&search->results[best] == result) {
        struct json *params = search_point_json(&result->point);

        add_given(params, search->given);
        (void)json_value_set(report, "best_params", params);
        (void)json_value_set_real(report, "best_score", result->score);
    }
}

struct rival {
    const char *name;
    double score;
};

static bool find_rival(void *context, const char *name, const struct json *baseline)
{
    struct rival *best = context;
    double score;

    if (json_value_get_double(baseline, "score", &score) && score > best->score)
        *best = (struct rival){.name = name, .score = score};
    return true;
}

/* Of an axis of several values, where the best lies at an end: the next value beyond was not tried. */
static void warn_of_end(struct json *report, const char *name, const double *values, size_t count, double best)
{
    double low = INFINITY;
    double high = -INFINITY;

    for (size_t i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    if (count > 1 && (best == low || best == high))
        report_add_warning(report, "the best %s, %g, is the %s that was tried: one beyond it may be better", name, best,
                           best == low ? "least" : "largest");
}

void search_report_warn(struct json *report, const struct search_report *search)
{
    const struct search_grid *grid = search->grid;
    size_t place = search_results_best(search->results, search->count);
    const struct search_result *best = &search->results[place];
    struct rival rival = {0};

    if (place == search->count)
        return;
    rival.score = best->score;
    json_value_each(json_value_get(report, "baselines"), find_rival, &rival);
    if (rival.name != NULL)
        report_add_warning(report, "%s foretells better than each of these models: a score of %.4f against %.4f",
                           rival.name, rival.score, best->score);
    warn_of_end(report, "regularization", grid->regularization, grid->regularization_count, best->point.regularization);
    warn_of_end(report, "alpha", grid->alpha, grid->alpha_count, best->point.alpha);
}
