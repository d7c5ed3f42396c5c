#include "worker/pipeline/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/hash.h"
#include "worker/pipeline/cache_csv.h"
#include "worker/pipeline/cache_marker.h"

enum { TAG_BYTES = 64, MAX_TRIES = 5, MAX_SET_ASIDE = 100, WARNING_BYTES = 256 };

static const char table_name[] = "interactions.csv";
static const char marker_name[] = "interactions.meta.json";

struct cache {
    struct blob_store store;
    char *identity;
    char table_tag[TAG_BYTES]; /* of the version that was loaded; "" when there was none */
    char table_digest[HASH_SHA256_HEX_BYTES];
};

/* A blob as it was read. */
struct blob {
    char *data; /* NULL: there is none */
    size_t size;
    char tag[TAG_BYTES];
};

enum err_code cache_create(struct cache **out, const struct blob_store *store, const char *identity, struct err *err)
{
    struct cache *cache = mem_zeroed(1, sizeof *cache);

    *out = NULL;
    if (cache == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the cache");
    cache->store = *store;
    cache->identity = strdup(identity);
    if (cache->identity == NULL) {
        free(cache);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the cache");
    }
    *out = cache;
    return ERR_OK;
}

void cache_destroy(struct cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->identity);
    free(cache);
}

/* A missing blob is no error. */
static enum err_code read_blob(struct cache *cache, const char *name, struct blob *blob, struct err *err)
{
    enum err_code rc;

    *blob = (struct blob){0};
    rc = cache->store.read(cache->store.self, name, &blob->data, &blob->size, blob->tag, err);
    if (rc == ERR_NOT_FOUND) {
        *blob = (struct blob){0};
        return ERR_OK;
    }
    return rc;
}

/* *reason: why a table is not ours to use; NULL when it is, and then *state and its digest are filled. */
static enum err_code judge(const struct cache *cache, const struct blob *table, const struct blob *marker_blob,
                           struct cache_state *state, char digest[HASH_SHA256_HEX_BYTES], const char **reason,
                           struct err *err)
{
    struct cache_marker marker;
    const struct cache_state *found;
    enum err_code rc;

    *reason = marker_blob->data == NULL ? "unmarked" : "damaged";
    if (marker_blob->data == NULL)
        return ERR_OK;
    rc = cache_marker_parse(&marker, marker_blob->data, marker_blob->size, err);
    if (rc != ERR_OK)
        return rc == ERR_FORMAT ? ERR_OK : rc;
    if (hash_sha256_hex(table->data, table->size, digest) != ERR_OK) {
        rc = ERR_SET(err, ERR_INTERNAL, "SHA-256 of the cache cannot be computed");
    } else if (strcmp(marker.identity, cache->identity) != 0) {
        *reason = "foreign";
    } else if ((found = cache_marker_find(&marker, digest)) != NULL) {
        *state = *found;
        *reason = NULL;
    }
    cache_marker_fini(&marker);
    return rc;
}

/* Renames the table to interactions.<time>.<reason>.csv and says so. */
static enum err_code set_aside(struct cache *cache, const char *reason, char *warning, struct err *err)
{
    static const char *const explanations[][2] = {
        {"unmarked", "was not written by recfleet (the service before it kept one product of a purchase)"},
        {"foreign", "belongs to another shop or CMS"},
        {"damaged", "is damaged"},
    };
    char name[80];
    char stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    enum err_code rc = ERR_EXISTS;

    (void)gmtime_r(&now, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    (void)snprintf(name, sizeof name, "interactions.%.20s.%.20s.csv", stamp, reason);
    for (int i = 2; rc == ERR_EXISTS && i < MAX_SET_ASIDE; i++) {
        rc = cache->store.rename(cache->store.self, table_name, name, err);
        if (rc == ERR_EXISTS)
            (void)snprintf(name, sizeof name, "interactions.%s-%d.%s.csv", stamp, i, reason);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    for (size_t i = 0; i < sizeof explanations / sizeof explanations[0]; i++) {
        if (strcmp(explanations[i][0], reason) == 0)
            (void)snprintf(warning, WARNING_BYTES, "the cache %s: it was set aside as %s, and all is fetched anew",
                           explanations[i][1], name);
    }
    return ERR_OK;
}

/* Reads table and marker; a table that is not to be used is set aside and *rows stays as it was. */
static enum err_code load(struct cache *cache, struct interactions *rows, struct cache_state *state, char *warning,
                          struct err *err)
{
    struct blob table;
    struct blob marker = {0};
    const char *reason = NULL;
    size_t before = rows->count;
    enum err_code rc = read_blob(cache, table_name, &table, err);

    if (rc == ERR_OK)
        rc = read_blob(cache, marker_name, &marker, err);
    memcpy(cache->table_tag, table.tag, sizeof cache->table_tag);
    cache->table_digest[0] = '\0';
    if (rc == ERR_OK && table.data != NULL) {
        rc = judge(cache, &table, &marker, state, cache->table_digest, &reason, err);
        if (rc == ERR_OK && reason == NULL)
            rc = cache_csv_read(rows, table.data, table.size, err);
        if (rc != ERR_OK)
            rows->count = before;
        if (rc == ERR_FORMAT) {
            reason = "damaged";
            rc = ERR_OK;
        }
        if (rc == ERR_OK && reason != NULL) {
            *state = (struct cache_state){0};
            cache->table_tag[0] = '\0';
            cache->table_digest[0] = '\0';
            rc = set_aside(cache, reason, warning, err);
        }
    }
    free(table.data);
    free(marker.data);
    return rc;
}

enum err_code cache_load(struct cache *cache, struct interactions *rows, struct cache_state *state, char *warning,
                         struct err *err)
{
    enum err_code rc;

    *state = (struct cache_state){0};
    warning[0] = '\0';
    rc = load(cache, rows, state, warning, err);
    if (rc != ERR_OK)
        (void)err_wrap(err, "the cache");
    return rc;
}

/* The marker as it is, for versions to be added; an empty one of ours when there is none of ours. */
static enum err_code read_own_marker(const struct cache *cache, const struct blob *blob, struct cache_marker *marker,
                                     struct err *err)
{
    enum err_code rc;

    *marker = (struct cache_marker){0};
    if (blob->data != NULL) {
        rc = cache_marker_parse(marker, blob->data, blob->size, err);
        if (rc == ERR_OK && strcmp(marker->identity, cache->identity) == 0)
            return ERR_OK;
        if (rc != ERR_OK && rc != ERR_FORMAT)
            return rc;
        cache_marker_fini(marker);
    }
    marker->identity = strdup(cache->identity);
    return marker->identity != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the cache's marker");
}

/* Vouches for the table that is about to be written. ERR_EXISTS: another run did the same meanwhile. */
static enum err_code write_marker(struct cache *cache, const char *digest, const struct cache_state *state,
                                  struct err *err)
{
    struct blob old;
    struct cache_marker marker = {0};
    char *text = NULL;
    enum err_code rc = read_blob(cache, marker_name, &old, err);

    if (rc != ERR_OK)
        return rc;
    rc = read_own_marker(cache, &old, &marker, err);
    if (rc != ERR_OK)
        goto done;
    cache_marker_add(&marker, digest, state, cache->table_digest);
    rc = cache_marker_print(&marker, &text, err);
    if (rc == ERR_OK)
        rc = cache->store.write(cache->store.self, marker_name, text, strlen(text), old.tag, err);
done:
    free(text);
    free(old.data);
    cache_marker_fini(&marker);
    return rc;
}

static enum err_code write_table(struct cache *cache, const struct interactions *rows, const struct cache_state *state,
                                 int64_t now_s, struct err *err)
{
    struct str table = {0};
    char digest[HASH_SHA256_HEX_BYTES];
    unsigned char *keep = mem_zeroed(rows->count, 1);
    enum err_code rc = ERR_OK;

    if (keep == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a cache of %zu rows", rows->count);
    for (size_t row = 0; row < rows->count; row++)
        keep[row] = rows->created[row] <= now_s;
    rc = cache_csv_write(&table, rows, keep, err);
    if (rc == ERR_OK && hash_sha256_hex(table.text, table.length, digest) != ERR_OK)
        rc = ERR_SET(err, ERR_INTERNAL, "SHA-256 of the cache cannot be computed");
    if (rc == ERR_OK)
        rc = write_marker(cache, digest, state, err);
    if (rc == ERR_OK)
        rc = cache->store.write(cache->store.self, table_name, table.text, table.length, cache->table_tag, err);
    str_fini(&table);
    free(keep);
    return rc;
}

void cache_state_join(struct cache_state *state, const struct cache_state *other)
{
    for (int i = 0; other->loaded && i < ACTION_COUNT; i++) {
        bool touch =
            other->covers_from_s[i] <= state->watermark_s[i] && state->covers_from_s[i] <= other->watermark_s[i];
        bool newer = other->watermark_s[i] > state->watermark_s[i];

        if (touch ? other->covers_from_s[i] < state->covers_from_s[i] : newer)
            state->covers_from_s[i] = other->covers_from_s[i];
        if (newer)
            state->watermark_s[i] = other->watermark_s[i];
    }
}

static enum err_code copy_rows(struct interactions *out, const struct interactions *rows, int64_t now_s,
                               struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t row = 0; rc == ERR_OK && row < rows->count; row++) {
        const char *user = id_table_text(rows->users, rows->user[row]);

        if (rows->created[row] <= now_s)
            rc = interactions_add(out, rows->activity_id[row], (enum action)rows->action[row], user, strlen(user),
                                  rows->created[row], rows->product_id[row], err);
    }
    return rc;
}

/* Another run was first: its rows and ours, again. */
static enum err_code merge_and_write(struct cache *cache, const struct interactions *rows,
                                     const struct cache_state *state, int64_t now_s, struct err *err)
{
    struct interactions merged;
    struct cache_state theirs = {0};
    struct cache_state ours = *state;
    char warning[WARNING_BYTES] = "";
    size_t removed;
    enum err_code rc = interactions_init(&merged, err);

    if (rc != ERR_OK)
        return rc;
    rc = load(cache, &merged, &theirs, warning, err);
    if (rc == ERR_OK)
        rc = copy_rows(&merged, rows, now_s, err);
    if (rc == ERR_OK)
        rc = interactions_dedup(&merged, &removed, err);
    if (rc == ERR_OK) {
        cache_state_join(&ours, &theirs);
        rc = write_table(cache, &merged, &ours, INT64_MAX, err);
    }
    interactions_fini(&merged);
    return rc;
}

enum err_code cache_save(struct cache *cache, const struct interactions *rows, const struct cache_state *state,
                         int64_t now_s, struct err *err)
{
    enum err_code rc = write_table(cache, rows, state, now_s, err);

    for (int i = 1; rc == ERR_EXISTS && i < MAX_TRIES; i++)
        rc = merge_and_write(cache, rows, state, now_s, err);
    if (rc != ERR_OK)
        (void)err_wrap(err, "the cache");
    return rc;
}
