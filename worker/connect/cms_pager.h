/*
 * Between cms.c and cms_pager.c: one list of the CMS fetched page by page, with one request in flight.
 * States: WAITING (until due_ms) -> IN_FLIGHT -> WAITING …; DONE and FAILED are final.
 */
#ifndef WORKER_CONNECT_CMS_PAGER_H
#define WORKER_CONNECT_CMS_PAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/http_client.h"
#include "common/net/json_value.h"

enum { CMS_PAGE_ROWS = 10000, CMS_OVERLAP_ROWS = 50 };

enum cms_pager_state { CMS_PAGER_WAITING, CMS_PAGER_IN_FLIGHT, CMS_PAGER_DONE, CMS_PAGER_FAILED };

/* Each row of a page that no page before had. */
typedef enum err_code (*cms_pager_row_fn)(void *context, const struct json *row, struct err *err);

struct cms_pager_limits {
    int64_t gap_ms;
    int64_t retry_base_ms;
    int max_retries;
};

struct cms_pager {
    const char *url;  /* up to and including "limit="; borrowed */
    const char *list; /* "activities" or "products": where the rows are in "data" */
    struct cms_pager_limits limits;
    cms_pager_row_fn fn;
    void *context;

    enum cms_pager_state state;
    int64_t due_ms; /* monotonic */
    int64_t end;    /* offset behind the last row seen */
    int64_t offset; /* of the request */
    int64_t back;   /* how far before `end` the request begins */
    int retries;    /* of this request */
    int64_t *keys;  /* of the rows of the last page that brought something new */
    size_t key_count;
    int64_t last_offset; /* of the last page, new or not: where it began, */
    size_t last_count;   /* how many rows it had, */
    int64_t last_key;    /* and its last row */
    int idle;            /* pages in a row that brought nothing new, and yet were not the end */
    size_t rows;         /* handed over */
    size_t pages;        /* that brought something new */
    size_t retries_total;
    struct err err; /* of FAILED */
};

void cms_pager_init(struct cms_pager *pager, const char *url, const char *list, const struct cms_pager_limits *limits,
                    cms_pager_row_fn fn, void *context);
void cms_pager_fini(struct cms_pager *pager);

/* Sends the next request if it is due. */
void cms_pager_start(struct cms_pager *pager, struct http_client *client, int64_t now_ms);

#endif
