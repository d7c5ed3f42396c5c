#include "worker/pipeline/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

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

/* ERR_GUARD when `now` is more than percent below what the last run had. */
static enum err_code guard_one(const char *what, size_t now, const struct json *last, const char *key, int percent,
                               struct err *err)
{
    int64_t before = 0;

    if (!json_value_get_int64(last, key, &before) || before <= 0)
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
    int percent = params->guard_percent;
    enum err_code rc;

    if (percent <= 0 || params->force || last == NULL)
        return ERR_OK;
    rc = guard_one("recommendable products", now->recommendable, last, "recommendable", percent, err);
    if (rc == ERR_OK)
        rc = guard_one("users with a list", now->users, last, "users", percent, err);
    if (rc == ERR_OK)
        rc = guard_one("products with similar ones", now->similar_lists, last, "similar_lists", percent, err);
    return rc;
}

/* Pairs on their way to the sink: keys and values one behind the other in one text, handed over by the chunk. */
struct chunk {
    const struct sink *sink;
    enum publish_kind kind;
    struct str bytes;
    size_t keys[SINK_CHUNK_PAIRS];
    size_t values[SINK_CHUNK_PAIRS];
    size_t count;
    size_t written;
};

static enum err_code flush(struct chunk *chunk, struct err *err)
{
    struct sink_pair pairs[SINK_CHUNK_PAIRS];
    enum err_code rc;

    if (chunk->bytes.failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu lists", chunk->count);
    if (chunk->count == 0)
        return ERR_OK;
    for (size_t i = 0; i < chunk->count; i++)
        pairs[i] = (struct sink_pair){.key = chunk->bytes.text + chunk->keys[i],
                                      .value = chunk->bytes.text + chunk->values[i]};
    rc = chunk->sink->put(chunk->sink->self, chunk->kind, pairs, chunk->count, err);
    if (rc == ERR_OK)
        chunk->written += chunk->count;
    chunk->count = 0;
    str_clear(&chunk->bytes);
    return rc;
}

/* Adds key -> [ids of the items]. */
static enum err_code add_list(struct chunk *chunk, const char *key, const int32_t *items, size_t count,
                              const int64_t *product_ids, struct err *err)
{
    chunk->keys[chunk->count] = chunk->bytes.length;
    str_append(&chunk->bytes, key, strlen(key) + 1);
    chunk->values[chunk->count] = chunk->bytes.length;
    str_append_char(&chunk->bytes, '[');
    for (size_t i = 0; i < count; i++)
        str_append_format(&chunk->bytes, "%s%lld", i > 0 ? "," : "", (long long)product_ids[items[i]]);
    str_append(&chunk->bytes, "]", 2);
    chunk->count++;
    return chunk->count == SINK_CHUNK_PAIRS ? flush(chunk, err) : ERR_OK;
}

static enum err_code put_users(struct chunk *chunk, const struct matrix *matrix,
                               const struct recommendations *recommendations, const struct progress *progress,
                               struct err *err)
{
    const struct als_lists *lists = &recommendations->users;
    enum err_code rc = ERR_OK;

    for (size_t user = 0; rc == ERR_OK && user < lists->rows; user++) {
        if (lists->counts[user] == 0 || is_reserved(matrix->user_uids[user]))
            continue;
        rc = add_list(chunk, matrix->user_uids[user], lists->items + user * lists->n, (size_t)lists->counts[user],
                      matrix->product_ids, err);
        if (chunk->count == 0) /* publishing has begun: it ends as it would, whoever asks to stop */
            (void)progress_report(progress, "publish", (double)user / (double)(lists->rows + 1), NULL);
    }
    if (rc == ERR_OK && recommendations->top_overall_count > 0)
        rc = add_list(chunk, top_overall_key, recommendations->top_overall, recommendations->top_overall_count,
                      matrix->product_ids, err);
    return rc == ERR_OK ? flush(chunk, err) : rc;
}

static enum err_code put_similar(struct chunk *chunk, const struct matrix *matrix,
                                 const struct recommendations *recommendations, struct err *err)
{
    const struct als_lists *lists = &recommendations->similar;
    enum err_code rc = ERR_OK;
    char key[24];

    for (size_t product = 0; rc == ERR_OK && product < lists->rows; product++) {
        if (lists->counts[product] == 0)
            continue;
        (void)snprintf(key, sizeof key, "%lld", (long long)matrix->product_ids[product]);
        rc = add_list(chunk, key, lists->items + product * lists->n, (size_t)lists->counts[product],
                      matrix->product_ids, err);
    }
    return rc == ERR_OK ? flush(chunk, err) : rc;
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
    struct chunk *chunk = mem_zeroed(1, sizeof *chunk);
    size_t removed;
    enum err_code rc;

    if (chunk == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to publish");
    chunk->sink = sink;
    chunk->kind = PUBLISH_HOMEPAGE;
    rc = put_users(chunk, matrix, recommendations, progress, err);
    if (rc == ERR_OK)
        rc = sink->complete(sink->self, PUBLISH_HOMEPAGE, &removed, err);
    if (rc != ERR_OK)
        goto done;
    counts->homepage_keys = chunk->written;
    counts->removed += removed;

    chunk->kind = PUBLISH_SIMILAR;
    chunk->written = 0;
    rc = put_similar(chunk, matrix, recommendations, err);
    if (rc == ERR_OK)
        rc = sink->complete(sink->self, PUBLISH_SIMILAR, &removed, err);
    if (rc != ERR_OK)
        goto done;
    counts->similar_keys = chunk->written;
    counts->removed += removed;
done:
    str_fini(&chunk->bytes);
    free(chunk);
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
