/*
 * Between job_store.c and its two implementations: what each provides. Meanings as in job_store.h. What they are given
 * is checked and complete: times in one form, `fence` and (but for changes) `_id` set, *out NULL and *applied false.
 */
#ifndef COMMON_JOB_JOB_STORE_OPS_H
#define COMMON_JOB_JOB_STORE_OPS_H

#include "common/job/job_store.h"

/* Members to set in the one document of that id, if it is in that state and has a fence of these. */
struct job_store_amendment {
    const char *id;
    const char *state; /* NULL: any that is not terminal */
    int64_t fence_min;
    int64_t fence_max;
    const struct json *changes;
};

struct job_store_ops {
    const char *kind;
    void (*close)(void *self);
    enum err_code (*ping)(void *self, struct err *err);
    /* results[i] are ERR_OK before */
    enum err_code (*insert_many)(void *self, const struct job_store_text *documents, size_t count,
                                 enum err_code *results, struct err *err);
    enum err_code (*get)(void *self, const char *id, struct json **out, struct err *err);
    /* *applied tells of a single one */
    enum err_code (*amend)(void *self, const struct job_store_amendment *amendments, size_t count, bool *applied,
                           struct err *err);
    enum err_code (*delete_accepted)(void *self, const char *id, struct err *err);
    /* the report holds the fence too */
    enum err_code (*put_report)(void *self, const char *id, int64_t fence, const struct json *report, bool *applied,
                                struct err *err);
    enum err_code (*get_report)(void *self, const char *id, struct json **out, struct err *err);
    /* of the reports of that type */
    enum err_code (*last_published)(void *self, const char *type, const char *shop, struct json **out, struct err *err);
    /* append to `list` */
    enum err_code (*find)(void *self, const struct job_store_filter *filter, struct json *list, struct err *err);
    enum err_code (*list_unfinished)(void *self, const char *created_before, const char *after, int limit,
                                     struct json *list, struct err *err);
    enum err_code (*last_successes)(void *self, struct json *list, struct err *err);
};

/* Each opens its kind of URL and gives its state, to go to ops->close. */
enum err_code job_store_sqlite_open(void **self, const struct job_store_ops **ops, const char *path, int retention_days,
                                    struct err *err) MUST_CHECK;
enum err_code job_store_mongo_open(void **self, const struct job_store_ops **ops, const char *url, int retention_days,
                                   struct err *err) MUST_CHECK;

#endif
