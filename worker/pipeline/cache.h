/*
 * The interactions of earlier runs, kept between runs in a folder or a blob container: interactions.csv and a marker
 * (pipeline.md, Cache). A damaged cache is set aside, never overwritten by less.
 */
#ifndef WORKER_PIPELINE_CACHE_H
#define WORKER_PIPELINE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/interactions.h"

struct cache;

/* Where the cache's files are kept; implemented in worker/connect. Names hold no '/'. */
struct blob_store {
    /* *data malloc'd; *tag[64] identifies this version. ERR_NOT_FOUND when there is none. */
    enum err_code (*read)(void *self, const char *name, char **data, size_t *size, char *tag, struct err *err);
    /* Replaces as a whole or not at all. if_tag: "" only if there is none; NULL always; ERR_EXISTS when another run
     * was first. */
    enum err_code (*write)(void *self, const char *name, const char *data, size_t size, const char *if_tag,
                           struct err *err);
    /* ERR_EXISTS when new_name is taken. */
    enum err_code (*rename)(void *self, const char *name, const char *new_name, struct err *err);
    void *self;
};

/* identity: source.identity. Keeps a copy of *store. */
enum err_code cache_create(struct cache **out, const struct blob_store *store, const char *identity,
                           struct err *err) MUST_CHECK;
void cache_destroy(struct cache *cache);

struct cache_state {
    bool loaded;                         /* false: nothing usable was there */
    int64_t watermark_s[ACTION_COUNT];   /* fetch from here on */
    int64_t covers_from_s[ACTION_COUNT]; /* all from here to the watermark is in the cache */
};

/* Makes *state cover what both do together; where the ranges of an action do not touch, the newer one stands. */
void cache_state_join(struct cache_state *state, const struct cache_state *other);

/* Appends the cached rows. A cache that is missing, foreign, of the replaced service or damaged gives loaded = false
 * and, set aside, a text in warning[256] ("" when there is nothing to say). Fails for storage that is away. */
enum err_code cache_load(struct cache *cache, struct interactions *rows, struct cache_state *state, char *warning,
                         struct err *err) MUST_CHECK;

/* Saves all rows with created <= now_s and the state. A run that lost the race merges and tries again. */
enum err_code cache_save(struct cache *cache, const struct interactions *rows, const struct cache_state *state,
                         int64_t now_s, struct err *err) MUST_CHECK;

#endif
