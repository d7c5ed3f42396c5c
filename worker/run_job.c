#include "worker/run_job.h"

#include <stdio.h>
#include <string.h>

#include "common/base/zone.h"
#include "common/job/job_params.h"
#include "worker/connect/blob_folder.h"
#include "worker/connect/cms.h"
#include "worker/connect/folder.h"
#include "worker/job_setup.h"

/* What a run holds; all may be NULL. */
struct run {
    struct cms *cms;
    struct folder *export;
    struct blob_folder *folder;
    struct blob_store store; /* the folder's */
    struct cache *cache;
    struct id_table *excluded;
    struct redis_sink *sink;
};

bool run_job_publishes(const struct json *params)
{
    bool publish = true;

    (void)json_value_get_bool(params, "publish", &publish);
    return publish;
}

enum err_code run_job_check(const struct worker_settings *settings, const struct run_job_request *request,
                            struct err *err)
{
    const char *named = json_value_get_text(request->params, "namespace");
    const char *shop = settings->job.shop;

    if (request->type != JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS)
        return ERR_SET(err, ERR_ARGUMENT, "jobs of type %s are not built yet", job_type_name(request->type));
    if (named != NULL && strcmp(named, shop) != 0)
        return ERR_SET(err, ERR_ARGUMENT, "the job is of the shop %s, but its parameter namespace is \"%.63s\"", shop,
                       named);
    return job_params_check(request->type, request->params, err);
}

static enum err_code create_sink(struct run *run, const struct worker_settings *settings,
                                 const struct run_job_request *request, struct err *err)
{
    struct redis_sink_config config = {
        .fence = request->fence, .permit = request->permit, .context = request->permit_context};

    for (unsigned kind = 0; kind < PUBLISH_KIND_COUNT; kind++) {
        const struct job_target *target = &settings->targets[kind];

        config.targets[kind] =
            (struct redis_sink_target){.url = target->url, .prefix = target->prefix, .ttl_s = target->ttl_s};
    }
    return redis_sink_create(&run->sink, &config, err);
}

/* Before anything is computed: else the child of a worker that was stopped could publish late, since the targets would
 * not have seen the newer fence. */
static enum err_code raise_fences(const struct run *run, struct child_end *end, struct err *err)
{
    static const enum publish_kind kinds[] = {PUBLISH_HOMEPAGE, PUBLISH_SIMILAR};
    struct sink sink = redis_sink_interface(run->sink);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof kinds / sizeof kinds[0]; i++)
        rc = sink.raise_fence(sink.self, kinds[i], err);
    end->refused_at_start = rc == ERR_FENCED;
    return rc;
}

static enum err_code create_source(struct run *run, struct source *source, const struct worker_settings *settings,
                                   struct err *err)
{
    const struct cms_config cms = {
        .url = settings->api_url, .token = settings->bearer_token, .shop = settings->job.shop};
    enum err_code rc;

    if (settings->export_dir != NULL) {
        rc = folder_create(&run->export, settings->export_dir, err);
        if (rc == ERR_OK)
            *source = folder_source(run->export);
        return rc;
    }
    rc = cms_create(&run->cms, &cms, err);
    if (rc == ERR_OK)
        *source = cms_source(run->cms);
    return rc;
}

/* An export is at hand whenever it is needed: of it only the factors are kept. */
static enum err_code create_inputs(struct run *run, struct homepage_inputs *inputs,
                                   const struct worker_settings *settings, const struct run_job_request *request,
                                   struct err *err)
{
    enum err_code rc = create_source(run, &inputs->source, settings, err);

    if (rc == ERR_OK)
        rc = blob_folder_create(&run->folder, settings->cache_dir, err);
    if (rc != ERR_OK)
        return rc;
    run->store = blob_folder_store(run->folder);
    if (run->export == NULL)
        rc = cache_create(&run->cache, &run->store, inputs->source.identity, err);
    if (rc != ERR_OK)
        return rc;
    inputs->cache = run->cache;
    inputs->factors = &run->store;
    inputs->progress = request->progress;
    inputs->last_published = request->last_published;
    if (run->sink != NULL)
        inputs->sink = redis_sink_interface(run->sink);
    return settings->excluded_users_file != NULL
               ? job_setup_read_excluded(&run->excluded, settings->excluded_users_file, err)
               : ERR_OK;
}

/* {users, products, published}: of the document */
static struct json *make_result(const struct json *report)
{
    const struct json *matrix = json_value_get(report, "matrix");
    const struct json *counts = json_value_get(report, "published_counts");
    struct json *result = json_value_new_object();
    int64_t users = 0;
    int64_t products = 0;
    int64_t homepage = 0;
    int64_t similar = 0;

    (void)json_value_get_int64(matrix, "users", &users);
    (void)json_value_get_int64(matrix, "products", &products);
    (void)json_value_get_int64(counts, "homepage_keys", &homepage);
    (void)json_value_get_int64(counts, "similar_keys", &similar);
    if (result == NULL || !json_value_set_int(result, "users", users) ||
        !json_value_set_int(result, "products", products) ||
        !json_value_set_int(result, "published", homepage + similar)) {
        json_value_destroy(result);
        return NULL;
    }
    return result;
}

static enum err_code run_homepage(struct run *run, struct child_end *end, const struct worker_settings *settings,
                                  const struct run_job_request *request, struct err *err)
{
    struct homepage_params params;
    struct homepage_inputs inputs = {0};
    const char *backend;
    enum err_code rc = ERR_OK;

    if (run_job_publishes(request->params)) {
        rc = create_sink(run, settings, request, err);
        if (rc == ERR_OK)
            rc = raise_fences(run, end, err);
    }
    if (rc == ERR_OK)
        rc = create_inputs(run, &inputs, settings, request, err);
    if (rc != ERR_OK)
        return rc;
    job_setup_homepage(&params, settings, request->params, request->now_s);
    params.outliers.excluded = run->excluded;
    params.dump_dir = request->dump_dir;
    rc = zone_use(settings->timezone, err);
    if (rc != ERR_OK)
        return rc;
    rc = homepage_job_run(&end->report, &params, &inputs, err);
    backend = json_value_get_text(json_value_get(end->report, "als"), "backend");
    (void)snprintf(end->backend, sizeof end->backend, "%s", backend != NULL ? backend : "");
    if (rc == ERR_OK)
        end->result = make_result(end->report);
    return rc;
}

void run_job_run(struct child_end *end, const struct worker_settings *settings, const struct run_job_request *request)
{
    struct run run = {0};
    enum err_code rc;

    *end = (struct child_end){0};
    rc = run_job_check(settings, request, &end->err);
    if (rc == ERR_OK)
        rc = run_homepage(&run, end, settings, request, &end->err);
    end->err.code = rc;
    if (run.sink != NULL)
        end->newest_fence = redis_sink_newest_fence(run.sink);
    redis_sink_destroy(run.sink);
    cache_destroy(run.cache);
    blob_folder_destroy(run.folder);
    cms_destroy(run.cms);
    folder_destroy(run.export);
    id_table_destroy(run.excluded);
}
