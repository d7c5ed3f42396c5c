#include "worker/connect/folder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/connect/folder_read.h"

struct folder {
    char *path; /* absolute */
    char *identity;
    const char *activities; /* names of files */
    const char *products;   /* NULL: there is none */
};

static const char *const activity_files[] = {"events.jsonl", "interactions.csv"};
static const char *const product_files[] = {"products.json", "products.csv"};

static enum err_code look_for(const struct folder *folder, const char *name, const char *ending, bool *found,
                              struct err *err)
{
    char *path = str_format("%s/%s%s", folder->path, name, ending);

    if (path == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a path");
    *found = access(path, F_OK) == 0;
    free(path);
    return ERR_OK;
}

/* *out: which of the two is there; NULL: none. */
static enum err_code choose(const struct folder *folder, const char *const *names, const char **out, struct err *err)
{
    *out = NULL;
    for (size_t i = 0; i < 2; i++) {
        bool plain = false;
        bool packed = false;
        enum err_code rc = look_for(folder, names[i], "", &plain, err);

        if (rc == ERR_OK && !plain)
            rc = look_for(folder, names[i], ".xz", &packed, err);
        if (rc != ERR_OK)
            return rc;
        if (packed)
            return ERR_SET(err, ERR_CONFIG, "API_URL: %s/%s.xz is packed: unpack it first (xz -dk)", folder->path,
                           names[i]);
        if (plain && *out != NULL)
            return ERR_SET(err, ERR_CONFIG, "API_URL: %s has both %s and %s: which is it?", folder->path, names[0],
                           names[1]);
        *out = plain ? names[i] : *out;
    }
    return ERR_OK;
}

static enum err_code fill(struct folder *folder, const char *path, struct err *err)
{
    enum err_code rc;

    folder->path = realpath(path, NULL);
    if (folder->path == NULL)
        return ERR_SET(err, errno == ENOMEM ? ERR_NO_MEMORY : ERR_CONFIG, "API_URL: the folder %s: %s", path,
                       strerror(errno));
    folder->identity = str_format("file:%s", folder->path);
    if (folder->identity == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a folder");
    rc = choose(folder, activity_files, &folder->activities, err);
    if (rc == ERR_OK)
        rc = choose(folder, product_files, &folder->products, err);
    if (rc == ERR_OK && folder->activities == NULL)
        rc = ERR_SET(err, ERR_CONFIG, "API_URL: %s has neither %s nor %s", folder->path, activity_files[0],
                     activity_files[1]);
    return rc;
}

enum err_code folder_create(struct folder **out, const char *path, struct err *err)
{
    struct folder *folder = mem_zeroed(1, sizeof *folder);
    enum err_code rc;

    *out = NULL;
    if (folder == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a folder");
    rc = fill(folder, path, err);
    if (rc != ERR_OK) {
        folder_destroy(folder);
        return rc;
    }
    *out = folder;
    return ERR_OK;
}

void folder_destroy(struct folder *folder)
{
    if (folder == NULL)
        return;
    free(folder->path);
    free(folder->identity);
    free(folder);
}

static enum err_code read_activities(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn,
                                     void *context, const struct progress *progress, struct source_counts *counts,
                                     struct err *err)
{
    const struct folder *folder = self;
    struct folder_reader reader = {
        .on_activity = fn, .context = context, .from_s = from_s, .progress = progress, .counts = counts};
    bool csv = folder->activities == activity_files[1];

    return csv ? folder_read_csv(&reader, folder->path, folder->activities, err)
               : folder_read_events(&reader, folder->path, folder->activities, err);
}

static enum err_code read_products(void *self, source_product_fn fn, void *context, const struct progress *progress,
                                   struct source_counts *counts, struct err *err)
{
    const struct folder *folder = self;
    struct folder_reader reader = {.on_product = fn, .context = context, .progress = progress, .counts = counts};
    bool csv = folder->products == product_files[1];

    return csv ? folder_read_csv(&reader, folder->path, folder->products, err)
               : folder_read_products(&reader, folder->path, folder->products, err);
}

struct source folder_source(struct folder *folder)
{
    return (struct source){.activities = read_activities,
                           .products = folder->products != NULL ? read_products : NULL,
                           .self = folder,
                           .identity = folder->identity};
}
