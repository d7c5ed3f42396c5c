/*
 * One prepared statement of SQLite, from its text to its rows: prepare, bind the values in their order, then one of
 * finish, read_one and read_all, which also frees it. These three take what prepare answered and hand it on. Or, for
 * many values: repeat after each binding of all values, and fini at the end.
 */
#ifndef COMMON_JOB_JOB_STORE_SQLITE_STATEMENT_H
#define COMMON_JOB_JOB_STORE_SQLITE_STATEMENT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"

/* Texts that are bound are borrowed until it is freed. */
struct job_store_sqlite_statement {
    sqlite3 *db;
    sqlite3_stmt *handle;
    int bound;
    bool failed; /* a value could not be bound */
};

/* Statements without values and rows, at once. */
enum err_code job_store_sqlite_statement_run(sqlite3 *db, const char *sql, struct err *err) MUST_CHECK;

enum err_code job_store_sqlite_statement_prepare(struct job_store_sqlite_statement *statement, sqlite3 *db,
                                                 const char *sql, struct err *err) MUST_CHECK;
void job_store_sqlite_statement_bind_text(struct job_store_sqlite_statement *statement, const char *text);
void job_store_sqlite_statement_bind_int(struct job_store_sqlite_statement *statement, int64_t value);

/* It gives no rows. ERR_EXISTS: a primary key is there already. */
enum err_code job_store_sqlite_statement_finish(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                struct err *err) MUST_CHECK;

/* The document in the first column of its one row; ERR_NOT_FOUND: "there is no such <what>". */
enum err_code job_store_sqlite_statement_read_one(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                  const char *what, struct json **out, struct err *err) MUST_CHECK;

/* The documents of all rows, appended to `list`. */
enum err_code job_store_sqlite_statement_read_all(struct job_store_sqlite_statement *statement, enum err_code rc,
                                                  struct json *list, struct err *err) MUST_CHECK;

/* Runs it with the values that are bound, and takes them off. repeat: it gives no rows; errors as of finish, and
 * ERR_TOO_LARGE where a value does not go in. repeat_read: *out is the document in the first column of its row, NULL
 * where there is none. */
enum err_code job_store_sqlite_statement_repeat(struct job_store_sqlite_statement *statement,
                                                struct err *err) MUST_CHECK;
enum err_code job_store_sqlite_statement_repeat_read(struct job_store_sqlite_statement *statement, struct json **out,
                                                     struct err *err) MUST_CHECK;
void job_store_sqlite_statement_fini(struct job_store_sqlite_statement *statement);

#endif
