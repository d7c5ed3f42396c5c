#include "tests/unit/memory_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_BYTES = 64 };

struct memory_blob *memory_store_find(struct memory_store *store, const char *name)
{
    for (size_t i = 0; i < MEMORY_STORE_BLOBS; i++) {
        if (store->blobs[i].name[0] != '\0' && strcmp(store->blobs[i].name, name) == 0)
            return &store->blobs[i];
    }
    return NULL;
}

struct memory_blob *memory_store_find_like(struct memory_store *store, const char *part)
{
    for (size_t i = 0; i < MEMORY_STORE_BLOBS; i++) {
        if (store->blobs[i].name[0] != '\0' && strstr(store->blobs[i].name, part) != NULL)
            return &store->blobs[i];
    }
    return NULL;
}

size_t memory_store_count(const struct memory_store *store)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMORY_STORE_BLOBS; i++)
        count += store->blobs[i].name[0] != '\0';
    return count;
}

static bool put(struct memory_store *store, const char *name, const char *data, size_t size)
{
    struct memory_blob *blob = memory_store_find(store, name);
    char *copy = malloc(size + 1);

    for (size_t i = 0; blob == NULL && i < MEMORY_STORE_BLOBS; i++) {
        if (store->blobs[i].name[0] == '\0')
            blob = &store->blobs[i];
    }
    if (copy == NULL || blob == NULL) {
        free(copy);
        return false;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    free(blob->data);
    (void)snprintf(blob->name, sizeof blob->name, "%s", name);
    blob->data = copy;
    blob->size = size;
    blob->version = ++store->versions;
    return true;
}

void memory_store_put(struct memory_store *store, const char *name, const char *data, size_t size)
{
    if (!put(store, name, data, size))
        abort();
}

static void make_tag(char *tag, const struct memory_blob *blob)
{
    (void)snprintf(tag, TAG_BYTES, "%u", blob != NULL ? blob->version : 0);
    if (blob == NULL)
        tag[0] = '\0';
}

static enum err_code store_read(void *self, const char *name, char **data, size_t *size, char *tag, struct err *err)
{
    struct memory_store *store = self;
    struct memory_blob *blob = memory_store_find(store, name);

    *data = NULL;
    if (store->away != ERR_OK)
        return ERR_SET(err, store->away, "the storage is away");
    if (blob == NULL)
        return ERR_SET(err, ERR_NOT_FOUND, "no %s", name);
    *data = malloc(blob->size + 1);
    if (*data == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %s", name);
    memcpy(*data, blob->data, blob->size + 1);
    *size = blob->size;
    make_tag(tag, blob);
    return ERR_OK;
}

static enum err_code store_write(void *self, const char *name, const char *data, size_t size, const char *if_tag,
                                 struct err *err)
{
    struct memory_store *store = self;
    char tag[TAG_BYTES];

    if (store->away != ERR_OK)
        return ERR_SET(err, store->away, "the storage is away");
    if (store->before_write != NULL)
        store->before_write(store->context, name);
    if (store->failing_name != NULL && strcmp(store->failing_name, name) == 0)
        return ERR_SET(err, ERR_IO, "write %s: no space left", name);
    make_tag(tag, memory_store_find(store, name));
    if (if_tag != NULL && strcmp(if_tag, tag) != 0)
        return ERR_SET(err, ERR_EXISTS, "%s was written meanwhile", name);
    if (!put(store, name, data, size))
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %s", name);
    store->writes++;
    return ERR_OK;
}

static enum err_code store_rename(void *self, const char *name, const char *new_name, struct err *err)
{
    struct memory_store *store = self;
    struct memory_blob *blob = memory_store_find(store, name);

    if (store->away != ERR_OK)
        return ERR_SET(err, store->away, "the storage is away");
    if (blob == NULL)
        return ERR_SET(err, ERR_NOT_FOUND, "no %s", name);
    if (memory_store_find(store, new_name) != NULL)
        return ERR_SET(err, ERR_EXISTS, "%s is there already", new_name);
    (void)snprintf(blob->name, sizeof blob->name, "%s", new_name);
    return ERR_OK;
}

struct blob_store memory_store(struct memory_store *store)
{
    return (struct blob_store){.read = store_read, .write = store_write, .rename = store_rename, .self = store};
}

void memory_store_fini(struct memory_store *store)
{
    for (size_t i = 0; i < MEMORY_STORE_BLOBS; i++)
        free(store->blobs[i].data);
    *store = (struct memory_store){0};
}
