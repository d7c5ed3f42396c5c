#include "worker/pipeline/cross_sell_publish.h"

#include <stdio.h>

#include "worker/pipeline/publish_chunk.h"

enum { KEY_BYTES = 24 };

static enum err_code guard(const struct cross_sell_published *now, const struct json *last,
                           const struct publish_params *params, struct err *err)
{
    enum err_code rc =
        publish_guard_count("recommendable products", now->recommendable, last, "recommendable", params, err);

    if (rc == ERR_OK)
        rc = publish_guard_count("products with a cross-sell list", now->lists, last, "cross_sell_lists", params, err);
    return rc;
}

static enum err_code put_lists(struct publish_chunk *chunk, const struct cross_sell_lists *lists,
                               const struct progress *progress, struct err *err)
{
    enum err_code rc = ERR_OK;
    char key[KEY_BYTES];

    for (size_t i = 0; rc == ERR_OK && i < lists->count; i++) {
        const struct cross_sell_list *list = &lists->lists[i];

        (void)snprintf(key, sizeof key, "%lld", (long long)list->product_id);
        publish_chunk_begin_list(chunk, key);
        for (size_t k = 0; k < list->length; k++)
            publish_chunk_add(chunk, lists->items[i * lists->list_size + k].product_id);
        rc = publish_chunk_end_list(chunk, err);
        if (publish_chunk_is_empty(chunk)) /* publishing has begun: it ends as it would, whoever asks to stop */
            (void)progress_report(progress, "publish", (double)i / (double)(lists->count + 1), NULL);
    }
    return rc;
}

enum err_code cross_sell_publish_run(struct cross_sell_published *published, const struct cross_sell_lists *lists,
                                     const struct publish_params *params, const struct json *last,
                                     const struct sink *sink, const struct progress *progress, struct err *err)
{
    struct cross_sell_list_counts counts = cross_sell_lists_count(lists);
    struct publish_chunk *chunk;
    enum err_code rc;

    *published =
        (struct cross_sell_published){.recommendable = published->recommendable, .lists = counts.lists - counts.empty};
    if (!params->enabled)
        return ERR_OK;
    rc = guard(published, last, params, err);
    if (rc == ERR_OK)
        rc = publish_chunk_create(&chunk, sink, err);
    if (rc != ERR_OK)
        return rc;
    publish_chunk_begin_kind(chunk, PUBLISH_CROSS_SELL);
    rc = put_lists(chunk, lists, progress, err);
    if (rc == ERR_OK)
        rc = publish_chunk_end_kind(chunk, &published->keys, &published->removed, err);
    publish_chunk_destroy(chunk);
    return rc;
}
