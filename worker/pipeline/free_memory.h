/*
 * How much memory this process may still take, as Linux tells it.
 */
#ifndef WORKER_PIPELINE_FREE_MEMORY_H
#define WORKER_PIPELINE_FREE_MEMORY_H

#include <stddef.h>

/*
 * The least of MemAvailable and what is left under the memory limit of this process's control group and of those above
 * it (version 2, or 1; file pages that are not in use count as free). In bytes, at least 1; 0 where nothing can be
 * read. `root` comes before /proc and /sys: "" but in tests.
 */
size_t free_memory_read(const char *root);

#endif
