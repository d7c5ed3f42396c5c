#include "worker/pipeline/interactions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { ROWS_AHEAD = 32 };

#define NAME(literal)                                    \
    {                                                    \
        .text = (literal), .length = sizeof(literal) - 1 \
    }
static const struct id_text action_names[ACTION_COUNT] = {
    [ACTION_PURCHASE] = NAME("purchase"),         [ACTION_INITIATE_CHECKOUT] = NAME("initiate_checkout"),
    [ACTION_ADD_TO_CART] = NAME("add_to_cart"),   [ACTION_ADD_TO_WISHLIST] = NAME("add_to_wishlist"),
    [ACTION_CONTENT_VIEW] = NAME("content_view"),
};
#undef NAME

const char *action_name(enum action action)
{
    return action < ACTION_COUNT ? action_names[action].text : "unknown";
}

bool action_parse_text(const char *name, size_t length, enum action *out)
{
    for (unsigned i = 0; i < ACTION_COUNT; i++) {
        if (action_names[i].length == length && memcmp(action_names[i].text, name, length) == 0) {
            *out = (enum action)i;
            return true;
        }
    }
    return false;
}

bool action_parse(const char *name, enum action *out)
{
    return name != NULL && action_parse_text(name, strlen(name), out);
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

enum err_code interactions_add_many(struct interactions *set, const struct interaction *added, size_t count,
                                    struct err *err)
{
    struct id_text users[INTERACTIONS_TOGETHER];
    size_t first = set->count;
    enum err_code rc;

    if (count == 0) /* there may be no columns yet */
        return ERR_OK;
    if (count > INTERACTIONS_TOGETHER)
        return ERR_SET(err, ERR_INTERNAL, "%zu interactions at once", count);
    if (first + count >= UINT32_MAX)
        return ERR_SET(err, ERR_TOO_LARGE, "more than %zu interactions", first);
    if (first + count > set->capacity) {
        rc = grow_columns(set, first + count, err);
        if (rc != ERR_OK)
            return rc;
    }
    for (size_t i = 0; i < count; i++)
        users[i] = added[i].user;
    rc = id_table_intern_many(set->users, users, count, set->user + first, err);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        set->activity_id[first + i] = added[i].activity_id;
        set->created[first + i] = added[i].created;
        set->product_id[first + i] = added[i].product_id;
        set->action[first + i] = (uint8_t)added[i].action;
    }
    set->count += count;
    return ERR_OK;
}

enum err_code interactions_add(struct interactions *set, int64_t activity_id, enum action action, const char *user_uid,
                               size_t user_uid_length, int64_t created, int64_t product_id, struct err *err)
{
    struct interaction added = {.activity_id = activity_id,
                                .created = created,
                                .product_id = product_id,
                                .user = {.text = user_uid, .length = user_uid_length},
                                .action = action};

    return interactions_add_many(set, &added, 1, err);
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

/* Open addressing: row + 1, 0 is free. */
struct seen_rows {
    uint32_t *slots;
    size_t mask;
};

/* Whether no earlier row has the activity and product. */
static bool is_first(const struct seen_rows *seen, const struct interactions *set, size_t row, size_t slot)
{
    while (seen->slots[slot] != 0) {
        uint32_t other = seen->slots[slot] - 1;

        if (set->activity_id[other] == set->activity_id[row] && set->product_id[other] == set->product_id[row])
            return false;
        slot = (slot + 1) & seen->mask;
    }
    seen->slots[slot] = (uint32_t)row + 1;
    return true;
}

enum err_code interactions_mark_duplicates(const struct interactions *set, uint8_t *keep, size_t *removed,
                                           struct err *err)
{
    size_t ahead[ROWS_AHEAD]; /* slots of the rows to come, in a ring: their memory is asked for early */
    struct seen_rows seen;
    size_t slot_count = 16;

    *removed = 0;
    while (slot_count / 2 < set->count)
        slot_count *= 2;
    seen = (struct seen_rows){.slots = mem_zeroed(slot_count, sizeof *seen.slots), .mask = slot_count - 1};
    if (seen.slots == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to find duplicates among %zu rows", set->count);
    for (size_t next = 0; next < set->count + ROWS_AHEAD; next++) {
        size_t *slot = &ahead[next % ROWS_AHEAD];

        if (next >= ROWS_AHEAD) {
            keep[next - ROWS_AHEAD] = is_first(&seen, set, next - ROWS_AHEAD, *slot);
            *removed += !keep[next - ROWS_AHEAD];
        }
        if (next < set->count) {
            *slot = hash_numbers(set->activity_id[next], set->product_id[next]) & seen.mask;
            __builtin_prefetch(&seen.slots[*slot], 1);
        }
    }
    free(seen.slots);
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
