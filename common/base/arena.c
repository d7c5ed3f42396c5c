#include "common/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK_BYTES = 4096 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

struct arena {
    struct block *head; /* the block in use; older ones behind it */
    size_t cap_bytes;
    size_t handed_out;
};

static struct block *block_create(size_t size)
{
    struct block *block;

    if (size > SIZE_MAX - sizeof *block)
        return NULL;
    block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_create(size_t cap_bytes)
{
    struct arena *arena = calloc(1, sizeof *arena);

    if (arena == NULL)
        return NULL;
    arena->cap_bytes = cap_bytes;
    arena->head = block_create(FIRST_BLOCK_BYTES);
    if (arena->head == NULL) {
        free(arena);
        return NULL;
    }
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->head != NULL) {
        struct block *next = arena->head->next;

        free(arena->head);
        arena->head = next;
    }
    free(arena);
}

void arena_reset(struct arena *arena)
{
    while (arena->head->next != NULL) {
        struct block *next = arena->head->next;

        free(arena->head);
        arena->head = next;
    }
    arena->head->used = 0;
    arena->handed_out = 0;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    const size_t unit = alignof(max_align_t);
    size_t rounded;
    void *memory;

    if (bytes > SIZE_MAX - unit)
        return NULL;
    rounded = (bytes + unit - 1) / unit * unit;
    if (rounded > arena->cap_bytes || arena->handed_out > arena->cap_bytes - rounded)
        return NULL;
    if (rounded > arena->head->size - arena->head->used) {
        size_t size = arena->head->size * 2;
        struct block *block = block_create(size > rounded ? size : rounded);

        if (block == NULL)
            return NULL;
        block->next = arena->head;
        arena->head = block;
    }
    memory = (char *)arena->head->data + arena->head->used;
    arena->head->used += rounded;
    arena->handed_out += rounded;
    return memory;
}

char *arena_dup(struct arena *arena, const char *text, size_t length)
{
    char *copy;

    if (length == SIZE_MAX)
        return NULL;
    copy = arena_alloc(arena, length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
