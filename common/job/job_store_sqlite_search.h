/*
 * Lists of documents from SQLite's table of jobs, appended to `list`; meanings as in job_store.h. The caller holds the
 * connection.
 */
#ifndef COMMON_JOB_JOB_STORE_SQLITE_SEARCH_H
#define COMMON_JOB_JOB_STORE_SQLITE_SEARCH_H

#include <sqlite3.h>

#include "common/job/job_store.h"

enum err_code job_store_sqlite_search_find(sqlite3 *db, const struct job_store_filter *filter, struct json *list,
                                           struct err *err) MUST_CHECK;
enum err_code job_store_sqlite_search_unfinished(sqlite3 *db, const char *created_before, const char *after, int limit,
                                                 struct json *list, struct err *err) MUST_CHECK;
enum err_code job_store_sqlite_search_successes(sqlite3 *db, struct json *list, struct err *err) MUST_CHECK;

#endif
