#include "worker/pipeline/cache_marker.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/net/json_value.h"

enum { FORMAT = 1 };

static bool parse_version(struct cache_marker_version *out, const struct json *json)
{
    const char *digest = json_value_get_text(json, "sha256");
    const struct json *watermarks = json_value_get(json, "watermarks");
    const struct json *covers_from = json_value_get(json, "covers_from");

    if (digest == NULL || strlen(digest) != CACHE_MARKER_DIGEST_BYTES - 1)
        return false;
    str_copy(out->digest, sizeof out->digest, digest);
    out->state.loaded = true;
    for (int i = 0; i < ACTION_COUNT; i++) {
        const char *name = action_name((enum action)i);

        if (!json_value_get_int64(watermarks, name, &out->state.watermark_s[i]) ||
            !json_value_get_int64(covers_from, name, &out->state.covers_from_s[i]))
            return false;
    }
    return true;
}

static enum err_code read_marker(struct cache_marker *out, const struct json *json, struct err *err)
{
    const char *identity = json_value_get_text(json, "identity");
    const struct json *versions = json_value_get(json, "versions");
    int64_t format = 0;

    if (!json_value_get_int64(json, "format", &format) || format != FORMAT || identity == NULL)
        return ERR_SET(err, ERR_FORMAT, "the cache's marker is of another format");
    for (size_t i = 0; i < json_value_count(versions) && i < CACHE_MARKER_VERSIONS; i++) {
        if (!parse_version(&out->versions[i], json_value_at(versions, i)))
            return ERR_SET(err, ERR_FORMAT, "the cache's marker has a broken version");
        out->count++;
    }
    out->identity = strdup(identity);
    return out->identity != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the cache's marker");
}

enum err_code cache_marker_parse(struct cache_marker *out, const char *text, size_t size, struct err *err)
{
    struct json *json = NULL;
    enum err_code rc = json_value_parse(&json, text, size, err);

    *out = (struct cache_marker){0};
    if (rc == ERR_OK)
        rc = read_marker(out, json, err);
    json_value_destroy(json);
    if (rc != ERR_OK)
        cache_marker_fini(out);
    return rc;
}

static struct json *print_version(const struct cache_marker_version *version)
{
    struct json *json = json_value_new_object();
    struct json *watermarks = json_value_new_object();
    struct json *covers_from = json_value_new_object();
    bool ok = json != NULL && watermarks != NULL && covers_from != NULL;

    for (int i = 0; ok && i < ACTION_COUNT; i++) {
        const char *name = action_name((enum action)i);

        ok = json_value_set_int(watermarks, name, version->state.watermark_s[i]) &&
             json_value_set_int(covers_from, name, version->state.covers_from_s[i]);
    }
    ok = ok && json_value_set_text(json, "sha256", version->digest);
    if (!ok) {
        json_value_destroy(json);
        json_value_destroy(watermarks);
        json_value_destroy(covers_from);
        return NULL;
    }
    ok = json_value_set(json, "watermarks", watermarks);
    ok = json_value_set(json, "covers_from", covers_from) && ok;
    if (ok)
        return json;
    json_value_destroy(json);
    return NULL;
}

enum err_code cache_marker_print(const struct cache_marker *marker, char **text, struct err *err)
{
    struct json *json = json_value_new_object();
    struct json *versions = json_value_new_array();
    bool ok = json != NULL && versions != NULL;

    *text = NULL;
    for (size_t i = 0; ok && i < marker->count; i++)
        ok = json_value_append(versions, print_version(&marker->versions[i]));
    if (ok && json_value_set_int(json, "format", FORMAT) && json_value_set_text(json, "identity", marker->identity) &&
        json_value_set(json, "versions", json_value_dup(versions)))
        *text = json_value_print(json, false, 1);
    json_value_destroy(versions);
    json_value_destroy(json);
    return *text != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the cache's marker");
}

void cache_marker_fini(struct cache_marker *marker)
{
    free(marker->identity);
    *marker = (struct cache_marker){0};
}

/* The place of the version that makes room: that of the same contents, else a free one, else the oldest. */
static size_t find_room(const struct cache_marker *marker, const char *digest, const char *current)
{
    for (size_t i = 0; i < marker->count; i++) {
        if (strcmp(marker->versions[i].digest, digest) == 0)
            return i;
    }
    if (marker->count < CACHE_MARKER_VERSIONS)
        return marker->count;
    return strcmp(marker->versions[CACHE_MARKER_VERSIONS - 1].digest, current) == 0 ? CACHE_MARKER_VERSIONS - 2
                                                                                    : CACHE_MARKER_VERSIONS - 1;
}

void cache_marker_add(struct cache_marker *marker, const char *digest, const struct cache_state *state,
                      const char *current)
{
    size_t room = find_room(marker, digest, current);
    struct cache_marker_version version = {.state = *state};

    str_copy(version.digest, sizeof version.digest, digest);
    memmove(&marker->versions[1], &marker->versions[0], room * sizeof marker->versions[0]);
    marker->versions[0] = version;
    if (room == marker->count)
        marker->count++;
}

const struct cache_state *cache_marker_find(const struct cache_marker *marker, const char *digest)
{
    for (size_t i = 0; i < marker->count; i++) {
        if (strcmp(marker->versions[i].digest, digest) == 0)
            return &marker->versions[i].state;
    }
    return NULL;
}
