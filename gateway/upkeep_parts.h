/*
 * Between the upkeep_* files only. Each part is run by a timer and skips a turn that finds the last one under way.
 */
#ifndef GATEWAY_UPKEEP_PARTS_H
#define GATEWAY_UPKEEP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/job/job_routes.h"
#include "gateway/upkeep.h"

enum { UPKEEP_PAGE = 100 };

/* One queue's round, going through `open` page by page; each round goes on where the last one stopped. */
struct upkeep_queue {
    struct upkeep *upkeep;
    const char *name;
    int64_t cursor; /* rank in `open` */
    int pages;      /* of this round */
    size_t page;    /* jobs of the last page */
    size_t pending; /* answers to come */
};

/* The round through the documents. */
struct upkeep_documents {
    char cursor[JOB_ID_BYTES]; /* the last one seen; "": begin with the oldest */
    int pages;
    size_t pending; /* answers to come */
};

struct upkeep {
    const struct services *services;
    uv_timer_t promotion_timer;
    uv_timer_t round_timer;
    size_t promoting; /* promotions under way */
    struct upkeep_queue queues[JOB_ROUTES_MAX];
    struct upkeep_documents documents;
    size_t pending; /* answers to come, of all parts */
    int open_handles;
    bool closing;
    upkeep_closed_fn on_closed;
    void *closed_context;
};

/* Around everything that is answered later. After the last `end` of a closing upkeep its memory is gone. */
void upkeep_begin(struct upkeep *upkeep);
void upkeep_end(struct upkeep *upkeep);

/* Logs what upkeep could not do, unless Redis or the store is away: that is told where it is noticed. */
void upkeep_log_failure(const char *event, const struct err *err);

void upkeep_promotion_run(struct upkeep *upkeep);
void upkeep_repair_run(struct upkeep *upkeep);
void upkeep_documents_run(struct upkeep *upkeep);

/* What one unfinished document needs, with its HASH (NULL: there is none). Both are taken. */
void upkeep_document_settle(struct upkeep *upkeep, struct json *document, struct json *fields);

#endif
