#include "worker/pipeline/publish_chunk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

struct publish_chunk {
    const struct sink *sink;
    enum publish_kind kind;
    struct str bytes;
    size_t keys[SINK_CHUNK_PAIRS];
    size_t values[SINK_CHUNK_PAIRS];
    size_t count;
    size_t items; /* of the list that has begun */
    size_t written;
};

enum err_code publish_chunk_create(struct publish_chunk **out, const struct sink *sink, struct err *err)
{
    struct publish_chunk *chunk = mem_zeroed(1, sizeof *chunk);

    *out = chunk;
    if (chunk == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to publish");
    chunk->sink = sink;
    return ERR_OK;
}

void publish_chunk_destroy(struct publish_chunk *chunk)
{
    if (chunk == NULL)
        return;
    str_fini(&chunk->bytes);
    free(chunk);
}

void publish_chunk_begin_kind(struct publish_chunk *chunk, enum publish_kind kind)
{
    chunk->kind = kind;
    chunk->written = 0;
}

static enum err_code flush(struct publish_chunk *chunk, struct err *err)
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

void publish_chunk_begin_list(struct publish_chunk *chunk, const char *key)
{
    chunk->items = 0;
    chunk->keys[chunk->count] = chunk->bytes.length;
    str_append(&chunk->bytes, key, strlen(key) + 1);
    chunk->values[chunk->count] = chunk->bytes.length;
    str_append_char(&chunk->bytes, '[');
}

void publish_chunk_add(struct publish_chunk *chunk, int64_t product_id)
{
    str_append_format(&chunk->bytes, "%s%lld", chunk->items++ > 0 ? "," : "", (long long)product_id);
}

enum err_code publish_chunk_end_list(struct publish_chunk *chunk, struct err *err)
{
    if (chunk->items == 0) {
        if (!chunk->bytes.failed)
            chunk->bytes.text[chunk->bytes.length = chunk->keys[chunk->count]] = '\0';
        return ERR_OK;
    }
    str_append(&chunk->bytes, "]", 2);
    chunk->count++;
    return chunk->count == SINK_CHUNK_PAIRS ? flush(chunk, err) : ERR_OK;
}

bool publish_chunk_is_empty(const struct publish_chunk *chunk)
{
    return chunk->count == 0;
}

enum err_code publish_chunk_end_kind(struct publish_chunk *chunk, size_t *keys, size_t *removed, struct err *err)
{
    enum err_code rc = flush(chunk, err);

    *keys = 0;
    *removed = 0;
    if (rc == ERR_OK)
        rc = chunk->sink->complete(chunk->sink->self, chunk->kind, removed, err);
    if (rc == ERR_OK)
        *keys = chunk->written;
    return rc;
}
