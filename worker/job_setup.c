#include "worker/job_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/zone.h"

enum {
    WARM_ITERATIONS = 3, /* as good as 8 cold ones (measured on both golden shops) */
    SESSION_S = 12 * 3600
};

void job_setup_take_int(int *value, const struct json *params, const char *name)
{
    int64_t given;

    if (json_value_get_int64(params, name, &given))
        *value = (int)given;
}

void job_setup_take_real(double *value, const struct json *params, const char *name)
{
    (void)json_value_get_double(params, name, value);
}

void job_setup_take_bool(bool *value, const struct json *params, const char *name)
{
    (void)json_value_get_bool(params, name, value);
}

static bool is_choice(const struct json *params, const char *name, const char *choice)
{
    const char *given = json_value_get_text(params, name);

    return given != NULL && strcmp(given, choice) == 0;
}

void job_setup_als(struct als_params *out, const struct worker_settings *settings, const struct json *params)
{
    const struct als_params *set = &settings->als;
    const struct settings_als_given *given = &settings->als_given;
    enum settings_profile profile = settings->profile;
    int64_t seed;

    if (is_choice(params, "profile", "quality"))
        profile = SETTINGS_PROFILE_QUALITY;
    else if (is_choice(params, "profile", "service"))
        profile = SETTINGS_PROFILE_SERVICE;
    *out = *set;
    settings_profile_apply(out, profile);
    out->solver = given->solver ? set->solver : out->solver;
    out->factors = given->factors ? set->factors : out->factors;
    out->regularization = given->regularization ? set->regularization : out->regularization;
    out->alpha = given->alpha ? set->alpha : out->alpha;
    out->iterations = given->iterations ? set->iterations : out->iterations;

    if (is_choice(params, "solver", "exact"))
        out->solver = ALS_SOLVER_EXACT;
    else if (is_choice(params, "solver", "cg"))
        out->solver = ALS_SOLVER_CG;
    else if (is_choice(params, "solver", "cholesky"))
        out->solver = ALS_SOLVER_CHOLESKY;
    if (is_choice(params, "precision", "tf32"))
        out->precision = ALS_PRECISION_TF32;
    else if (is_choice(params, "precision", "fp16"))
        out->precision = ALS_PRECISION_FP16;
    job_setup_take_int(&out->factors, params, "factors");
    job_setup_take_real(&out->regularization, params, "regularization");
    if (json_value_get_text(params, "regularization_scaling") != NULL)
        out->regularization_scaling =
            is_choice(params, "regularization_scaling", "frequency") ? ALS_SCALING_FREQUENCY : ALS_SCALING_NONE;
    job_setup_take_real(&out->alpha, params, "alpha");
    job_setup_take_int(&out->iterations, params, "iterations");
    job_setup_take_real(&out->tolerance, params, "tolerance");
    if (json_value_get_text(params, "acceleration") != NULL)
        out->acceleration = is_choice(params, "acceleration", "on");
    job_setup_take_int(&out->cg_steps, params, "cg_steps");
    if (json_value_get_int64(params, "seed", &seed))
        out->seed = (uint64_t)seed;
}

static void set_outliers(struct outlier_params *out, const struct worker_settings *settings, const struct json *params)
{
    *out = settings->outliers;
    job_setup_take_int(&out->max_per_day, params, "outlier_max_per_day");
    job_setup_take_int(&out->max_per_minute, params, "outlier_max_per_minute");
    job_setup_take_int(&out->max_products_per_session, params, "outlier_max_products_per_session");
    job_setup_take_bool(&out->regular_gaps, params, "outlier_regular_gaps");
    if (json_value_get_text(params, "outlier_count") != NULL)
        out->count_activities = is_choice(params, "outlier_count", "activities");
}

void job_setup_weighing(struct weigh_params *weigh, struct matrix_params *matrix,
                        const struct worker_settings *settings, const struct json *params, int64_t now_s)
{
    *weigh = (struct weigh_params){.now_s = now_s,
                                   .decay_days = settings->decay_days,
                                   .repeat_factor = settings->repeat_factor,
                                   .repeat_decay = is_choice(params, "repeat_decay", "each") ? REPEAT_DECAY_EACH
                                                                                             : REPEAT_DECAY_SUM};
    memcpy(weigh->weights, settings->weights, sizeof weigh->weights);
    job_setup_take_real(&weigh->decay_days, params, "interaction_decay_scale");
    job_setup_take_real(&weigh->repeat_factor, params, "repeat_decay_factor");

    *matrix = (struct matrix_params){.min_user_rows = 3, .min_product_rows = 5, .bm25_k1 = 1.2, .bm25_b = 0.3};
    job_setup_take_int(&matrix->min_user_rows, params, "min_user_interactions");
    job_setup_take_int(&matrix->min_product_rows, params, "min_product_interactions");
    job_setup_take_real(&matrix->bm25_k1, params, "bm25_k1");
    job_setup_take_real(&matrix->bm25_b, params, "bm25_b");
}

void job_setup_analytics(struct analytics_params *out, const struct worker_settings *settings,
                         const struct weigh_params *weigh, const struct matrix_params *matrix)
{
    *out = (struct analytics_params){.now_s = weigh->now_s,
                                     .timezone = settings->timezone,
                                     .offset_s = zone_offset_s,
                                     .decay_days = weigh->decay_days,
                                     .session_s = SESSION_S,
                                     .min_user_rows = matrix->min_user_rows,
                                     .min_product_rows = matrix->min_product_rows};
    memcpy(out->weights, weigh->weights, sizeof out->weights);
}

void job_setup_rows(struct job_rows_params *out, const struct worker_settings *settings, const struct json *params,
                    int64_t now_s)
{
    out->fetch = (struct fetch_params){
        .now_s = now_s, .window_days = settings->window_days, .keep_window_days = settings->window_days};
    job_setup_take_int(&out->fetch.window_days, params, "window_days");
    set_outliers(&out->outliers, settings, params);
}

/* The `cg` solver is for who wants what the replaced service trained, and who names a seed wants the start that it
 * draws: both begin cold, unless asked otherwise. */
static void set_warm_start(struct homepage_params *out, const struct worker_settings *settings,
                           const struct json *params)
{
    bool iterations_given = settings->als_given.iterations || json_value_get(params, "iterations") != NULL;

    out->warm_start = out->als.solver != ALS_SOLVER_CG && json_value_get(params, "seed") == NULL;
    job_setup_take_bool(&out->warm_start, params, "warm_start");
    out->warm_iterations = iterations_given ? out->als.iterations : WARM_ITERATIONS;
}

void job_setup_homepage(struct homepage_params *out, const struct worker_settings *settings, const struct json *params,
                        int64_t now_s)
{
    *out = (struct homepage_params){.sample_user = settings->test_user, .sample_product = settings->test_product};
    (void)json_value_get_int64(params, "now", &now_s);
    job_setup_rows(&out->rows, settings, params, now_s);
    job_setup_weighing(&out->weigh, &out->matrix, settings, params, now_s);
    job_setup_als(&out->als, settings, params);
    set_warm_start(out, settings, params);

    out->recommend = (struct recommend_params){
        .list_size = 18, .similar_size = 10, .similar_floor = 0.3, .threads = settings->als.threads};
    job_setup_take_int(&out->recommend.list_size, params, "recommendations");
    job_setup_take_int(&out->recommend.similar_size, params, "similar_products");
    job_setup_take_real(&out->recommend.similar_floor, params, "similar_floor");

    job_setup_analytics(&out->analytics, settings, &out->weigh, &out->matrix);
    out->evaluation_days = settings->evaluation_days;
    out->publish = (struct publish_params){.enabled = true, .guard_percent = settings->guard_percent};
    job_setup_take_bool(&out->publish.enabled, params, "publish");
    job_setup_take_bool(&out->publish.force, params, "force");
}

enum err_code job_setup_read_excluded(struct id_table **out, const char *path, struct err *err)
{
    struct id_table *table = NULL;
    FILE *file = NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    uint32_t index;
    enum err_code rc;

    *out = NULL;
    rc = id_table_create(&table, err);
    if (rc != ERR_OK)
        return rc;
    file = fopen(path, "re");
    if (file == NULL)
        rc = ERR_SET(err, ERR_CONFIG, "EXCLUDED_USERS_FILE: open %s: %s", path, strerror(errno));
    while (rc == ERR_OK && (length = getline(&line, &capacity, file)) >= 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            length--;
        if (length > 0)
            rc = id_table_intern(table, line, (size_t)length, &index, err);
    }
    if (rc == ERR_OK && ferror(file))
        rc = ERR_SET(err, ERR_IO, "EXCLUDED_USERS_FILE: read %s: %s", path, strerror(errno));
    free(line);
    if (file != NULL)
        (void)fclose(file);
    if (rc != ERR_OK) {
        id_table_destroy(table);
        return rc;
    }
    *out = table;
    return ERR_OK;
}
