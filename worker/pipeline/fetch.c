#include "worker/pipeline/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/pipeline/cache.h"
#include "worker/pipeline/product_index.h"

enum { DAY_S = 86400, OVERLAP_S = 3600, FUTURE_S = 3600 };

static const double ACTIVITIES_SHARE = 0.9;

/* What the callbacks of the source fill. */
struct intake {
    struct fetch_result *result;
    int64_t now_s;
    int64_t *served_ids;
    size_t served_count;
    size_t served_capacity;
};

/* A stretch of the stage's progress: the activities', then the products'. */
struct stretch {
    const struct progress *whole;
    double begin;
    double share;
};

static bool on_stretch(void *context, const char *stage, double fraction, const char *note)
{
    const struct stretch *stretch = context;

    return progress_report(stretch->whole, stage, stretch->begin + stretch->share * fraction, note);
}

static void warn(struct fetch_result *result, const char *warning)
{
    size_t slots = sizeof result->warnings / sizeof result->warnings[0];

    for (size_t i = 0; i < slots && warning[0] != '\0'; i++) {
        if (result->warnings[i][0] != '\0')
            continue;
        (void)snprintf(result->warnings[i], sizeof result->warnings[i], "%.*s", (int)sizeof result->warnings[i] - 1,
                       warning);
        return;
    }
}

static bool read_id_text(const char *text, int64_t *id)
{
    return text != NULL && str_to_int64(text, id);
}

static enum err_code take_activity(void *context, enum action asked, const struct json *activity, struct err *err)
{
    struct intake *intake = context;
    int64_t id;

    (void)asked; /* an activity says itself what it is */
    if (json_value_get_int64(activity, "id", &id) || read_id_text(json_value_get_text(activity, "id"), &id)) {
        enum err_code rc = mem_grow(&intake->served_ids, &intake->served_capacity, intake->served_count + 1,
                                    sizeof *intake->served_ids, err);

        if (rc != ERR_OK)
            return rc;
        intake->served_ids[intake->served_count++] = id;
    }
    return clean_activity(&intake->result->rows, &intake->result->clean, activity, intake->now_s, err);
}

static enum err_code take_product(void *context, const struct json *product, struct err *err)
{
    struct intake *intake = context;
    struct fetch_result *result = intake->result;
    size_t before = result->products_malformed;
    enum err_code rc = clean_product(&result->catalogue, &result->products_malformed, product, err);

    if (result->products_malformed > before && before < CLEAN_SAMPLES)
        clean_print_sample(result->product_samples[before], product);
    return rc;
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* Sorts ids. */
static size_t count_distinct(int64_t *ids, size_t count)
{
    size_t distinct = 0;

    if (count > 0)
        qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || ids[i] != ids[i - 1];
    return distinct;
}

static enum err_code count_rows(struct fetch_result *result, struct err *err)
{
    const struct interactions *rows = &result->rows;
    int64_t *ids = mem_zeroed(rows->count, sizeof *ids);

    if (ids == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to count %zu rows", rows->count);
    for (size_t row = 0; row < rows->count; row++) {
        ids[row] = rows->activity_id[row];
        result->rows_after_dedup[rows->action[row]]++;
    }
    result->rows_lost_by_id_alone = rows->count - count_distinct(ids, rows->count);
    free(ids);
    return ERR_OK;
}

static int64_t window_start(const struct fetch_params *params, int days)
{
    return days > 0 ? params->now_s - (int64_t)days * DAY_S : 0;
}

/* What the cache keeps begins here. A `now` in the future must not age what other runs cached. */
static int64_t oldest_kept(const struct interactions *rows, const struct fetch_params *params)
{
    int days = params->keep_window_days > params->window_days ? params->keep_window_days : params->window_days;
    int64_t newest_s = rows->count > 0 ? rows->created[0] : params->now_s;

    if (params->keep_window_days == 0 || params->window_days == 0)
        return 0;
    for (size_t row = 1; row < rows->count; row++) {
        if (rows->created[row] > newest_s)
            newest_s = rows->created[row];
    }
    return (newest_s < params->now_s ? newest_s : params->now_s) - (int64_t)days * DAY_S;
}

/* From where each action is to be fetched: where the cache reaches back to the window's start, from its watermark, even
 * when that lies before the window, so that the cache gets no hole. */
static void plan(int64_t from_s[ACTION_COUNT], const struct cache_state *state, const struct interactions *cached,
                 const struct fetch_params *params)
{
    int64_t start_s = window_start(params, params->window_days);
    int64_t oldest_s = oldest_kept(cached, params);

    for (int i = 0; i < ACTION_COUNT; i++) {
        from_s[i] = start_s;
        if (!state->loaded || state->covers_from_s[i] > start_s)
            continue;
        from_s[i] = state->watermark_s[i];
        if (from_s[i] > params->now_s - OVERLAP_S) /* a run with an older now */
            from_s[i] = params->now_s - OVERLAP_S;
        if (from_s[i] < oldest_s)
            from_s[i] = oldest_s;
        if (from_s[i] < 0)
            from_s[i] = 0;
    }
}

/* The state after all from from_s on was fetched: watermark = min(newest created, now) - 1 h, never backwards. */
static struct cache_state advance(const struct cache_state *state, const int64_t from_s[ACTION_COUNT],
                                  const struct interactions *rows, int64_t now_s)
{
    struct cache_state next = {.loaded = true};

    for (int i = 0; i < ACTION_COUNT; i++)
        next.covers_from_s[i] = next.watermark_s[i] = from_s[i];
    for (size_t row = 0; row < rows->count; row++) {
        int64_t mark = (rows->created[row] < now_s ? rows->created[row] : now_s) - OVERLAP_S;

        if (mark > next.watermark_s[rows->action[row]])
            next.watermark_s[rows->action[row]] = mark;
    }
    cache_state_join(&next, state);
    return next;
}

static enum err_code filter_created(struct interactions *rows, int64_t from_s, int64_t to_s, struct err *err)
{
    uint8_t *keep = mem_zeroed(rows->count, 1);

    if (keep == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to filter %zu rows", rows->count);
    for (size_t row = 0; row < rows->count; row++)
        keep[row] = rows->created[row] >= from_s && rows->created[row] <= to_s;
    interactions_filter(rows, keep);
    free(keep);
    return ERR_OK;
}

/* Keeps what was fetched for the next run; a cache that cannot be written costs that run time, not this one. */
static enum err_code save(struct fetch_result *result, struct cache *cache, struct cache_state state,
                          int64_t cacheable_s, const struct fetch_params *params, struct err *err)
{
    struct err cache_err;
    int64_t oldest_s = oldest_kept(&result->rows, params);
    enum err_code rc;

    for (int i = 0; i < ACTION_COUNT; i++) {
        if (state.covers_from_s[i] < oldest_s)
            state.covers_from_s[i] = oldest_s;
    }
    rc = filter_created(&result->rows, oldest_s, INT64_MAX, err);
    if (rc != ERR_OK)
        return rc;
    if (cache_save(cache, &result->rows, &state, cacheable_s, &cache_err) != ERR_OK)
        warn(result, cache_err.message);
    return ERR_OK;
}

static enum err_code fetch_activities(struct intake *intake, const struct fetch_params *params,
                                      const struct source *source, struct cache *cache, const struct progress *progress,
                                      struct err *err)
{
    struct fetch_result *result = intake->result;
    struct cache_state state = {0};
    int64_t from_s[ACTION_COUNT];
    struct stretch stretch = {.whole = progress, .share = ACTIVITIES_SHARE};
    struct progress part = {.fn = on_stretch, .context = &stretch};
    char warning[sizeof result->warnings[0]] = "";
    int64_t cacheable_s = params->now_s; /* a run with an older now takes nothing away from the cache */
    struct err cache_err;
    enum err_code rc;

    if (cache != NULL && cache_load(cache, &result->rows, &state, warning, &cache_err) != ERR_OK) {
        warn(result, cache_err.message);
        cache = NULL;
    }
    warn(result, warning);
    result->rows_from_cache = result->rows.count;
    for (size_t row = 0; row < result->rows.count; row++) {
        if (result->rows.created[row] > cacheable_s)
            cacheable_s = result->rows.created[row];
    }
    plan(from_s, &state, &result->rows, params);
    rc = source->activities(source->self, from_s, take_activity, intake, &part, &result->source, err);
    if (rc == ERR_OK)
        rc = clean_duplicates(&result->rows, &result->clean, &result->rows_dropped_as_duplicates, err);
    if (rc == ERR_OK && cache != NULL)
        rc = save(result, cache, advance(&state, from_s, &result->rows, params->now_s), cacheable_s, params, err);
    return rc;
}

/* What this run may see: the window, and nothing later than now; an hour ahead counts as now. */
static enum err_code apply_window(struct fetch_result *result, const struct fetch_params *params, struct err *err)
{
    enum err_code rc =
        filter_created(&result->rows, params->window_days > 0 ? window_start(params, params->window_days) : INT64_MIN,
                       params->now_s + FUTURE_S, err);

    for (size_t row = 0; rc == ERR_OK && row < result->rows.count; row++) {
        if (result->rows.created[row] > params->now_s)
            result->rows.created[row] = params->now_s;
    }
    return rc;
}

static int64_t find_newest(const struct interactions *rows)
{
    int64_t newest_s = rows->created[0];

    for (size_t row = 1; row < rows->count; row++)
        newest_s = rows->created[row] > newest_s ? rows->created[row] : newest_s;
    return newest_s;
}

static enum err_code no_interactions(const struct fetch_result *result, const struct fetch_params *params,
                                     struct err *err)
{
    if (result->source.too_old == 0)
        return ERR_SET(err, ERR_NO_DATA, "Interactions are required.");
    return ERR_SET(err, ERR_NO_DATA,
                   "Interactions are required: %zu are older than the window of %d days (INTERACTIONS_WINDOW_DAYS; the "
                   "parameter window_days=0 takes all, and now=UNIX_SECONDS trains as of another time)",
                   result->source.too_old, params->window_days);
}

/* Where there is no catalogue every product met is as good as any. */
static enum err_code assume_products(struct fetch_result *result, struct err *err)
{
    struct product_index products;
    enum err_code rc = product_index_init(&products, &result->rows, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < products.count; i++)
        rc = catalogue_add(&result->catalogue, products.ids[i], 1, true, NULL, err);
    product_index_fini(&products);
    return rc;
}

static enum err_code fetch_products(struct intake *intake, const struct source *source, const struct progress *progress,
                                    struct err *err)
{
    struct fetch_result *result = intake->result;
    enum err_code rc = source->products != NULL
                           ? source->products(source->self, take_product, intake, progress, &result->source, err)
                           : assume_products(result, err);

    if (rc == ERR_OK)
        rc = catalogue_sort(&result->catalogue, err);
    if (rc == ERR_OK && result->catalogue.count == 0)
        rc = ERR_SET(err, ERR_NO_DATA, "Products are required.");
    return rc;
}

static enum err_code fetch_all(struct intake *intake, const struct fetch_params *params, const struct source *source,
                               struct cache *cache, const struct progress *progress, struct err *err)
{
    struct fetch_result *result = intake->result;
    struct stretch stretch = {.whole = progress, .begin = ACTIVITIES_SHARE, .share = 1 - ACTIVITIES_SHARE};
    struct progress part = {.fn = on_stretch, .context = &stretch};
    size_t pages;
    size_t lines;
    enum err_code rc = fetch_activities(intake, params, source, cache, progress, err);

    if (rc == ERR_OK)
        rc = apply_window(result, params, err);
    if (rc == ERR_OK)
        rc = count_rows(result, err);
    if (rc == ERR_OK && result->rows.count == 0)
        rc = no_interactions(result, params, err);
    if (rc != ERR_OK)
        return rc;
    result->unique_served_ids = count_distinct(intake->served_ids, intake->served_count);
    result->newest_s = find_newest(&result->rows);
    pages = result->source.pages;
    lines = result->source.lines;
    rc = fetch_products(intake, source, &part, err);
    result->source.pages = pages; /* of activities alone */
    result->source.lines = lines;
    return rc;
}

enum err_code fetch_run(struct fetch_result *result, const struct fetch_params *params, const struct source *source,
                        struct cache *cache, const struct progress *progress, struct err *err)
{
    struct intake intake = {.result = result, .now_s = params->now_s};
    enum err_code rc;

    *result = (struct fetch_result){0};
    catalogue_init(&result->catalogue);
    rc = interactions_init(&result->rows, err);
    if (rc == ERR_OK)
        rc = fetch_all(&intake, params, source, cache, progress, err);
    free(intake.served_ids);
    return rc;
}

void fetch_result_fini(struct fetch_result *result)
{
    interactions_fini(&result->rows);
    catalogue_fini(&result->catalogue);
}
