#include "worker/run_job.h"

#include <string.h>

#include "common/base/zone.h"
#include "common/job/job_params.h"
#include "worker/connect/blob_folder.h"
#include "worker/connect/cms.h"
#include "worker/connect/folder.h"
#include "worker/connect/warehouse_mongo.h"
#include "worker/job_setup.h"
#include "worker/run_kind.h"

/* What a run holds; all may be NULL. */
struct run {
    struct cms *cms;
    struct folder *export;
    struct blob_folder *folder;
    struct blob_store store; /* the folder's */
    struct cache *cache;
    struct id_table *excluded;
    struct redis_sink *sink;
    struct warehouse_mongo *warehouse;
};

/* How jobs of a type are run, and what they publish. */
struct kind {
    run_kind_fn run;
    size_t target_count;
    enum publish_kind targets[2];
    bool loads; /* the warehouse */
};

static const struct kind kinds[JOB_TYPE_COUNT] = {
    [JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS] = {.run = run_homepage,
                                           .target_count = 2,
                                           .targets = {PUBLISH_HOMEPAGE, PUBLISH_SIMILAR}},
    [JOB_CROSS_SELL] = {.run = run_cross_sell, .target_count = 1, .targets = {PUBLISH_CROSS_SELL}},
    [JOB_HYPERPARAMETER_SEARCH] = {.run = run_search},
    [JOB_WAREHOUSE] = {.run = run_warehouse, .loads = true},
};

bool run_job_publishes(enum job_type type, const struct json *params)
{
    bool publish = true;

    (void)json_value_get_bool(params, "publish", &publish);
    return publish && (kinds[type].target_count > 0 || kinds[type].loads);
}

enum err_code run_job_check(const struct worker_settings *settings, const struct run_job_request *request,
                            struct err *err)
{
    const char *named = json_value_get_text(request->params, "namespace");
    const char *shop = settings->job.shop;

    if (named != NULL && strcmp(named, shop) != 0)
        return ERR_SET(err, ERR_ARGUMENT, "the job is of the shop %s, but its parameter namespace is \"%.63s\"", shop,
                       named);
    if (kinds[request->type].loads && warehouse_mongo_check(settings->job.store_url, err) != ERR_OK)
        return ERR_CONFIG;
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

static enum err_code create_warehouse(struct run *run, const struct worker_settings *settings,
                                      const struct run_job_request *request, struct err *err)
{
    const struct warehouse_mongo_config config = {.url = settings->job.store_url,
                                                  .shop = settings->is_default_shop ? NULL : settings->job.shop,
                                                  .fence = request->fence,
                                                  .permit = request->permit,
                                                  .context = request->permit_context};

    return warehouse_mongo_create(&run->warehouse, &config, err);
}

/* Before anything is computed: else the child of a worker that was stopped could publish late, since the targets would
 * not have seen the newer fence. */
static enum err_code raise_fences(const struct run *run, const struct kind *kind, struct child_end *end,
                                  struct err *err)
{
    struct sink sink = redis_sink_interface(run->sink);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < kind->target_count; i++)
        rc = sink.raise_fence(sink.self, kind->targets[i], err);
    if (rc == ERR_OK && kind->loads) {
        struct warehouse warehouse = warehouse_mongo_interface(run->warehouse);

        rc = warehouse.raise_fence(warehouse.self, err);
    }
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
static enum err_code create_inputs(struct run *run, struct job_inputs *inputs, const struct worker_settings *settings,
                                   const struct run_job_request *request, struct err *err)
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
    inputs->dump_dir = request->dump_dir;
    if (run->sink != NULL)
        inputs->sink = redis_sink_interface(run->sink);
    if (run->warehouse != NULL)
        inputs->warehouse = warehouse_mongo_interface(run->warehouse);
    return settings->excluded_users_file != NULL
               ? job_setup_read_excluded(&run->excluded, settings->excluded_users_file, err)
               : ERR_OK;
}

static enum err_code run_kind(struct run *run, struct child_end *end, const struct worker_settings *settings,
                              const struct run_job_request *request, struct err *err)
{
    const struct kind *kind = &kinds[request->type];
    struct job_inputs inputs = {0};
    struct run_kind_context context = {.settings = settings, .request = request, .inputs = &inputs};
    enum err_code rc = ERR_OK;

    if (run_job_publishes(request->type, request->params)) {
        rc = create_sink(run, settings, request, err);
        if (rc == ERR_OK && kind->loads)
            rc = create_warehouse(run, settings, request, err);
        if (rc == ERR_OK)
            rc = raise_fences(run, kind, end, err);
    }
    if (rc == ERR_OK)
        rc = create_inputs(run, &inputs, settings, request, err);
    if (rc == ERR_OK)
        rc = zone_use(settings->timezone, err);
    if (rc != ERR_OK)
        return rc;
    context.excluded = run->excluded;
    return kind->run(end, &context, err);
}

void run_job_run(struct child_end *end, const struct worker_settings *settings, const struct run_job_request *request)
{
    struct run run = {0};
    enum err_code rc;

    *end = (struct child_end){0};
    rc = run_job_check(settings, request, &end->err);
    if (rc == ERR_OK)
        rc = run_kind(&run, end, settings, request, &end->err);
    end->err.code = rc;
    if (run.sink != NULL)
        end->newest_fence = redis_sink_newest_fence(run.sink);
    if (run.warehouse != NULL)
        end->newest_fence = warehouse_mongo_newest_fence(run.warehouse);
    warehouse_mongo_destroy(run.warehouse);
    redis_sink_destroy(run.sink);
    cache_destroy(run.cache);
    blob_folder_destroy(run.folder);
    cms_destroy(run.cms);
    folder_destroy(run.export);
    id_table_destroy(run.excluded);
}
