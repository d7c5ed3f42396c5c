#include "worker/pipeline/id_order.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum { KEY_BYTES = 8, FEW_TEXTS = 32, MOST_LEVELS = 8 };

static int compare_texts(const void *left, const void *right, void *context)
{
    const struct id_table *table = *(const struct id_table **)context;

    return strcmp(id_table_text(table, *(const uint32_t *)left), id_table_text(table, *(const uint32_t *)right));
}

/* How many bytes all the texts begin with. */
static size_t common_length(const uint32_t *ids, size_t count, const struct id_table *table)
{
    const char *first = id_table_text(table, ids[0]);
    size_t common = strlen(first);

    for (size_t i = 1; i < count; i++) {
        const char *text = id_table_text(table, ids[i]);
        size_t length = 0;

        while (length < common && text[length] == first[length])
            length++;
        common = length;
    }
    return common;
}

/* The text's first bytes as a number that orders as they do; what is missing counts as NUL, which no text holds. */
static int64_t key_of(const char *text)
{
    uint64_t key = 0;

    for (size_t i = 0; i < KEY_BYTES; i++)
        key = key << 8 | (*text != '\0' ? (unsigned char)*text++ : 0);
    return (int64_t)(key ^ UINT64_C(1) << 63); /* radix_sort has signed keys */
}

/* Scratch memory of one sort. */
struct scratch {
    int64_t *keys;
    uint32_t *ids;
    uint32_t *order;
};

static enum err_code scratch_init(struct scratch *scratch, size_t count, struct err *err)
{
    enum err_code rc = radix_rows(&scratch->order, count, err);

    scratch->keys = mem_zeroed(count, sizeof *scratch->keys);
    scratch->ids = mem_zeroed(count, sizeof *scratch->ids);
    if (rc == ERR_OK && (scratch->keys == NULL || scratch->ids == NULL))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu ids", count);
    return rc;
}

static void scratch_fini(struct scratch *scratch)
{
    free(scratch->keys);
    free(scratch->ids);
    free(scratch->order);
}

/* By the bytes behind what all begin with; keys[i] becomes the key of the new ids[i]. */
static enum err_code sort_by_key(uint32_t *ids, int64_t *keys, size_t count, const struct id_table *table,
                                 struct err *err)
{
    size_t common = common_length(ids, count, table);
    struct scratch old;
    enum err_code rc = scratch_init(&old, count, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        old.keys[i] = key_of(id_table_text(table, ids[i]) + common);
        old.ids[i] = ids[i];
    }
    if (rc == ERR_OK)
        rc = radix_sort(old.order, old.keys, count, err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        ids[i] = old.ids[old.order[i]];
        keys[i] = old.keys[old.order[i]];
    }
    scratch_fini(&old);
    return rc;
}

/* keys[count] is scratch memory. */
static enum err_code sort_level(uint32_t *ids, int64_t *keys, size_t count, const struct id_table *table, int level,
                                struct err *err)
{
    enum err_code rc;

    if (count <= FEW_TEXTS || level == MOST_LEVELS) {
        qsort_r(ids, count, sizeof *ids, compare_texts, &table);
        return ERR_OK;
    }
    rc = sort_by_key(ids, keys, count, table, err);
    for (size_t begin = 0, end; rc == ERR_OK && begin < count; begin = end) {
        end = begin + 1;
        while (end < count && keys[end] == keys[begin])
            end++;
        if (end - begin > 1)
            rc = sort_level(ids + begin, keys + begin, end - begin, table, level + 1, err);
    }
    return rc;
}

enum err_code id_order_sort(uint32_t *ids, size_t count, const struct id_table *table, struct err *err)
{
    int64_t *keys = mem_zeroed(count, sizeof *keys);
    enum err_code rc;

    if (keys == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu ids", count);
    rc = count > 0 ? sort_level(ids, keys, count, table, 0, err) : ERR_OK;
    free(keys);
    return rc;
}
