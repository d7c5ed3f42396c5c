#include "common/job/job_store_sqlite_search.h"

#include "common/job/job_store_sqlite_statement.h"

enum err_code job_store_sqlite_search_find(sqlite3 *db, const struct job_store_filter *filter, struct json *list,
                                           struct err *err)
{
    struct job_store_sqlite_statement statement;
    enum err_code rc = job_store_sqlite_statement_prepare(
        &statement, db,
        "SELECT document FROM jobs WHERE (?1 IS NULL OR state=?1) AND (?2 IS NULL OR type=?2)"
        " AND (?3 IS NULL OR id<?3) AND (?4 IS NULL OR json_extract(document,'$.namespace')=?4)"
        " ORDER BY id DESC LIMIT ?5",
        err);

    job_store_sqlite_statement_bind_text(&statement, filter->state);
    job_store_sqlite_statement_bind_text(&statement, filter->type);
    job_store_sqlite_statement_bind_text(&statement, filter->before);
    job_store_sqlite_statement_bind_text(&statement, filter->shop);
    job_store_sqlite_statement_bind_int(&statement, filter->limit);
    return job_store_sqlite_statement_read_all(&statement, rc, list, err);
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
