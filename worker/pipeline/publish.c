#include "worker/pipeline/publish.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "worker/pipeline/publish_chunk.h"

static const char top_overall_key[] = "top_overall_recommendations";
static const char own_keys_prefix[] = "recfleet:"; /* fences and indexes */

const char *publish_kind_name(enum publish_kind kind)
{
    static const char *const names[PUBLISH_KIND_COUNT] = {
        [PUBLISH_HOMEPAGE] = "homepage", [PUBLISH_SIMILAR] = "similar", [PUBLISH_CROSS_SELL] = "cross_sell"};

    return (unsigned)kind < PUBLISH_KIND_COUNT ? names[kind] : "unknown";
}

static bool is_reserved(const char *user_uid)
{
    return strcmp(user_uid, top_overall_key) == 0 || str_starts_with(user_uid, own_keys_prefix);
}

enum err_code publish_guard_count(const char *what, size_t now, const struct json *last, const char *key,
                                  const struct publish_params *params, struct err *err)
{
    int percent = params->guard_percent;
    int64_t before = 0;

    if (percent <= 0 || params->force || !json_value_get_int64(last, key, &before) || before <= 0)
        return ERR_OK;
    if ((double)now * 100 >= (double)before * (100 - percent))
        return ERR_OK;
    return ERR_SET(
        err, ERR_GUARD,
        "The guard holds the publishing back: %zu %s against %lld in the last published run, more than %d %% "
        "less (PUBLISH_GUARD_PERCENT). Nothing was published or removed; force=true overrides.",
        now, what, (long long)before, percent);
}

enum err_code publish_guard(const struct publish_counts *now, const struct json *last,
                            const struct publish_params *params, struct err *err)
{
    enum err_code rc =
        publish_guard_count("recommendable products", now->recommendable, last, "recommendable", params, err);

    if (rc == ERR_OK)
        rc = publish_guard_count("users with a list", now->users, last, "users", params, err);
    if (rc == ERR_OK)
        rc = publish_guard_count("products with similar ones", now->similar_lists, last, "similar_lists", params, err);
    return rc;
}

static enum err_code add_list(struct publish_chunk *chunk, const char *key, const int32_t *items, size_t count,
                              const int64_t *product_ids, struct err *err)
{
    publish_chunk_begin_list(chunk, key);
    for (size_t i = 0; i < count; i++)
        publish_chunk_add(chunk, product_ids[items[i]]);
    return publish_chunk_end_list(chunk, err);
}

static enum err_code put_users(struct publish_chunk *chunk, const struct matrix *matrix,
                               const struct recommendations *recommendations, const struct progress *progress,
                               struct err *err)
{
    const struct als_lists *lists = &recommendations->users;
    enum err_code rc = ERR_OK;

    for (size_t user = 0; rc == ERR_OK && user < lists->rows; user++) {
        if (is_reserved(matrix->user_uids[user]))
            continue;
        rc = add_list(chunk, matrix->user_uids[user], lists->items + user * lists->n, (size_t)lists->counts[user],
                      matrix->product_ids, err);
        if (publish_chunk_is_empty(chunk)) /* publishing has begun: it ends as it would, whoever asks to stop */
            (void)progress_report(progress, "publish", (double)user / (double)(lists->rows + 1), NULL);
    }
    return rc == ERR_OK ? add_list(chunk, top_overall_key, recommendations->top_overall,
                                   recommendations->top_overall_count, matrix->product_ids, err)
                        : rc;
}

static enum err_code put_similar(struct publish_chunk *chunk, const struct matrix *matrix,
                                 const struct recommendations *recommendations, struct err *err)
{
    const struct als_lists *lists = &recommendations->similar;
    enum err_code rc = ERR_OK;
    char key[24];

    for (size_t product = 0; rc == ERR_OK && product < lists->rows; product++) {
        (void)snprintf(key, sizeof key, "%lld", (long long)matrix->product_ids[product]);
        rc = add_list(chunk, key, lists->items + product * lists->n, (size_t)lists->counts[product],
                      matrix->product_ids, err);
    }
    return rc;
}

static void count_lists(struct publish_counts *counts, const struct matrix *matrix,
                        const struct recommendations *recommendations)
{
    counts->recommendable = recommendations->recommendable;
    for (size_t user = 0; user < recommendations->users.rows; user++) {
        if (is_reserved(matrix->user_uids[user]))
            counts->reserved_users++;
        else
            counts->users += recommendations->users.counts[user] > 0;
    }
    for (size_t product = 0; product < recommendations->similar.rows; product++)
        counts->similar_lists += recommendations->similar.counts[product] > 0;
}

static enum err_code put_all(struct publish_counts *counts, const struct matrix *matrix,
                             const struct recommendations *recommendations, const struct sink *sink,
                             const struct progress *progress, struct err *err)
{
    struct publish_chunk *chunk;
    size_t removed;
    enum err_code rc = publish_chunk_create(&chunk, sink, err);

    if (rc != ERR_OK)
        return rc;
    publish_chunk_begin_kind(chunk, PUBLISH_HOMEPAGE);
    rc = put_users(chunk, matrix, recommendations, progress, err);
    if (rc == ERR_OK)
        rc = publish_chunk_end_kind(chunk, &counts->homepage_keys, &removed, err);
    if (rc != ERR_OK)
        goto done;
    counts->removed += removed;

    publish_chunk_begin_kind(chunk, PUBLISH_SIMILAR);
    rc = put_similar(chunk, matrix, recommendations, err);
    if (rc == ERR_OK)
        rc = publish_chunk_end_kind(chunk, &counts->similar_keys, &removed, err);
    if (rc != ERR_OK)
        goto done;
    counts->removed += removed;
done:
    publish_chunk_destroy(chunk);
    return rc;
}

enum err_code publish_run(struct publish_counts *counts, const struct matrix *matrix,
                          const struct recommendations *recommendations, const struct publish_params *params,
                          const struct json *last, const struct sink *sink, const struct progress *progress,
                          struct err *err)
{
    enum err_code rc;

    *counts = (struct publish_counts){0};
    count_lists(counts, matrix, recommendations);
    if (!params->enabled)
        return ERR_OK;
    rc = publish_guard(counts, last, params, err);
    return rc == ERR_OK ? put_all(counts, matrix, recommendations, sink, progress, err) : rc;
}
