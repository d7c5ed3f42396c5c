#include "worker/pipeline/product_index.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum { FIRST_SLOTS = 1024 };

struct slot {
    int64_t id;
    uint32_t place; /* in order of appearance, + 1; 0: free */
};

/* Open addressing. */
struct met {
    struct slot *slots;
    size_t slot_count; /* a power of two, at least twice the count */
    int64_t *ids;      /* in order of appearance */
    size_t capacity;
    size_t count;
};

static struct slot *find_slot(struct slot *slots, size_t slot_count, int64_t id)
{
    uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15u;
    size_t slot = (size_t)(hash ^ (hash >> 32)) & (slot_count - 1);

    while (slots[slot].place != 0 && slots[slot].id != id)
        slot = (slot + 1) & (slot_count - 1);
    return &slots[slot];
}

static enum err_code grow_slots(struct met *met, struct err *err)
{
    size_t slot_count = met->slot_count * 2;
    struct slot *slots = mem_zeroed(slot_count, sizeof *slots);

    if (slots == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", met->count);
    for (size_t place = 0; place < met->count; place++)
        *find_slot(slots, slot_count, met->ids[place]) =
            (struct slot){.id = met->ids[place], .place = (uint32_t)place + 1};
    free(met->slots);
    met->slots = slots;
    met->slot_count = slot_count;
    return ERR_OK;
}

static enum err_code add(struct met *met, int64_t id, struct err *err)
{
    enum err_code rc = mem_grow(&met->ids, &met->capacity, met->count + 1, sizeof *met->ids, err);

    if (rc == ERR_OK && (met->count + 1) * 2 > met->slot_count)
        rc = grow_slots(met, err);
    if (rc != ERR_OK)
        return rc;
    met->ids[met->count++] = id;
    *find_slot(met->slots, met->slot_count, id) = (struct slot){.id = id, .place = (uint32_t)met->count};
    return ERR_OK;
}

static enum err_code number_by_appearance(struct met *met, uint32_t *of_row, const struct interactions *rows,
                                          struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t row = 0; rc == ERR_OK && row < rows->count; row++) {
        const struct slot *slot = find_slot(met->slots, met->slot_count, rows->product_id[row]);

        if (slot->place != 0) {
            of_row[row] = slot->place - 1;
            continue;
        }
        of_row[row] = (uint32_t)met->count;
        rc = add(met, rows->product_id[row], err);
    }
    return rc;
}

/* From numbers by appearance to places in `order`, which has those by id. */
static enum err_code number_by_id(struct product_index *out, const struct met *met, const uint32_t *order, size_t rows,
                                  struct err *err)
{
    uint32_t *places = mem_zeroed(met->count, sizeof *places);

    out->count = met->count;
    out->ids = mem_zeroed(met->count, sizeof *out->ids);
    if (out->ids == NULL || places == NULL) {
        free(places);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", met->count);
    }
    for (size_t place = 0; place < met->count; place++) {
        out->ids[place] = met->ids[order[place]];
        places[order[place]] = (uint32_t)place;
    }
    for (size_t row = 0; row < rows; row++)
        out->of_row[row] = places[out->of_row[row]];
    free(places);
    return ERR_OK;
}

static enum err_code number_all(struct product_index *out, struct met *met, const struct interactions *rows,
                                struct err *err)
{
    uint32_t *order = NULL;
    enum err_code rc = number_by_appearance(met, out->of_row, rows, err);

    if (rc == ERR_OK)
        rc = radix_rows(&order, met->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(order, met->ids, met->count, err);
    if (rc == ERR_OK)
        rc = number_by_id(out, met, order, rows->count, err);
    free(order);
    return rc;
}

enum err_code product_index_init(struct product_index *out, const struct interactions *rows, struct err *err)
{
    struct met met = {.slots = mem_zeroed(FIRST_SLOTS, sizeof *met.slots), .slot_count = FIRST_SLOTS};
    enum err_code rc;

    *out = (struct product_index){.of_row = mem_zeroed(rows->count, sizeof *out->of_row)};
    if (out->of_row == NULL || met.slots == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the products of %zu rows", rows->count);
    else
        rc = number_all(out, &met, rows, err);
    if (rc != ERR_OK)
        product_index_fini(out);
    free(met.slots);
    free(met.ids);
    return rc;
}

void product_index_fini(struct product_index *index)
{
    free(index->ids);
    free(index->of_row);
    *index = (struct product_index){0};
}
