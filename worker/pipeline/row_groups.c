#include "worker/pipeline/row_groups.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum {
    ROWS_AHEAD = 48,
    RUN_ROWS = 16 /* what is ordered by insertion; runs are merged */
};

/* A counting sort: starts[i + 1] is first where the next row of group i goes, and so ends as where the group does. */
static void place_rows(struct row_groups *out, const struct interactions *rows, const uint32_t *places)
{
    uint32_t *next = out->starts + 1;
    uint32_t sum = 0;

    for (size_t row = 0; row < rows->count; row++)
        next[places != NULL ? places[rows->user[row]] : rows->user[row]]++;
    for (size_t group = 0; group < out->count; group++) {
        uint32_t size = next[group];

        out->largest = size > out->largest ? size : out->largest;
        next[group] = sum;
        sum += size;
    }
    for (size_t row = 0; row < rows->count; row++)
        out->rows[next[places != NULL ? places[rows->user[row]] : rows->user[row]]++] = (uint32_t)row;
}

enum err_code row_groups_by_user(struct row_groups *out, const struct interactions *rows, const uint32_t *places,
                                 size_t count, struct err *err)
{
    *out = (struct row_groups){.count = count,
                               .starts = mem_zeroed(count + 1, sizeof *out->starts),
                               .rows = mem_zeroed(rows->count, sizeof *out->rows)};
    if (out->starts != NULL && out->rows != NULL) {
        place_rows(out, rows, places);
        out->scratch = mem_zeroed(out->largest, sizeof *out->scratch);
    }
    if (out->scratch == NULL) {
        row_groups_fini(out);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to group %zu rows by user", rows->count);
    }
    return ERR_OK;
}

void row_groups_fini(struct row_groups *groups)
{
    free(groups->starts);
    free(groups->rows);
    free(groups->scratch);
    *groups = (struct row_groups){0};
}

size_t row_groups_ahead(const struct row_groups *groups, size_t group)
{
    size_t ahead = (size_t)groups->starts[group] + ROWS_AHEAD;
    size_t end = groups->starts[groups->count];

    return ahead < end ? ahead : end;
}

struct order {
    const struct interactions *rows;
    const uint32_t *first;
};

static bool is_behind(const struct order *order, uint32_t a, uint32_t b)
{
    const struct interactions *rows = order->rows;

    if (order->first != NULL && order->first[a] != order->first[b])
        return order->first[a] > order->first[b];
    if (rows->created[a] != rows->created[b])
        return rows->created[a] > rows->created[b];
    return rows->activity_id[a] > rows->activity_id[b];
}

static void insert_rows(uint32_t *rows, size_t count, const struct order *order)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t row = rows[i];
        size_t place = i;

        for (; place > 0 && is_behind(order, rows[place - 1], row); place--)
            rows[place] = rows[place - 1];
        rows[place] = row;
    }
}

/* from[0 … half) and from[half … count), both in order. */
static void merge(uint32_t *to, const uint32_t *from, size_t half, size_t count, const struct order *order)
{
    size_t left = 0;
    size_t right = half;

    for (size_t i = 0; i < count; i++) {
        bool takes_left = right == count || (left < half && !is_behind(order, from[left], from[right]));

        to[i] = from[takes_left ? left++ : right++];
    }
}

void row_groups_order(struct row_groups *groups, size_t group, const struct interactions *rows, const uint32_t *first)
{
    struct order order = {.rows = rows, .first = first};
    uint32_t *from = groups->rows + groups->starts[group];
    uint32_t *to = groups->scratch;
    size_t count = groups->starts[group + 1] - groups->starts[group];

    for (size_t begin = 0; begin < count; begin += RUN_ROWS)
        insert_rows(from + begin, count - begin < RUN_ROWS ? count - begin : RUN_ROWS, &order);
    for (size_t run = RUN_ROWS; run < count; run *= 2) {
        uint32_t *merged = to;

        for (size_t begin = 0; begin < count; begin += 2 * run) {
            size_t left = count - begin;

            merge(to + begin, from + begin, left < run ? left : run, left < 2 * run ? left : 2 * run, &order);
        }
        to = from;
        from = merged;
    }
    if (from == groups->scratch)
        memcpy(to, from, count * sizeof *to);
}
