/*
 * Notes that wait for the store, oldest first: that the queue has a job, which is found out in another way too. Of more
 * than so many the oldest are left out. Small and in one piece, since every submission leaves one.
 */
#ifndef GATEWAY_STORE_NOTES_H
#define GATEWAY_STORE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/job/job.h"

enum { STORE_NOTES_MAX = 8192 };

struct store_note {
    char id[JOB_ID_BYTES];
    enum job_state state;
    int64_t fence;
    int64_t queued_ms; /* 0: not queued */
    uint64_t since_ms; /* of the loop's time */
};

/* Embedded in its owner; {0} at first. */
struct store_notes {
    struct store_note *ring; /* of `capacity`, a power of two */
    size_t capacity;
    size_t first;
    size_t count;
};

void store_notes_fini(struct store_notes *notes);

/* How many were left out for it, or it itself: 1 where the ring is full or memory short, else 0. */
size_t store_notes_push(struct store_notes *notes, const struct store_note *note);

/* The oldest; NULL: there is none. Until the next push. */
const struct store_note *store_notes_first(const struct store_notes *notes);
void store_notes_drop_first(struct store_notes *notes);

#endif
