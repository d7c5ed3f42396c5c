/*
 * One call of the job store on its way to the thread pool and back: what is asked, and what came of it. Between
 * store_client.c and store_batch.c. Made and ended on the loop's thread; the pool's thread alone has it in between.
 */
#ifndef GATEWAY_STORE_WORK_H
#define GATEWAY_STORE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/job/job.h"
#include "common/job/job_new.h"
#include "common/job/job_settings.h"
#include "common/job/job_store.h"
#include "common/net/json_value.h"
#include "gateway/store_notes.h"

enum store_operation {
    STORE_PING,
    STORE_INSERT,
    STORE_GET,
    STORE_GET_REPORT,
    STORE_FIND,
    STORE_LIST_UNFINISHED,
    STORE_REQUEST_CANCEL,
    STORE_REOPEN,
    STORE_UPDATE,
    STORE_DELETE_ACCEPTED,
    STORE_LAST_SUCCESSES,
    STORE_LATEST_ANALYTICS,
    STORE_OPERATION_COUNT
};

enum { STORE_WORK_REASON_BYTES = 128 };

/* What a call came to. Who wants to keep the document sets it to NULL here. */
struct store_result {
    enum err_code code;
    struct err err; /* where code is not ERR_OK */
    struct json *document;
    bool applied; /* of change and request_cancel */
};

struct store_client;

typedef void (*store_client_fn)(void *context, struct store_result *result);

struct store_work {
    struct store_work *next; /* in a list */
    uv_work_t request;       /* in the pool by itself */
    struct store_client *client;
    struct job_store *store;
    bool probe; /* opens the store where it is not open */
    enum store_operation operation;
    char id[JOB_ID_BYTES]; /* the job's, or the one to go on behind */
    struct job_store_filter filter;
    union {
        struct {
            char state[16];
            char type[32];
            char shop[JOB_SETTINGS_NAME_BYTES];
        } texts; /* of the filter */
        char reason[STORE_WORK_REASON_BYTES];
        struct {
            struct str text; /* the document */
            enum job_type type;
            char created_at[CLOCK_ISO8601_BYTES];
        } insert;
    };
    int limit;
    int64_t fence;
    int64_t created_before_ms;
    struct json *changes; /* of an update */
    struct store_result result;
    store_client_fn fn; /* NULL: nobody waits */
    void *context;
    uint64_t since_ms; /* in a batch's list */
};

/* Takes the changes; NULL when out of memory. */
struct store_work *store_work_create(enum store_operation operation, const char *id, struct json *changes);
struct store_work *store_work_create_insert(const struct job_new *job);   /* NULL when out of memory, as the next */
struct store_work *store_work_create_note(const struct store_note *note); /* an update */
void store_work_destroy(struct store_work *work);

/* The texts of the filter are copied. */
void store_work_set_filter(struct store_work *work, const struct job_store_filter *filter);

/* Of an insert, borrowed from the work. */
struct job_store_text store_work_document(const struct store_work *work);

/* Asks the store; in the pool. */
void store_work_perform(struct store_work *work, struct job_store *store);

/* First in, first out. */
struct store_work_list {
    struct store_work *first;
    struct store_work *last;
    size_t count;
};

void store_work_push(struct store_work_list *list, struct store_work *work);
struct store_work *store_work_pop(struct store_work_list *list); /* NULL: it is empty */

#endif
