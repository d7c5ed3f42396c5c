/*
 * What every program tells of itself: build, start, processor time, memory, descriptors, under the names that
 * Prometheus' own libraries use.
 */
#ifndef COMMON_NET_METRICS_PROCESS_H
#define COMMON_NET_METRICS_PROCESS_H

#include "common/net/metrics.h"

struct metrics_process {
    struct metrics_family *cpu;
    struct metrics_family *memory;
    struct metrics_family *descriptors;
};

/* Adds the families; `program` is "gateway" or "worker". What is missing shows in metrics_is_whole. */
void metrics_process_add(struct metrics_process *out, struct metrics *metrics, const char *program);

/* Reads them anew. */
void metrics_process_update(const struct metrics_process *process);

#endif
