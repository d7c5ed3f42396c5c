/*
 * The worker's settings as plain data; configuration.md describes each. Texts are borrowed from the env.
 */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/env.h"
#include "common/job/job_settings.h"
#include "common/job/job_targets.h"
#include "common/net/metrics_listener.h"
#include "worker/als/als.h"
#include "worker/pipeline/interactions.h"
#include "worker/pipeline/outliers.h"
#include "worker/pipeline/sink.h"

enum settings_profile { SETTINGS_PROFILE_QUALITY, SETTINGS_PROFILE_SERVICE };

/* Which numbers of `als` were set by name, and so win over a job's profile. */
struct settings_als_given {
    bool solver;
    bool factors;
    bool regularization;
    bool alpha;
    bool iterations;
};

struct worker_settings {
    struct job_settings job;
    struct metrics_address metrics;                /* METRICS_LISTEN */
    struct job_target targets[PUBLISH_KIND_COUNT]; /* the kinds are those of job_targets.h */
    const char *api_url;                           /* API_URL; NULL where it is missing, which is a problem */
    const char *export_dir;                        /* of API_URL=file:DIR; NULL: it is a CMS */
    const char *bearer_token;                      /* "" for none */
    int window_days;                               /* INTERACTIONS_WINDOW_DAYS; 0: all */
    double weights[ACTION_COUNT];
    double decay_days;
    double repeat_factor;
    int guard_percent;
    const char *timezone;  /* TIMEZONE: known to this machine */
    int evaluation_days;   /* EVALUATION_DAYS: held out to measure the model by; 0: it is not */
    const char *cache_dir; /* of CACHE_URL=file:DIR */
    bool is_default_shop;  /* the one of the environment, API_NAMESPACE */
    struct outlier_params outliers;
    const char *excluded_users_file; /* NULL: none */
    enum settings_profile profile;
    struct als_params als; /* of the profile, with what was given put over it */
    struct settings_als_given als_given;
    const char *test_user;       /* NULL: any */
    const char *test_product;    /* TEST_PRODUCT_FOR_SIMILAR_PRODUCTS */
    const char *test_cross_sell; /* TEST_PRODUCT_FOR_CROSS_SELL */
};

/* Reads all; problems are noted in the env. */
void settings_read(struct worker_settings *out, struct env *env);

/* What a profile trains with (als.md); backend, seed and threads are left alone. */
void settings_profile_apply(struct als_params *params, enum settings_profile profile);

/* INTERACTION_WEIGHTS: "purchase=1,add_to_cart=.5"; an action that is not named keeps its weight. ERR_CONFIG. */
enum err_code settings_parse_weights(double *weights, const char *text, struct err *err) MUST_CHECK;

#endif
