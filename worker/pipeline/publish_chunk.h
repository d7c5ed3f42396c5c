/*
 * Lists on their way to the sink: keys and values one behind the other in one text, handed over by the chunk. Lists of
 * no products are not published. One kind at a time.
 */
#ifndef WORKER_PIPELINE_PUBLISH_CHUNK_H
#define WORKER_PIPELINE_PUBLISH_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/sink.h"

struct publish_chunk;

/* The sink is borrowed. */
enum err_code publish_chunk_create(struct publish_chunk **out, const struct sink *sink, struct err *err) MUST_CHECK;
void publish_chunk_destroy(struct publish_chunk *chunk);

/* What follows is of this kind. */
void publish_chunk_begin_kind(struct publish_chunk *chunk, enum publish_kind kind);

/* A list: its key, its products, its end, which may hand a full chunk over. */
void publish_chunk_begin_list(struct publish_chunk *chunk, const char *key);
void publish_chunk_add(struct publish_chunk *chunk, int64_t product_id);
enum err_code publish_chunk_end_list(struct publish_chunk *chunk, struct err *err) MUST_CHECK;

/* Whether all lists so far were handed over. */
bool publish_chunk_is_empty(const struct publish_chunk *chunk);

/* Hands over the rest of the kind and completes it: *keys were written, *removed is the sink's. */
enum err_code publish_chunk_end_kind(struct publish_chunk *chunk, size_t *keys, size_t *removed,
                                     struct err *err) MUST_CHECK;

#endif
