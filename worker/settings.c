#include "worker/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/base/zone.h"
#include "worker/als/als_backend.h"

enum { MAX_WEIGHT = 1000000 };

_Static_assert((int)PUBLISH_HOMEPAGE == (int)JOB_TARGET_HOMEPAGE && (int)PUBLISH_SIMILAR == (int)JOB_TARGET_SIMILAR &&
                   (int)PUBLISH_CROSS_SELL == (int)JOB_TARGET_CROSS_SELL &&
                   (int)PUBLISH_KIND_COUNT == (int)JOB_TARGET_COUNT,
               "what is published and where go by the same number");

static const double default_weights[ACTION_COUNT] = {
    [ACTION_PURCHASE] = 1,         [ACTION_INITIATE_CHECKOUT] = .7, [ACTION_ADD_TO_CART] = .5,
    [ACTION_ADD_TO_WISHLIST] = .3, [ACTION_CONTENT_VIEW] = .1,
};

static enum err_code parse_weight(double *weights, char *pair, struct err *err)
{
    char *equals = strchr(pair, '=');
    enum action action;
    double value;

    if (equals == NULL)
        return ERR_SET(err, ERR_CONFIG, "\"%s\" is not ACTION=WEIGHT", pair);
    *equals = '\0';
    if (!action_parse(pair, &action))
        return ERR_SET(err, ERR_CONFIG, "\"%s\" is no action", pair);
    if (!str_to_double(equals + 1, &value) || value < 0 || value > MAX_WEIGHT)
        return ERR_SET(err, ERR_CONFIG, "the weight \"%s\" of %s is not a number from 0 to %d", equals + 1, pair,
                       MAX_WEIGHT);
    weights[action] = value;
    return ERR_OK;
}

enum err_code settings_parse_weights(double *weights, const char *text, struct err *err)
{
    char *copy = strdup(text);
    char *rest = copy;
    char *pair;
    enum err_code rc = ERR_OK;

    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a setting");
    while (rc == ERR_OK && (pair = strsep(&rest, ",")) != NULL)
        rc = parse_weight(weights, pair, err);
    free(copy);
    return rc;
}

static void read_weighing(struct worker_settings *out, struct env *env)
{
    const char *text = env_text(env, "INTERACTION_WEIGHTS",
                                "purchase=1,initiate_checkout=.7,add_to_cart=.5,add_to_wishlist=.3,content_view=.1");
    struct err err;

    memcpy(out->weights, default_weights, sizeof out->weights);
    if (settings_parse_weights(out->weights, text, &err) != ERR_OK)
        env_problem(env, "INTERACTION_WEIGHTS: %s", err.message);
    out->decay_days = env_double(env, "INTERACTION_DECAY_SCALE", 25, 1e-3, 1e6);
    out->repeat_factor = env_double(env, "INTERACTION_REPEAT_DECAY_FACTOR", 0.8, 0, 1);
}

/* A limit that may be "off". */
static int read_limit(struct env *env, const char *name, int fallback)
{
    const char *text = env_text(env, name, "");

    return strcasecmp(text, "off") == 0 ? 0 : (int)env_int(env, name, fallback, 0, 1000000000);
}

static void read_outliers(struct worker_settings *out, struct env *env)
{
    static const char *const counts[] = {"rows", "activities", NULL};

    out->outliers.max_per_day = read_limit(env, "OUTLIER_MAX_PER_DAY", 150);
    out->outliers.max_per_minute = read_limit(env, "OUTLIER_MAX_PER_MINUTE", 0);
    out->outliers.max_products_per_session = read_limit(env, "OUTLIER_MAX_PRODUCTS_PER_SESSION", 0);
    out->outliers.regular_gaps = env_bool(env, "OUTLIER_REGULAR_GAPS", false);
    out->outliers.count_activities = env_choice(env, "OUTLIER_COUNT", counts, 0) == 1;
    out->excluded_users_file = env_text(env, "EXCLUDED_USERS_FILE", NULL);
    if (out->excluded_users_file != NULL && access(out->excluded_users_file, R_OK) != 0)
        env_problem(env, "EXCLUDED_USERS_FILE: %s cannot be read", out->excluded_users_file);
}

static void read_export(struct worker_settings *out, struct env *env)
{
    const char *dir = out->api_url + strlen("file:");
    struct stat status;

    out->export_dir = dir;
    if (dir[0] == '\0')
        env_problem(env, "API_URL: file: needs a folder");
    else if (stat(dir, &status) != 0)
        env_problem(env, "API_URL: the folder %s: %s", dir, strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        env_problem(env, "API_URL: %s is no folder", dir);
}

static void read_shop(struct worker_settings *out, struct env *env)
{
    out->api_url = env_url(env, "API_URL", NULL);
    if (out->api_url == NULL)
        env_problem(env, "API_URL: the shop's CMS is not set");
    else if (str_starts_with(out->api_url, "file:"))
        read_export(out, env);
    else if (!str_starts_with(out->api_url, "http://") && !str_starts_with(out->api_url, "https://"))
        env_problem(env, "API_URL: it begins with neither http:// nor https:// nor file:");
    out->bearer_token = env_secret(env, "BEARER_TOKEN", "");
    out->window_days = (int)env_int(env, "INTERACTIONS_WINDOW_DAYS", 365, 0, 36500);
    out->guard_percent = (int)env_int(env, "PUBLISH_GUARD_PERCENT", 50, 0, 100);
    out->evaluation_days = (int)env_int(env, "EVALUATION_DAYS", 14, 0, 365);
    out->timezone = env_text(env, "TIMEZONE", "UTC");
    if (!zone_is_known(out->timezone))
        env_problem(env, "TIMEZONE: this machine knows no zone \"%s\" (Europe/Berlin, UTC, …)", out->timezone);
    out->test_user = env_text(env, "TEST_EMAIL_FOR_RECOMMENDATIONS", NULL);
    out->test_product = env_text(env, "TEST_PRODUCT_FOR_SIMILAR_PRODUCTS", NULL);
    out->test_cross_sell = env_text(env, "TEST_PRODUCT_FOR_CROSS_SELL", NULL);
}

static void read_cache(struct worker_settings *out, struct env *env)
{
    const char *url = env_url(env, "CACHE_URL", "file:cache");

    if (str_starts_with(url, "azure:"))
        env_problem(env, "CACHE_URL: a cache in Azure storage is not built yet; use file:DIR");
    else if (!str_starts_with(url, "file:") || url[strlen("file:")] == '\0')
        env_problem(env, "CACHE_URL: it is not file:DIR");
    else
        out->cache_dir = url + strlen("file:");
}

void settings_profile_apply(struct als_params *params, enum settings_profile profile)
{
    bool quality = profile == SETTINGS_PROFILE_QUALITY;

    params->solver = quality ? ALS_SOLVER_EXACT : ALS_SOLVER_CG;
    params->factors = 800;
    params->regularization = quality ? 30 : 0.005;
    params->alpha = 800;
    params->iterations = quality ? 8 : 35;
}

/* What is asked for by name must be there: the first job is too late to say so. */
static void check_backend(enum als_backend_kind kind, struct env *env)
{
    const struct als_backend *backend;
    struct err err;

    if (kind == ALS_BACKEND_AUTO)
        return;
    backend = als_backend_find(kind);
    if (backend == NULL)
        env_problem(env, "BACKEND: this build has no %s", kind == ALS_BACKEND_CUDA ? "cuda" : "cpu");
    else if (backend->probe(&err) != ERR_OK)
        env_problem(env, "BACKEND: %s", err.message);
}

static void read_als(struct worker_settings *out, struct env *env)
{
    static const char *const profiles[] = {"quality", "service", NULL};
    static const char *const solvers[] = {"exact", "cg", "cholesky", NULL};
    static const char *const backends[] = {"auto", "cpu", "cuda", NULL};
    struct als_params *als = &out->als;

    out->profile = (enum settings_profile)env_choice(env, "ALS_PROFILE", profiles, 0);
    settings_profile_apply(als, out->profile);
    out->als_given = (struct settings_als_given){.solver = env_is_set(env, "ALS_SOLVER"),
                                                 .factors = env_is_set(env, "ALS_FACTORS"),
                                                 .regularization = env_is_set(env, "ALS_REGULARIZATION"),
                                                 .alpha = env_is_set(env, "ALS_ALPHA"),
                                                 .iterations = env_is_set(env, "ALS_ITERATIONS")};
    als->solver = (enum als_solver)env_choice(env, "ALS_SOLVER", solvers, (int)als->solver);
    als->factors = (int)env_int(env, "ALS_FACTORS", als->factors, 1, 4096);
    als->regularization = env_double(env, "ALS_REGULARIZATION", als->regularization, 0, 1e9);
    als->alpha = env_double(env, "ALS_ALPHA", als->alpha, 0, 1e9);
    als->iterations = (int)env_int(env, "ALS_ITERATIONS", als->iterations, 1, 1000);
    als->cg_steps = 3;
    als->seed = (uint64_t)env_int(env, "ALS_SEED", 42, 0, INT64_C(9007199254740991));
    als->backend = (enum als_backend_kind)env_choice(env, "BACKEND", backends, 0);
    als->threads = (int)env_int(env, "THREADS", 0, 0, 1024);
    check_backend(als->backend, env);
}

void settings_read(struct worker_settings *out, struct env *env)
{
    memset(out, 0, sizeof *out);
    job_settings_read(&out->job, env);
    metrics_listener_read_address(&out->metrics, env, "127.0.0.1:9465");
    read_shop(out, env);
    job_targets_read(out->targets, &out->job.queue_redis, env);
    read_weighing(out, env);
    read_outliers(out, env);
    read_cache(out, env);
    read_als(out, env);
}
