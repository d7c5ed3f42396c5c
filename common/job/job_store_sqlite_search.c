#include "common/job/job_store_sqlite_search.h"

#include <stdlib.h>

#include "common/base/str.h"
#include "common/job/job_store_sqlite_statement.h"

/* Only what is asked for: with `? IS NULL OR …` SQLite would use no index. */
static char *print_find(const struct job_store_filter *filter)
{
    struct str sql = {0};

    str_append_text(&sql, "SELECT document FROM jobs WHERE 1");
    str_append_text(&sql, filter->state != NULL ? " AND state=?" : "");
    str_append_text(&sql, filter->type != NULL ? " AND type=?" : "");
    str_append_text(&sql, filter->before != NULL ? " AND id<?" : "");
    str_append_text(&sql, filter->shop != NULL ? " AND json_extract(document,'$.namespace')=?" : "");
    str_append_text(&sql, " ORDER BY id DESC LIMIT ?");
    return str_take(&sql);
}

enum err_code job_store_sqlite_search_find(sqlite3 *db, const struct job_store_filter *filter, struct json *list,
                                           struct err *err)
{
    const char *const texts[] = {filter->state, filter->type, filter->before, filter->shop};
    struct job_store_sqlite_statement statement;
    char *sql = print_find(filter);
    enum err_code rc;

    if (sql == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to look for jobs");
    rc = job_store_sqlite_statement_prepare(&statement, db, sql, err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i] != NULL)
            job_store_sqlite_statement_bind_text(&statement, texts[i]);
    }
    job_store_sqlite_statement_bind_int(&statement, filter->limit);
    rc = job_store_sqlite_statement_read_all(&statement, rc, list, err);
    free(sql);
    return rc;
}

enum err_code job_store_sqlite_search_unfinished(sqlite3 *db, const char *created_before, const char *after, int limit,
                                                 struct json *list, struct err *err)
{
    struct job_store_sqlite_statement statement;
    enum err_code rc = job_store_sqlite_statement_prepare(
        &statement, db,
        "SELECT document FROM jobs WHERE state IN ('accepted','scheduled','queued','running','retrying')"
        " AND created_at<?1 AND (?2 IS NULL OR id>?2) ORDER BY id LIMIT ?3",
        err);

    job_store_sqlite_statement_bind_text(&statement, created_before);
    job_store_sqlite_statement_bind_text(&statement, after);
    job_store_sqlite_statement_bind_int(&statement, limit);
    return job_store_sqlite_statement_read_all(&statement, rc, list, err);
}

enum err_code job_store_sqlite_search_successes(sqlite3 *db, struct json *list, struct err *err)
{
    struct job_store_sqlite_statement statement;
    enum err_code rc = job_store_sqlite_statement_prepare(
        &statement, db,
        "SELECT json_object('type',type,'namespace',json_extract(document,'$.namespace'),"
        "'finished_at',max(json_extract(document,'$.finished_at'))) FROM jobs WHERE state='succeeded'"
        " GROUP BY type,json_extract(document,'$.namespace') ORDER BY 1",
        err);

    return job_store_sqlite_statement_read_all(&statement, rc, list, err);
}
