#include "worker/pipeline/free_memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file_text.h"
#include "common/base/str.h"

enum { PATH_BYTES = 1024, MOST_BYTES = 1 << 20 };

/* The number after `word` at the start of a line; false where there is none ("max", no such file). */
static bool find_number(const char *path, const char *word, uint64_t *out)
{
    char *text = NULL;
    size_t length;
    bool found = false;

    if (file_text_read(&text, &length, path, MOST_BYTES, NULL) != ERR_OK)
        return false;
    for (const char *line = text; line != NULL && !found; line = strchr(line, '\n')) {
        char *end;

        line += *line == '\n';
        if (strncmp(line, word, strlen(word)) != 0)
            continue;
        *out = strtoull(line + strlen(word), &end, 10);
        found = end != line + strlen(word);
    }
    free(text);
    return found;
}

/* What a version of control groups calls its files. */
struct names {
    const char *mount;
    const char *line; /* before the group's path in /proc/self/cgroup */
    const char *limit;
    const char *usage;
    const char *reclaimable; /* in memory.stat */
};

static const struct names versions[] = {
    {"/sys/fs/cgroup", "0::", "memory.max", "memory.current", "inactive_file "},
    {"/sys/fs/cgroup/memory", "memory:", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
};

static bool read_file(uint64_t *out, const char *folder, const char *name, const char *word)
{
    char path[PATH_BYTES + 64];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return find_number(path, word, out);
}

static void apply_group(uint64_t *least, const char *folder, const struct names *names)
{
    uint64_t limit;
    uint64_t usage;
    uint64_t reclaimable = 0;

    if (!read_file(&limit, folder, names->limit, "") || !read_file(&usage, folder, names->usage, ""))
        return;
    (void)read_file(&reclaimable, folder, "memory.stat", names->reclaimable);
    usage = usage > reclaimable ? usage - reclaimable : 0;
    limit = limit > usage ? limit - usage : 1;
    *least = limit < *least ? limit : *least;
}

/* The path of this process's group, from a line like "0::/a/b" or "4:memory:/a/b"; "" where there is none. */
static void find_group(char *out, const char *root, const struct names *names)
{
    char path[PATH_BYTES];
    char *text = NULL;
    const char *at;
    size_t length;

    out[0] = '\0';
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (file_text_read(&text, &length, path, MOST_BYTES, NULL) != ERR_OK)
        return;
    at = strstr(text, names->line);
    if (at != NULL) {
        at += strlen(names->line);
        (void)snprintf(out, PATH_BYTES / 2, "%.*s", (int)strcspn(at, "\n"), at);
    }
    free(text);
}

/* The group's own limit, then that of each above it. */
static void apply_groups(uint64_t *least, const char *root, const struct names *names)
{
    char group[PATH_BYTES / 2];
    char folder[PATH_BYTES];
    char *slash;

    find_group(group, root, names);
    do {
        (void)snprintf(folder, sizeof folder, "%.256s%s%s", root, names->mount, group);
        apply_group(least, folder, names);
        slash = strrchr(group, '/');
        if (slash != NULL)
            *slash = '\0';
    } while (slash != NULL);
}

size_t free_memory_read(const char *root)
{
    char path[PATH_BYTES];
    uint64_t least = UINT64_MAX;
    uint64_t available;

    (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (find_number(path, "MemAvailable:", &available))
        least = available > 0 ? available * 1024 : 1;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        apply_groups(&least, root, &versions[i]);
    return least < SIZE_MAX ? (size_t)least : 0;
}
