#include "worker/pipeline/interactions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const char *const action_names[ACTION_COUNT] = {
    [ACTION_PURCHASE] = "purchase",         [ACTION_INITIATE_CHECKOUT] = "initiate_checkout",
    [ACTION_ADD_TO_CART] = "add_to_cart",   [ACTION_ADD_TO_WISHLIST] = "add_to_wishlist",
    [ACTION_CONTENT_VIEW] = "content_view",
};

const char *action_name(enum action action)
{
    return action < ACTION_COUNT ? action_names[action] : "unknown";
}

bool action_parse(const char *name, enum action *out)
{
    for (unsigned i = 0; name != NULL && i < ACTION_COUNT; i++) {
        if (strcmp(name, action_names[i]) == 0) {
            *out = (enum action)i;
            return true;
        }
    }
    return false;
}

enum err_code interactions_init(struct interactions *set, struct err *err)
{
    *set = (struct interactions){0};
    return id_table_create(&set->users, err);
}

void interactions_fini(struct interactions *set)
{
    interactions_drop_rows(set);
    id_table_destroy(set->users);
    set->users = NULL;
}

void interactions_drop_rows(struct interactions *set)
{
    free(set->activity_id);
    free(set->created);
    free(set->product_id);
    free(set->user);
    free(set->action);
    *set = (struct interactions){.users = set->users};
}

/* `capacity` follows only when every column has grown. */
static enum err_code grow_columns(struct interactions *set, size_t needed, struct err *err)
{
    size_t capacities[5] = {set->capacity, set->capacity, set->capacity, set->capacity, set->capacity};
    enum err_code rc = mem_grow(&set->activity_id, &capacities[0], needed, sizeof *set->activity_id, err);

    if (rc == ERR_OK)
        rc = mem_grow(&set->created, &capacities[1], needed, sizeof *set->created, err);
    if (rc == ERR_OK)
        rc = mem_grow(&set->product_id, &capacities[2], needed, sizeof *set->product_id, err);
    if (rc == ERR_OK)
        rc = mem_grow(&set->user, &capacities[3], needed, sizeof *set->user, err);
    if (rc == ERR_OK)
        rc = mem_grow(&set->action, &capacities[4], needed, sizeof *set->action, err);
    if (rc == ERR_OK)
        set->capacity = capacities[4];
    return rc;
}

enum err_code interactions_add(struct interactions *set, int64_t activity_id, enum action action, const char *user_uid,
                               size_t user_uid_length, int64_t created, int64_t product_id, struct err *err)
{
    size_t row = set->count;
    enum err_code rc;

    if (row >= UINT32_MAX - 1)
        return ERR_SET(err, ERR_TOO_LARGE, "more than %zu interactions", row);
    if (row >= set->capacity) {
        rc = grow_columns(set, row + 1, err);
        if (rc != ERR_OK)
            return rc;
    }
    rc = id_table_intern(set->users, user_uid, user_uid_length, &set->user[row], err);
    if (rc != ERR_OK)
        return rc;
    set->activity_id[row] = activity_id;
    set->created[row] = created;
    set->product_id[row] = product_id;
    set->action[row] = (uint8_t)action;
    set->count++;
    return ERR_OK;
}

void interactions_filter(struct interactions *set, const uint8_t *keep)
{
    size_t kept = 0;

    for (size_t row = 0; row < set->count; row++) {
        if (!keep[row])
            continue;
        set->activity_id[kept] = set->activity_id[row];
        set->created[kept] = set->created[row];
        set->product_id[kept] = set->product_id[row];
        set->user[kept] = set->user[row];
        set->action[kept] = set->action[row];
        kept++;
    }
    set->count = kept;
}

static size_t hash_numbers(int64_t a, int64_t b)
{
    uint64_t hash = (uint64_t)a * 0x9e3779b97f4a7c15u;

    hash ^= hash >> 29;
    hash = (hash ^ (uint64_t)b) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    return (size_t)hash;
}

enum err_code interactions_mark_duplicates(const struct interactions *set, uint8_t *keep, size_t *removed,
                                           struct err *err)
{
    size_t slot_count = 16;
    uint32_t *slots; /* open addressing: row + 1, 0 is free */

    *removed = 0;
    while (slot_count / 2 < set->count)
        slot_count *= 2;
    slots = mem_zeroed(slot_count, sizeof *slots);
    if (slots == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to find duplicates among %zu rows", set->count);
    for (size_t row = 0; row < set->count; row++) {
        size_t slot = hash_numbers(set->activity_id[row], set->product_id[row]) & (slot_count - 1);

        while (slots[slot] != 0 && (set->activity_id[slots[slot] - 1] != set->activity_id[row] ||
                                    set->product_id[slots[slot] - 1] != set->product_id[row]))
            slot = (slot + 1) & (slot_count - 1);
        keep[row] = slots[slot] == 0;
        if (slots[slot] == 0)
            slots[slot] = (uint32_t)row + 1;
        else
            (*removed)++;
    }
    free(slots);
    return ERR_OK;
}

enum err_code interactions_dedup(struct interactions *set, size_t *removed, struct err *err)
{
    uint8_t *keep = mem_zeroed(set->count, 1);
    enum err_code rc;

    *removed = 0;
    if (keep == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to find duplicates among %zu rows", set->count);
    rc = interactions_mark_duplicates(set, keep, removed, err);
    if (rc == ERR_OK && *removed > 0)
        interactions_filter(set, keep);
    free(keep);
    return rc;
}
