/*
 * recfleet's marker beside the cache's table: whose it is, and which contents of the table it vouches for. It names the
 * last few versions, so that the table and the marker need not be replaced in one instant.
 */
#ifndef WORKER_PIPELINE_CACHE_MARKER_H
#define WORKER_PIPELINE_CACHE_MARKER_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/pipeline/cache.h"

enum { CACHE_MARKER_VERSIONS = 4, CACHE_MARKER_DIGEST_BYTES = 65 };

struct cache_marker_version {
    char digest[CACHE_MARKER_DIGEST_BYTES]; /* SHA-256 of the table, hexadecimal */
    struct cache_state state;
};

struct cache_marker {
    char *identity; /* owned */
    size_t count;
    struct cache_marker_version versions[CACHE_MARKER_VERSIONS]; /* newest first */
};

/* ERR_FORMAT for anything that is not such a marker. Free with cache_marker_fini. */
enum err_code cache_marker_parse(struct cache_marker *out, const char *text, size_t size, struct err *err) MUST_CHECK;

/* *text is malloc'd. */
enum err_code cache_marker_print(const struct cache_marker *marker, char **text, struct err *err) MUST_CHECK;
void cache_marker_fini(struct cache_marker *marker);

/* Puts a version first. The oldest goes, but not `current`, the digest of the table as it is ("": there is none): runs
 * that never came to write their table must not drop the one that stands. */
void cache_marker_add(struct cache_marker *marker, const char *digest, const struct cache_state *state,
                      const char *current);

/* NULL: it does not vouch for such contents. */
const struct cache_state *cache_marker_find(const struct cache_marker *marker, const char *digest);

#endif
