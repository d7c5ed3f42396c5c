#include "worker/job_setup_search.h"

#include <string.h>

#include "worker/job_setup.h"

enum {
    DAY_S = 86400,
    RESUME_DAYS = 7, /* what is found out by data older than this is not worth going on with */
    KEEP_EVERY_MS = 1000,
    FEWER_FACTORS = 4,
    LESS_ALPHA = 8,
    LEAST_ALPHA = 80,
    DEFAULT_SEED = 123 /* of the golden split mask */
};

/* Beside the value of the settings: from nearly none to more than any shop measured so far wanted. */
static const double regularizations[] = {.005, .1, 1, 10, 100};

static void add_int(int *values, size_t *count, int value)
{
    for (size_t i = 0; i < *count; i++) {
        if (values[i] == value)
            return;
    }
    values[(*count)++] = value;
}

static void add_real(double *values, size_t *count, double value)
{
    for (size_t i = 0; i < *count; i++) {
        if (values[i] == value)
            return;
    }
    values[(*count)++] = value;
}

/* false: it is not given. */
static bool take_ints(int *values, size_t *count, const struct json *params, const char *name)
{
    const struct json *given = json_value_get(params, name);
    int64_t value;

    for (size_t i = 0; i < json_value_count(given) && i < SEARCH_GRID_MOST_VALUES; i++) {
        if (json_value_to_int64(json_value_at(given, i), &value))
            add_int(values, count, (int)value);
    }
    if (json_value_to_int64(given, &value))
        add_int(values, count, (int)value);
    return given != NULL;
}

static bool take_reals(double *values, size_t *count, const struct json *params, const char *name)
{
    const struct json *given = json_value_get(params, name);
    double value;

    for (size_t i = 0; i < json_value_count(given) && i < SEARCH_GRID_MOST_VALUES; i++) {
        if (json_value_to_double(json_value_at(given, i), &value))
            add_real(values, count, value);
    }
    if (json_value_to_double(given, &value))
        add_real(values, count, value);
    return given != NULL;
}

/* Each is one of the solvers, by its name in a list of one. */
static void set_solvers(struct search_grid *grid, enum als_solver usual, const struct json *params)
{
    static const struct {
        const char *name;
        enum als_solver solver;
    } solvers[SEARCH_GRID_SOLVERS] = {
        {"exact", ALS_SOLVER_EXACT}, {"cg", ALS_SOLVER_CG}, {"cholesky", ALS_SOLVER_CHOLESKY}};
    const struct json *given = json_value_get(params, "solver");

    for (size_t i = 0; i < json_value_count(given); i++) {
        const char *name = json_value_text(json_value_at(given, i));

        for (size_t j = 0; j < SEARCH_GRID_SOLVERS && grid->solver_count < SEARCH_GRID_SOLVERS; j++) {
            if (name != NULL && strcmp(name, solvers[j].name) == 0)
                grid->solvers[grid->solver_count++] = solvers[j].solver;
        }
    }
    if (grid->solver_count == 0)
        grid->solvers[grid->solver_count++] = usual; /* a single one that is given is the usual one */
}

static void set_grid(struct search_grid *grid, const struct als_params *usual, const struct json *params)
{
    *grid = (struct search_grid){0};
    set_solvers(grid, usual->solver, params);
    if (!take_ints(grid->factors, &grid->factors_count, params, "factors")) {
        if (usual->factors >= FEWER_FACTORS)
            add_int(grid->factors, &grid->factors_count, usual->factors / FEWER_FACTORS);
        add_int(grid->factors, &grid->factors_count, usual->factors);
    }
    if (!take_reals(grid->regularization, &grid->regularization_count, params, "regularization")) {
        for (size_t i = 0; i < sizeof regularizations / sizeof regularizations[0]; i++)
            add_real(grid->regularization, &grid->regularization_count, regularizations[i]);
        add_real(grid->regularization, &grid->regularization_count, usual->regularization);
    }
    if (!take_reals(grid->alpha, &grid->alpha_count, params, "alpha")) {
        add_real(grid->alpha, &grid->alpha_count, usual->alpha / LEAST_ALPHA);
        add_real(grid->alpha, &grid->alpha_count, usual->alpha / LESS_ALPHA);
        add_real(grid->alpha, &grid->alpha_count, usual->alpha);
    }
    if (!take_ints(grid->iterations, &grid->iterations_count, params, "iterations"))
        add_int(grid->iterations, &grid->iterations_count, usual->iterations);
}

static enum search_validation validation_of(const struct json *params)
{
    const char *given = json_value_get_text(params, "validation");

    if (given == NULL || strcmp(given, "time") == 0)
        return SEARCH_BY_TIME;
    return strcmp(given, "random") == 0 ? SEARCH_RANDOM : SEARCH_LAST_OUT;
}

/* Goes on from where an earlier attempt came to, as of its own `now`. */
static void set_earlier(struct search_params *out, const struct json *params, const struct json *earlier,
                        int64_t *now_s)
{
    bool resumable = false;
    int64_t then_s = 0;

    (void)json_value_get_bool(earlier, "resumable", &resumable);
    if (!resumable || !json_value_get_int64(earlier, "now", &then_s))
        return;
    if (json_value_get(params, "now") == NULL) {
        if (then_s > *now_s || *now_s - then_s > (int64_t)RESUME_DAYS * DAY_S) {
            out->not_resumed = "they are not of the last 7 days";
            return;
        }
        *now_s = then_s;
    }
    out->earlier = earlier;
}

void job_setup_search(struct search_params *out, const struct worker_settings *settings, const struct json *params,
                      const struct json *earlier, int64_t now_s)
{
    const char *bm25 = json_value_get_text(params, "bm25");
    int most = 30;
    int64_t seed = DEFAULT_SEED;

    *out = (struct search_params){.given = params, .keep_every_ms = KEEP_EVERY_MS};
    (void)json_value_get_int64(params, "now", &now_s);
    set_earlier(out, params, earlier, &now_s);
    job_setup_rows(&out->rows, settings, params, now_s);
    job_setup_weighing(&out->weigh, &out->matrix, settings, params, now_s);
    job_setup_als(&out->als, settings, params);
    set_grid(&out->grid, &out->als, params);
    job_setup_take_int(&most, params, "max_combinations");
    (void)json_value_get_int64(params, "search_seed", &seed);
    out->most_combinations = (size_t)most;
    out->search_seed = (uint64_t)seed;
    out->validation = validation_of(params);
    out->test_days = 14;
    job_setup_take_int(&out->test_days, params, "test_days");
    out->bm25_before = bm25 != NULL && strcmp(bm25, "before") == 0;
    out->warm_start = true;
    job_setup_take_bool(&out->warm_start, params, "warm_start");
}
