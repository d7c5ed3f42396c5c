#include "worker/pipeline/id_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { FIRST_SLOTS = 64, SIDE_BY_SIDE = 32 };

/* The hash stands beside the index, so that a slot of another text is passed over without a look at it. */
struct slot {
    uint32_t hash;
    uint32_t place; /* index + 1; 0: free */
};

/* Open addressing. The texts lie one behind the other, each with its terminator. */
struct id_table {
    char *bytes;
    size_t bytes_used;
    size_t bytes_capacity;
    size_t *offsets; /* of each text in bytes */
    size_t offsets_capacity;
    struct slot *slots;
    size_t slot_count; /* a power of two, more than 4/3 of count */
    size_t count;
};

/* Eight bytes at a time. A product carries upwards only, so each is followed by a shift down. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static uint32_t hash_text(const char *text, size_t length)
{
    uint64_t hash = length;
    uint64_t word = 0;

    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    if (length > 0)
        memcpy(&word, text, length);
    return (uint32_t)mix(mix(hash, word), 0);
}

enum err_code id_table_create(struct id_table **out, struct err *err)
{
    struct id_table *table = mem_zeroed(1, sizeof *table);

    *out = NULL;
    if (table == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a table of ids");
    table->slots = mem_zeroed(FIRST_SLOTS, sizeof *table->slots);
    if (table->slots == NULL) {
        free(table);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a table of ids");
    }
    table->slot_count = FIRST_SLOTS;
    *out = table;
    return ERR_OK;
}

void id_table_destroy(struct id_table *table)
{
    if (table == NULL)
        return;
    free(table->bytes);
    free(table->offsets);
    free(table->slots);
    free(table);
}

static size_t text_length(const struct id_table *table, size_t index)
{
    size_t end = index + 1 < table->count ? table->offsets[index + 1] : table->bytes_used;

    return end - table->offsets[index] - 1;
}

static bool text_equals(const struct id_table *table, size_t index, const char *text, size_t length)
{
    return text_length(table, index) == length && memcmp(table->bytes + table->offsets[index], text, length) == 0;
}

/* The slot that holds the text, or the free one where it belongs. */
static size_t find_slot(const struct id_table *table, uint32_t hash, const char *text, size_t length)
{
    size_t mask = table->slot_count - 1;
    size_t slot = hash & mask;

    while (table->slots[slot].place != 0 &&
           (table->slots[slot].hash != hash || !text_equals(table, table->slots[slot].place - 1, text, length)))
        slot = (slot + 1) & mask;
    return slot;
}

static enum err_code grow_slots(struct id_table *table, struct err *err)
{
    size_t slot_count = table->slot_count * 2;
    struct slot *slots = mem_zeroed(slot_count, sizeof *slots);

    if (slots == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a table of %zu ids", table->count);
    for (size_t i = 0; i < table->slot_count; i++) {
        size_t slot = table->slots[i].hash & (slot_count - 1);

        if (table->slots[i].place == 0)
            continue;
        while (slots[slot].place != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return ERR_OK;
}

static enum err_code reserve_text(struct id_table *table, size_t length, struct err *err)
{
    enum err_code rc;

    if (table->count >= UINT32_MAX - 1 || length >= SIZE_MAX - table->bytes_used)
        return ERR_SET(err, ERR_TOO_LARGE, "more than %zu ids", table->count);
    rc = mem_grow(&table->bytes, &table->bytes_capacity, table->bytes_used + length + 1, 1, err);
    if (rc == ERR_OK)
        rc = mem_grow(&table->offsets, &table->offsets_capacity, table->count + 1, sizeof *table->offsets, err);
    if (rc == ERR_OK && (table->count + 1) * 4 > table->slot_count * 3)
        rc = grow_slots(table, err);
    return rc;
}

static enum err_code intern(struct id_table *table, uint32_t hash, struct id_text id, uint32_t *index, struct err *err)
{
    size_t slot = find_slot(table, hash, id.text, id.length);
    enum err_code rc;

    if (table->slots[slot].place != 0) {
        *index = table->slots[slot].place - 1;
        return ERR_OK;
    }
    rc = reserve_text(table, id.length, err);
    if (rc != ERR_OK)
        return rc;

    slot = find_slot(table, hash, id.text, id.length); /* the slots may have grown */
    if (id.length > 0)
        memcpy(table->bytes + table->bytes_used, id.text, id.length);
    table->bytes[table->bytes_used + id.length] = '\0';
    table->offsets[table->count] = table->bytes_used;
    table->bytes_used += id.length + 1;
    *index = (uint32_t)table->count;
    table->count++;
    table->slots[slot] = (struct slot){.hash = hash, .place = (uint32_t)table->count};
    return ERR_OK;
}

enum err_code id_table_intern(struct id_table *table, const char *text, size_t length, uint32_t *index, struct err *err)
{
    return intern(table, hash_text(text, length), (struct id_text){.text = text, .length = length}, index, err);
}

/* Where the first text with that hash is, + 1, or 0: nearly always the text itself. */
static uint32_t guess_place(const struct id_table *table, uint32_t hash)
{
    size_t mask = table->slot_count - 1;
    size_t slot = hash & mask;

    while (table->slots[slot].place != 0 && table->slots[slot].hash != hash)
        slot = (slot + 1) & mask;
    return table->slots[slot].place;
}

/* Three steps lead from a hash to a text, each of which waits for memory: each is taken for all of them before the
 * next. */
static void guess_places(uint32_t *places, const struct id_table *table, const uint32_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(&table->slots[hashes[i] & (table->slot_count - 1)]);
    for (size_t i = 0; i < count; i++) {
        places[i] = guess_place(table, hashes[i]);
        if (places[i] != 0)
            __builtin_prefetch(&table->offsets[places[i] - 1]);
    }
    for (size_t i = 0; i < count; i++) {
        if (places[i] != 0)
            __builtin_prefetch(table->bytes + table->offsets[places[i] - 1]);
    }
}

static enum err_code intern_side_by_side(struct id_table *table, const struct id_text *texts, size_t count,
                                         uint32_t *indices, struct err *err)
{
    uint32_t hashes[SIDE_BY_SIDE];
    uint32_t places[SIDE_BY_SIDE];

    for (size_t i = 0; i < count; i++)
        hashes[i] = hash_text(texts[i].text, texts[i].length);
    guess_places(places, table, hashes, count);
    for (size_t i = 0; i < count; i++) {
        enum err_code rc;

        indices[i] = places[i] - 1;
        if (places[i] != 0 && text_equals(table, indices[i], texts[i].text, texts[i].length))
            continue;
        rc = intern(table, hashes[i], texts[i], &indices[i], err);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code id_table_intern_many(struct id_table *table, const struct id_text *texts, size_t count, uint32_t *indices,
                                   struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t begin = 0; rc == ERR_OK && begin < count; begin += SIDE_BY_SIDE)
        rc = intern_side_by_side(table, texts + begin, count - begin < SIDE_BY_SIDE ? count - begin : SIDE_BY_SIDE,
                                 indices + begin, err);
    return rc;
}

bool id_table_find(const struct id_table *table, const char *text, size_t length, uint32_t *index)
{
    size_t slot = find_slot(table, hash_text(text, length), text, length);

    if (table->slots[slot].place == 0)
        return false;
    *index = table->slots[slot].place - 1;
    return true;
}

size_t id_table_count(const struct id_table *table)
{
    return table->count;
}

const char *id_table_text(const struct id_table *table, uint32_t index)
{
    return table->bytes + table->offsets[index];
}
