#include "gateway/store_notes.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum { FIRST_CAPACITY = 64 };

void store_notes_fini(struct store_notes *notes)
{
    free(notes->ring);
    *notes = (struct store_notes){0};
}

static struct store_note *at(const struct store_notes *notes, size_t index)
{
    return &notes->ring[(notes->first + index) & (notes->capacity - 1)];
}

static bool grow(struct store_notes *notes)
{
    size_t capacity = notes->capacity > 0 ? notes->capacity * 2 : FIRST_CAPACITY;
    struct store_note *ring = mem_zeroed(capacity, sizeof *ring);

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < notes->count; i++)
        ring[i] = *at(notes, i);
    free(notes->ring);
    notes->ring = ring;
    notes->capacity = capacity;
    notes->first = 0;
    return true;
}

size_t store_notes_push(struct store_notes *notes, const struct store_note *note)
{
    size_t left_out = 0;

    if (notes->count == STORE_NOTES_MAX) {
        store_notes_drop_first(notes);
        left_out = 1;
    } else if (notes->count == notes->capacity && !grow(notes)) {
        return 1;
    }
    *at(notes, notes->count++) = *note;
    return left_out;
}

const struct store_note *store_notes_first(const struct store_notes *notes)
{
    return notes->count > 0 ? at(notes, 0) : NULL;
}

void store_notes_drop_first(struct store_notes *notes)
{
    notes->first = (notes->first + 1) & (notes->capacity - 1);
    notes->count--;
}
