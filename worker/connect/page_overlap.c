#include "worker/connect/page_overlap.h"

/* Knuth-Morris-Pratt: borders[i] is the length of the longest proper border of page[0..i]. */
static void find_borders(const int64_t *page, size_t count, size_t *borders)
{
    size_t length = 0;

    borders[0] = 0;
    for (size_t i = 1; i < count; i++) {
        while (length > 0 && page[i] != page[length])
            length = borders[length - 1];
        length += page[i] == page[length];
        borders[i] = length;
    }
}

static size_t longest_end_that_begins(const int64_t *before, size_t before_count, const int64_t *page,
                                      size_t page_count, size_t *borders)
{
    size_t matched = 0;

    find_borders(page, page_count, borders);
    for (size_t i = 0; i < before_count; i++) {
        while (matched > 0 && (matched == page_count || before[i] != page[matched]))
            matched = borders[matched - 1];
        matched += before[i] == page[matched];
    }
    return matched;
}

/* How many rows of `page` from the first on come in `before` in this order. */
static size_t beginning_in_order(const int64_t *before, size_t before_count, const int64_t *page, size_t page_count)
{
    size_t matched = 0;

    for (size_t i = 0; i < before_count && matched < page_count; i++)
        matched += before[i] == page[matched];
    return matched;
}

/* The first row of `before` that `page` has, and what follows both in order; 0: there is none. */
static size_t beginning_inside(const int64_t *before, size_t before_count, const int64_t *page, size_t page_count)
{
    for (size_t i = 0; i < before_count; i++) {
        for (size_t j = 0; j < page_count; j++) {
            if (page[j] == before[i])
                return j + beginning_in_order(before + i, before_count - i, page + j, page_count - j);
        }
    }
    return 0;
}

bool page_overlap_find(const int64_t *before, size_t before_count, const int64_t *page, size_t page_count,
                       size_t *scratch, size_t *overlap)
{
    *overlap = 0;
    if (page_count == 0 || before_count == 0)
        return false;
    *overlap = longest_end_that_begins(before, before_count, page, page_count, scratch);
    if (*overlap == 0)
        *overlap = beginning_in_order(before, before_count, page, page_count);
    if (*overlap == 0)
        *overlap = beginning_inside(before, before_count, page, page_count);
    return *overlap > 0;
}
