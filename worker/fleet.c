#include "worker/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_shops.h"
#include "worker/targets.h"

/* One shop's settings and what their texts are borrowed from. */
struct shop {
    struct env *env;
    char *cache_dir; /* NULL: the setting's */
    struct worker_settings settings;
};

struct fleet {
    struct env *env;         /* where problems go */
    struct env *plain_env;   /* without any shop's members */
    struct job_shops *shops; /* NULL: there are problems */
    bool *told;              /* which problems of plain_env are in env */
    struct targets *targets;
    struct shop taken;
    struct worker_settings plain;
};

static void shop_fini(struct shop *shop)
{
    env_destroy(shop->env);
    free(shop->cache_dir);
    *shop = (struct shop){0};
}

/* The default shop's cache is the folder itself, as where there is one shop; each other one has a folder in it. */
static enum err_code set_cache(const struct fleet *fleet, struct shop *shop, struct err *err)
{
    struct worker_settings *settings = &shop->settings;

    settings->is_default_shop = strcmp(settings->job.shop, fleet->plain.job.shop) == 0;
    if (settings->cache_dir == NULL || settings->is_default_shop)
        return ERR_OK;
    shop->cache_dir = str_format("%s/shop-%s", settings->cache_dir, settings->job.shop);
    if (shop->cache_dir == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a shop");
    settings->cache_dir = shop->cache_dir;
    return ERR_OK;
}

static enum err_code read_shop(const struct fleet *fleet, const char *name, struct shop *out, struct err *err)
{
    enum err_code rc;

    *out = (struct shop){0};
    rc = env_dup(&out->env, fleet->env, err);
    if (rc == ERR_OK)
        rc = job_shops_apply(fleet->shops, name, out->env, err);
    if (rc == ERR_OK) {
        settings_read(&out->settings, out->env);
        rc = set_cache(fleet, out, err);
    }
    if (rc != ERR_OK)
        shop_fini(out);
    return rc;
}

enum err_code fleet_create(struct fleet **out, struct env *env, struct err *err)
{
    struct fleet *fleet = mem_zeroed(1, sizeof *fleet);
    size_t before = env_problem_count(env);
    enum err_code rc;

    *out = NULL;
    if (fleet == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
    fleet->env = env;
    rc = env_dup(&fleet->plain_env, env, err);
    if (rc == ERR_OK)
        rc = targets_create(&fleet->targets, err);
    if (rc != ERR_OK)
        goto done;
    settings_read(&fleet->plain, fleet->plain_env);
    fleet->told = mem_zeroed(env_problem_count(fleet->plain_env), sizeof *fleet->told);
    if (fleet->told == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
        goto done;
    }
    job_shops_open(&fleet->shops, fleet->plain.job.shop, fleet->plain.job.namespaces_file, env);
    if (fleet->shops == NULL && env_problem_count(env) == before) { /* not even for a problem */
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");
        goto done;
    }
    *out = fleet;
    fleet = NULL;
done:
    fleet_destroy(fleet);
    return rc;
}

void fleet_destroy(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    shop_fini(&fleet->taken);
    targets_destroy(fleet->targets);
    job_shops_destroy(fleet->shops);
    env_destroy(fleet->plain_env);
    free(fleet->told);
    free(fleet);
}

const struct worker_settings *fleet_settings(const struct fleet *fleet)
{
    return &fleet->plain;
}

/* Whether the environment alone has that problem too; told once, without a shop's name. */
static bool tell_plain(struct fleet *fleet, const char *problem)
{
    for (size_t i = 0; i < env_problem_count(fleet->plain_env); i++) {
        if (strcmp(env_problem_at(fleet->plain_env, i), problem) != 0)
            continue;
        if (!fleet->told[i])
            env_problem(fleet->env, "%s", problem);
        fleet->told[i] = true;
        return true;
    }
    return false;
}

static void tell(struct fleet *fleet, const struct shop *shop)
{
    for (size_t i = 0; i < env_problem_count(shop->env); i++) {
        const char *problem = env_problem_at(shop->env, i);

        if (!tell_plain(fleet, problem))
            env_problem(fleet->env, "NAMESPACES_FILE: %s: %s: %s", fleet->plain.job.namespaces_file,
                        shop->settings.job.shop, problem);
    }
}

enum err_code fleet_check(struct fleet *fleet, const char *only, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (only != NULL && only[0] == '\0')
        only = fleet->plain.job.shop;
    if (fleet->shops == NULL) {
        for (size_t i = 0; i < env_problem_count(fleet->plain_env); i++)
            (void)tell_plain(fleet, env_problem_at(fleet->plain_env, i));
        return ERR_OK;
    }
    for (size_t i = 0; rc == ERR_OK && i < job_shops_count(fleet->shops); i++) {
        const char *name = job_shops_name(fleet->shops, i);
        struct shop shop;

        rc = read_shop(fleet, name, &shop, err);
        if (rc != ERR_OK)
            break;
        if (only == NULL || strcmp(only, name) == 0)
            tell(fleet, &shop);
        rc = targets_add(fleet->targets, name, &shop.settings, err);
        shop_fini(&shop);
    }
    if (rc == ERR_OK)
        targets_note_collisions(fleet->targets, only, fleet->env);
    return rc;
}

void fleet_check_targets(struct fleet *fleet)
{
    targets_note_unusable(fleet->targets, fleet->env);
}

enum err_code fleet_take(struct fleet *fleet, const char *shop, const struct worker_settings **out, struct err *err)
{
    const struct job_settings *plain = &fleet->plain.job;
    const char *name = shop[0] != '\0' ? shop : plain->shop;
    enum err_code rc;

    *out = NULL;
    if (name[0] == '\0')
        return ERR_SET(err, ERR_NOT_FOUND, "the job names no shop, and there is no API_NAMESPACE");
    if (fleet->shops == NULL || !job_shops_know(fleet->shops, name))
        return plain->namespaces_file != NULL
                   ? ERR_SET(err, ERR_NOT_FOUND, "NAMESPACES_FILE: %s knows no shop %.63s", plain->namespaces_file,
                             name)
                   : ERR_SET(err, ERR_NOT_FOUND,
                             "this worker serves the shop %s (API_NAMESPACE); it knows no shop %.63s", plain->shop,
                             name);
    shop_fini(&fleet->taken);
    rc = read_shop(fleet, name, &fleet->taken, err);
    if (rc == ERR_OK)
        *out = &fleet->taken.settings;
    return rc;
}

enum err_code fleet_print(const struct fleet *fleet, FILE *file, struct err *err)
{
    env_print(fleet->plain_env, file);
    return fleet->shops != NULL ? job_shops_print(fleet->shops, file, err) : ERR_OK;
}
