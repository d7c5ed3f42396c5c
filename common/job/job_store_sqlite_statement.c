#include "common/job/job_store_sqlite_statement.h"

static enum err_code failed(sqlite3 *db, struct err *err)
{
    int code = sqlite3_errcode(db);

    if (sqlite3_extended_errcode(db) == SQLITE_CONSTRAINT_PRIMARYKEY)
        return ERR_SET(err, ERR_EXISTS, "the job store has such a document already");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return ERR_SET(err, ERR_FORMAT, "the job store's file is damaged: %s", sqlite3_errmsg(db));
    return ERR_SET(err, ERR_UNAVAILABLE, "the job store: %s", sqlite3_errmsg(db));
}

enum err_code job_store_sqlite_statement_run(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : failed(db, err);
}

enum err_code job_store_sqlite_statement_prepare(struct job_store_sqlite_statement *statement, sqlite3 *db,
                                                 const char *sql, struct err *err)
{
    *statement = (struct job_store_sqlite_statement){.db = db};
    if (sqlite3_prepare_v2(db, sql, -1, &statement->handle, NULL) != SQLITE_OK)
        return failed(db, err);
    return ERR_OK;
}

void job_store_sqlite_statement_bind_text(struct job_store_sqlite_statement *statement, const char *text)
{
    int status = sqlite3_bind_text(statement->handle, ++statement->bound, text, -1, SQLITE_STATIC);

    statement->failed = statement->failed || status != SQLITE_OK;
}

void job_store_sqlite_statement_bind_int(struct job_store_sqlite_statement *statement, int64_t value)
{
    int status = sqlite3_bind_int64(statement->handle, ++statement->bound, value);

    statement->failed = statement->failed || status != SQLITE_OK;
}

/* ERR_OK: done or a row (*row tells). */
static enum err_code step(struct job_store_sqlite_statement *statement, bool *row, struct err *err)
{
    int status;

    *row = false;
    if (statement->failed)
        return ERR_SET(err, ERR_TOO_LARGE, "the job store cannot take a value: it is too large, or memory is short");
    status = sqlite3_step(statement->handle);
    *row = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : failed(statement->db, err);
}

enum err_code job_store_sqlite_statement_finish(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                struct err *err)
{
    bool row;

    if (rc == ERR_OK)
        rc = step(statement, &row, err);
    (void)sqlite3_finalize(statement->handle);
    return rc;
}

static enum err_code parse_column(struct job_store_sqlite_statement *statement, struct json **out, struct err *err)
{
    const char *text = (const char *)sqlite3_column_text(statement->handle, 0);

    if (text == NULL)
        return ERR_SET(err, ERR_FORMAT, "the job store holds an empty document");
    return json_value_parse(out, text, (size_t)sqlite3_column_bytes(statement->handle, 0), err);
}

enum err_code job_store_sqlite_statement_read_one(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                  const char *what, struct json **out, struct err *err)
{
    bool row = false;

    if (rc == ERR_OK)
        rc = step(statement, &row, err);
    if (rc == ERR_OK && !row)
        rc = ERR_SET(err, ERR_NOT_FOUND, "there is no such %s", what);
    if (rc == ERR_OK)
        rc = parse_column(statement, out, err);
    (void)sqlite3_finalize(statement->handle);
    return rc;
}

enum err_code job_store_sqlite_statement_read_all(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                  struct json *list, struct err *err)
{
    bool row = true;

    while (rc == ERR_OK && row) {
        struct json *document = NULL;

        rc = step(statement, &row, err);
        if (rc == ERR_OK && row)
            rc = parse_column(statement, &document, err);
        if (rc == ERR_OK && row && !json_value_append(list, document))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a list of jobs");
    }
    (void)sqlite3_finalize(statement->handle);
    return rc;
}

static void take_values_off(struct job_store_sqlite_statement *statement)
{
    (void)sqlite3_reset(statement->handle); /* tells the failure of the step again */
    (void)sqlite3_clear_bindings(statement->handle);
    statement->bound = 0;
    statement->failed = false;
}

enum err_code job_store_sqlite_statement_repeat(struct job_store_sqlite_statement *statement, struct err *err)
{
    bool row;
    enum err_code rc = step(statement, &row, err);

    take_values_off(statement);
    return rc;
}

enum err_code job_store_sqlite_statement_repeat_read(struct job_store_sqlite_statement *statement, struct json **out,
                                                     struct err *err)
{
    bool row = false;
    enum err_code rc = step(statement, &row, err);

    *out = NULL;
    if (rc == ERR_OK && row)
        rc = parse_column(statement, out, err);
    take_values_off(statement);
    return rc;
}

void job_store_sqlite_statement_fini(struct job_store_sqlite_statement *statement)
{
    (void)sqlite3_finalize(statement->handle);
    statement->handle = NULL;
}
