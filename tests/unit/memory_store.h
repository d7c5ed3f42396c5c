/*
 * A blob_store in memory that fails, or is overtaken by another run, when a test wants it.
 */
#ifndef TESTS_UNIT_MEMORY_STORE_H
#define TESTS_UNIT_MEMORY_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/pipeline/cache.h"

enum { MEMORY_STORE_BLOBS = 16, MEMORY_STORE_NAME_BYTES = 128 };

struct memory_blob {
    char name[MEMORY_STORE_NAME_BYTES]; /* "": a free place */
    char *data;
    size_t size;
    unsigned version;
};

struct memory_store {
    struct memory_blob blobs[MEMORY_STORE_BLOBS];
    unsigned versions;
    const char *failing_name; /* writes of it fail with ERR_IO, as if the run had died before them */
    enum err_code away;       /* not ERR_OK: all fails with it */
    void (*before_write)(void *context, const char *name); /* what others do just before; NULL: nothing */
    void *context;
    size_t writes;
};

/* *store starts as {0}. */
struct blob_store memory_store(struct memory_store *store);
void memory_store_fini(struct memory_store *store);

/* NULL: there is none. */
struct memory_blob *memory_store_find(struct memory_store *store, const char *name);

/* The first whose name holds `part`; NULL: there is none. */
struct memory_blob *memory_store_find_like(struct memory_store *store, const char *part);
size_t memory_store_count(const struct memory_store *store);

/* Puts or replaces a blob, past all checks. */
void memory_store_put(struct memory_store *store, const char *name, const char *data, size_t size);

#endif
