/*
 * How a page of a list meets the page before it, when the list may have grown at its head or lost rows meanwhile.
 */
#ifndef WORKER_CONNECT_PAGE_OVERLAP_H
#define WORKER_CONNECT_PAGE_OVERLAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many of the first rows of `page` need no more be looked at: the longest end of `before` that begins `page`. Where
 * there is none, rows at the very end of `before` may be gone: the longest beginning of `page` that follows `before` in
 * order. Or so many rows came at the list's head that `before` begins inside `page`: those, and what follows `before`.
 * scratch holds page_count numbers. false: the page does not meet the one before.
 */
bool page_overlap_find(const int64_t *before, size_t before_count, const int64_t *page, size_t page_count,
                       size_t *scratch, size_t *overlap);

#endif
