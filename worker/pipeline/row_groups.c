#include "worker/pipeline/row_groups.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum {
    INSERTION_ROWS = 32, /* more are sorted by digits */
    ROWS_AHEAD = 48
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
    if (out->starts == NULL || out->rows == NULL) {
        row_groups_fini(out);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to group %zu rows by user", rows->count);
    }
    place_rows(out, rows, places);
    return ERR_OK;
}

void row_groups_fini(struct row_groups *groups)
{
    free(groups->starts);
    free(groups->rows);
    *groups = (struct row_groups){0};
}

size_t row_groups_ahead(const struct row_groups *groups, size_t group)
{
    size_t ahead = (size_t)groups->starts[group] + ROWS_AHEAD;
    size_t end = groups->starts[groups->count];

    return ahead < end ? ahead : end;
}

static bool is_later(const struct interactions *rows, uint32_t a, uint32_t b)
{
    return rows->created[a] > rows->created[b] ||
           (rows->created[a] == rows->created[b] && rows->activity_id[a] > rows->activity_id[b]);
}

enum err_code row_groups_order_by_time(uint32_t *order, size_t count, const struct interactions *rows, struct err *err)
{
    enum err_code rc;

    if (count > INSERTION_ROWS) {
        rc = radix_sort(order, rows->activity_id, count, err);
        return rc == ERR_OK ? radix_sort(order, rows->created, count, err) : rc;
    }
    for (size_t i = 1; i < count; i++) {
        uint32_t row = order[i];
        size_t place = i;

        for (; place > 0 && is_later(rows, order[place - 1], row); place--)
            order[place] = order[place - 1];
        order[place] = row;
    }
    return ERR_OK;
}
