#include "gateway/shops.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/job_settings.h"
#include "common/net/json_value.h"
#include "gateway/file_text.h"

struct shops {
    char **names; /* sorted */
    size_t count;
    size_t capacity;
};

/* Between the members of the file: the shops they go to, and what went wrong. */
struct collection {
    struct shops *shops;
    enum err_code rc;
    struct err *err;
};

static enum err_code add_name(struct shops *shops, const char *name, struct err *err)
{
    enum err_code rc;

    if (!job_settings_is_name(name))
        return ERR_SET(err, ERR_CONFIG, "\"%.80s\" cannot name a shop (1 to %d of A-Z a-z 0-9 . _ -)", name,
                       JOB_SETTINGS_NAME_BYTES - 1);
    rc = mem_grow(&shops->names, &shops->capacity, shops->count + 1, sizeof *shops->names, err);
    if (rc != ERR_OK)
        return rc;
    shops->names[shops->count] = strdup(name);
    if (shops->names[shops->count] == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");
    shops->count++;
    return ERR_OK;
}

static bool on_member(void *context, const char *key, const struct json *value)
{
    struct collection *collection = context;

    if (json_value_kind(value) != JSON_KIND_OBJECT)
        collection->rc = ERR_SET(collection->err, ERR_CONFIG, "the shop \"%.80s\" is not a JSON object", key);
    else
        collection->rc = add_name(collection->shops, key, collection->err);
    return collection->rc == ERR_OK;
}

static enum err_code load_file(struct shops *shops, const char *path, struct err *err)
{
    struct collection collection = {.shops = shops, .rc = ERR_OK, .err = err};
    struct json *members = NULL;
    char *text = NULL;
    size_t length;
    enum err_code rc = file_text_read(&text, &length, path, SHOPS_FILE_BYTES, err);

    if (rc == ERR_OK)
        rc = json_value_parse(&members, text, length, err);
    if (rc == ERR_OK && json_value_kind(members) != JSON_KIND_OBJECT)
        rc = ERR_SET(err, ERR_CONFIG, "this is not a JSON object of shops");
    if (rc == ERR_OK) {
        json_value_each(members, on_member, &collection);
        rc = collection.rc;
    }
    json_value_destroy(members);
    free(text);
    if (rc != ERR_OK)
        (void)err_wrap(err, "%s", path);
    return rc;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err_code shops_create(struct shops **out, const char *shop, const char *path, struct err *err)
{
    struct shops *shops = mem_zeroed(1, sizeof *shops);
    enum err_code rc;

    *out = NULL;
    if (shops == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");
    rc = add_name(shops, shop, err);
    if (rc == ERR_OK && path != NULL)
        rc = load_file(shops, path, err);
    if (rc != ERR_OK) {
        shops_destroy(shops);
        return rc;
    }
    qsort(shops->names, shops->count, sizeof *shops->names, compare);
    *out = shops;
    return ERR_OK;
}

void shops_destroy(struct shops *shops)
{
    if (shops == NULL)
        return;
    for (size_t i = 0; i < shops->count; i++)
        free(shops->names[i]);
    free(shops->names);
    free(shops);
}

bool shops_know(const struct shops *shops, const char *name)
{
    return bsearch(&name, shops->names, shops->count, sizeof *shops->names, compare) != NULL;
}

size_t shops_count(const struct shops *shops)
{
    return shops->count;
}
