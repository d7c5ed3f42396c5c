/*
 * An arena: many small allocations, freed together, with a hard cap on their sum. Not thread-safe.
 */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* NULL when out of memory. cap_bytes bounds the sum of all that is handed out. */
struct arena *arena_create(size_t cap_bytes);
void arena_destroy(struct arena *arena);

/* Forgets all that was handed out and keeps the first block for reuse. */
void arena_reset(struct arena *arena);

/* Aligned for any type, not zeroed; NULL over the cap or out of memory. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A terminated copy of text[0..length); NULL over the cap or out of memory. */
char *arena_dup(struct arena *arena, const char *text, size_t length);

#endif
