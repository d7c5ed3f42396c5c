/* The store of one machine: documents as JSON text, with the columns that are searched beside it. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/job/job_store_ops.h"

enum { BUSY_TIMEOUT_MS = 10000, ASK_AGAIN_MS = 10 };

static const int64_t day_ms = 86400000;

static const char schema[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS jobs(id TEXT PRIMARY KEY, state TEXT NOT NULL, type TEXT NOT NULL,"
    " created_at TEXT NOT NULL, fence INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS jobs_state ON jobs(state, created_at);"
    "CREATE INDEX IF NOT EXISTS jobs_type ON jobs(type, created_at);"
    "CREATE INDEX IF NOT EXISTS jobs_created ON jobs(created_at);"
    "CREATE TABLE IF NOT EXISTS reports(id TEXT PRIMARY KEY, type TEXT NOT NULL, namespace TEXT NOT NULL,"
    " created_at TEXT NOT NULL, fence INTEGER NOT NULL, published INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE INDEX IF NOT EXISTS reports_type ON reports(type, namespace, created_at);";

struct sqlite_store {
    sqlite3 *db;
    pthread_mutex_t lock; /* one statement, or one transaction, at a time */
    int retention_days;
    int64_t sweep_at_ms; /* when what is too old goes next */
};

/* A prepared statement with its values bound; texts are borrowed until it is finished. */
struct statement {
    struct sqlite_store *store;
    sqlite3_stmt *handle;
    int bound;
    bool failed; /* a value could not be bound */
};

static enum err_code failed(const struct sqlite_store *store, struct err *err)
{
    int code = sqlite3_errcode(store->db);

    if (sqlite3_extended_errcode(store->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
        return ERR_SET(err, ERR_EXISTS, "the job store has such a document already");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return ERR_SET(err, ERR_FORMAT, "the job store's file is damaged: %s", sqlite3_errmsg(store->db));
    return ERR_SET(err, ERR_UNAVAILABLE, "the job store: %s", sqlite3_errmsg(store->db));
}

static enum err_code run(struct sqlite_store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : failed(store, err);
}

static enum err_code prepare(struct statement *statement, struct sqlite_store *store, const char *sql, struct err *err)
{
    *statement = (struct statement){.store = store};
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement->handle, NULL) != SQLITE_OK)
        return failed(store, err);
    return ERR_OK;
}

static void bind_text(struct statement *statement, const char *text)
{
    int status = sqlite3_bind_text(statement->handle, ++statement->bound, text, -1, SQLITE_STATIC);

    statement->failed = statement->failed || status != SQLITE_OK;
}

static void bind_int(struct statement *statement, int64_t value)
{
    int status = sqlite3_bind_int64(statement->handle, ++statement->bound, value);

    statement->failed = statement->failed || status != SQLITE_OK;
}

/* ERR_OK: done or a row (*row tells). */
static enum err_code step(struct statement *statement, bool *row, struct err *err)
{
    int status;

    *row = false;
    if (statement->failed)
        return ERR_SET(err, ERR_TOO_LARGE, "the job store cannot take a value: it is too large, or memory is short");
    status = sqlite3_step(statement->handle);
    *row = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE ? ERR_OK : failed(statement->store, err);
}

/* Runs a statement that gives no rows, and finishes it. */
static enum err_code finish(struct statement *statement, enum err_code rc, struct err *err)
{
    bool row;

    if (rc == ERR_OK)
        rc = step(statement, &row, err);
    (void)sqlite3_finalize(statement->handle);
    return rc;
}

static enum err_code parse_column(struct statement *statement, struct json **out, struct err *err)
{
    const char *text = (const char *)sqlite3_column_text(statement->handle, 0);

    if (text == NULL)
        return ERR_SET(err, ERR_FORMAT, "the job store holds an empty document");
    return json_value_parse(out, text, (size_t)sqlite3_column_bytes(statement->handle, 0), err);
}

/* The one document that the bound statement finds, and finishes it. */
static enum err_code fetch_one(struct statement *statement, enum err_code rc, const char *what, struct json **out,
                               struct err *err)
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

static const char *text_of(const struct json *document, const char *key)
{
    const char *text = json_value_get_text(document, key);

    return text != NULL ? text : "";
}

static int64_t fence_of(const struct json *document)
{
    int64_t fence = 0;

    (void)json_value_get_int64(document, "fence", &fence);
    return fence;
}

static bool is_terminal(const struct json *document)
{
    enum job_state state;

    return job_state_parse(json_value_get_text(document, "state"), &state) && job_state_is_terminal(state);
}

/* Once a day what is terminal and older than retention_days goes. */
static enum err_code sweep(struct sqlite_store *store, struct err *err)
{
    static const char *const deletes[] = {
        "DELETE FROM jobs WHERE created_at<? AND state IN ('succeeded','dead','cancelled','superseded')",
        "DELETE FROM reports WHERE created_at<?"};
    struct clock_source clock = clock_system();
    int64_t now_ms = clock_unix_ms(&clock);
    char oldest[CLOCK_ISO8601_BYTES];
    enum err_code rc = ERR_OK;

    if (now_ms < store->sweep_at_ms)
        return ERR_OK;
    clock_format_iso8601(oldest, now_ms - store->retention_days * day_ms);
    for (size_t i = 0; rc == ERR_OK && i < sizeof deletes / sizeof deletes[0]; i++) {
        struct statement statement;

        rc = prepare(&statement, store, deletes[i], err);
        bind_text(&statement, oldest);
        rc = finish(&statement, rc, err);
    }
    store->sweep_at_ms = now_ms + day_ms;
    return rc;
}

static enum err_code insert_document(struct sqlite_store *store, const struct json *document, const char *text,
                                     struct err *err)
{
    struct statement statement;
    enum err_code rc = prepare(&statement, store, "INSERT INTO jobs VALUES(?,?,?,?,?,?)", err);

    bind_text(&statement, text_of(document, "_id"));
    bind_text(&statement, text_of(document, "state"));
    bind_text(&statement, text_of(document, "type"));
    bind_text(&statement, text_of(document, "created_at"));
    bind_int(&statement, fence_of(document));
    bind_text(&statement, text);
    return finish(&statement, rc, err);
}

static enum err_code sqlite_insert(void *self, const struct json *document, struct err *err)
{
    struct sqlite_store *store = self;
    char *text = json_value_print(document, false, 0);
    enum err_code rc;

    if (text == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    (void)pthread_mutex_lock(&store->lock);
    rc = insert_document(store, document, text, err);
    if (rc == ERR_OK)
        (void)sweep(store, NULL); /* the document is there all the same */
    (void)pthread_mutex_unlock(&store->lock);
    free(text);
    return rc;
}

static enum err_code find_by_id(struct sqlite_store *store, const char *sql, const char *what, const char *id,
                                struct json **out, struct err *err)
{
    struct statement statement;
    enum err_code rc = prepare(&statement, store, sql, err);

    bind_text(&statement, id);
    return fetch_one(&statement, rc, what, out, err);
}

static enum err_code get_by_id(struct sqlite_store *store, const char *sql, const char *what, const char *id,
                               struct json **out, struct err *err)
{
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = find_by_id(store, sql, what, id, out, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code sqlite_get(void *self, const char *id, struct json **out, struct err *err)
{
    return get_by_id(self, "SELECT document FROM jobs WHERE id=?", "job", id, out, err);
}

static enum err_code sqlite_get_report(void *self, const char *id, struct json **out, struct err *err)
{
    return get_by_id(self, "SELECT document FROM reports WHERE id=?", "report", id, out, err);
}

static enum err_code rewrite_document(struct sqlite_store *store, const char *id, const struct json *document,
                                      struct err *err)
{
    struct statement statement;
    char *text = json_value_print(document, false, 0);
    enum err_code rc;

    if (text == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    rc = prepare(&statement, store, "UPDATE jobs SET state=?, fence=?, document=? WHERE id=?", err);
    bind_text(&statement, text_of(document, "state"));
    bind_int(&statement, fence_of(document));
    bind_text(&statement, text);
    bind_text(&statement, id);
    rc = finish(&statement, rc, err);
    free(text);
    return rc;
}

/* Within a transaction. */
static enum err_code update_document(struct sqlite_store *store, const char *id, int64_t fence,
                                     const struct json *changes, bool *applied, struct err *err)
{
    struct json *document = NULL;
    enum err_code rc = find_by_id(store, "SELECT document FROM jobs WHERE id=?", "job", id, &document, err);

    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc == ERR_OK && fence_of(document) <= fence && !is_terminal(document)) {
        if (!json_value_merge(document, changes))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
        else
            rc = rewrite_document(store, id, document, err);
        *applied = rc == ERR_OK;
    }
    json_value_destroy(document);
    return rc;
}

/* COMMIT, or ROLLBACK where rc says so; other processes wait for the write lock, not this one for theirs midway. */
static enum err_code end_transaction(struct sqlite_store *store, enum err_code rc, struct err *err)
{
    if (rc == ERR_OK)
        rc = run(store, "COMMIT", err);
    if (rc != ERR_OK)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static enum err_code sqlite_update(void *self, const char *id, int64_t fence, const struct json *changes, bool *applied,
                                   struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = run(store, "BEGIN IMMEDIATE", err);
    if (rc == ERR_OK)
        rc = end_transaction(store, update_document(store, id, fence, changes, applied, err), err);
    (void)pthread_mutex_unlock(&store->lock);
    *applied = *applied && rc == ERR_OK;
    return rc;
}

static enum err_code sqlite_delete_accepted(void *self, const char *id, struct err *err)
{
    struct sqlite_store *store = self;
    struct statement statement;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = prepare(&statement, store, "DELETE FROM jobs WHERE id=? AND state='accepted'", err);
    bind_text(&statement, id);
    rc = finish(&statement, rc, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code upsert_report(struct sqlite_store *store, const char *id, int64_t fence, const struct json *report,
                                   const char *text, struct err *err)
{
    struct statement statement;
    bool published = false;
    enum err_code rc =
        prepare(&statement, store,
                "INSERT INTO reports VALUES(?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET type=excluded.type,"
                " namespace=excluded.namespace, created_at=excluded.created_at, fence=excluded.fence,"
                " published=excluded.published, document=excluded.document WHERE reports.fence<=excluded.fence",
                err);

    (void)json_value_get_bool(report, "published", &published);
    bind_text(&statement, id);
    bind_text(&statement, text_of(report, "type"));
    bind_text(&statement, text_of(report, "namespace"));
    bind_text(&statement, text_of(report, "created_at"));
    bind_int(&statement, fence);
    bind_int(&statement, published ? 1 : 0);
    bind_text(&statement, text);
    return finish(&statement, rc, err);
}

static enum err_code sqlite_put_report(void *self, const char *id, int64_t fence, const struct json *report,
                                       bool *applied, struct err *err)
{
    struct sqlite_store *store = self;
    char *text = json_value_print(report, false, 0);
    enum err_code rc;

    if (text == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");
    (void)pthread_mutex_lock(&store->lock);
    rc = upsert_report(store, id, fence, report, text, err);
    *applied = rc == ERR_OK && sqlite3_changes(store->db) > 0;
    (void)pthread_mutex_unlock(&store->lock);
    free(text);
    return rc;
}

static enum err_code sqlite_last_published(void *self, enum job_type type, const char *shop, struct json **out,
                                           struct err *err)
{
    struct sqlite_store *store = self;
    struct statement statement;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = prepare(&statement, store,
                 "SELECT document FROM reports WHERE type=? AND namespace=? AND published=1"
                 " ORDER BY created_at DESC, id DESC LIMIT 1",
                 err);
    bind_text(&statement, job_type_name(type));
    bind_text(&statement, shop);
    rc = fetch_one(&statement, rc, "published report", out, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code append_rows(struct statement *statement, struct json *list, struct err *err)
{
    bool row = true;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && row) {
        struct json *document = NULL;

        rc = step(statement, &row, err);
        if (rc == ERR_OK && row)
            rc = parse_column(statement, &document, err);
        if (rc == ERR_OK && row && !json_value_append(list, document))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a list of jobs");
    }
    return rc;
}

static enum err_code sqlite_list(void *self, const char *state, const char *type, const char *before, int limit,
                                 struct json **out, struct err *err)
{
    struct sqlite_store *store = self;
    struct json *list = json_value_new_array();
    struct statement statement;
    enum err_code rc;

    if (list == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a list of jobs");
    (void)pthread_mutex_lock(&store->lock);
    rc = prepare(&statement, store,
                 "SELECT document FROM jobs WHERE (?1 IS NULL OR state=?1) AND (?2 IS NULL OR type=?2)"
                 " AND (?3 IS NULL OR id<?3) ORDER BY id DESC LIMIT ?4",
                 err);
    bind_text(&statement, state);
    bind_text(&statement, type);
    bind_text(&statement, before);
    bind_int(&statement, limit);
    if (rc == ERR_OK)
        rc = append_rows(&statement, list, err);
    (void)sqlite3_finalize(statement.handle);
    (void)pthread_mutex_unlock(&store->lock);
    if (rc != ERR_OK) {
        json_value_destroy(list);
        return rc;
    }
    *out = list;
    return ERR_OK;
}

static enum err_code sqlite_ping(void *self, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = run(store, "SELECT 1 FROM jobs LIMIT 1", err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static void sqlite_close(void *self)
{
    struct sqlite_store *store = self;

    (void)sqlite3_close(store->db);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct job_store_ops sqlite_ops = {
    .kind = "sqlite",
    .close = sqlite_close,
    .ping = sqlite_ping,
    .insert = sqlite_insert,
    .get = sqlite_get,
    .update = sqlite_update,
    .delete_accepted = sqlite_delete_accepted,
    .put_report = sqlite_put_report,
    .get_report = sqlite_get_report,
    .last_published = sqlite_last_published,
    .list = sqlite_list,
};

/* Of processes that turn a new file into a WAL one at once, SQLite tells all but one BUSY without waiting. */
static enum err_code make_tables(struct sqlite_store *store, struct err *err)
{
    for (int waited_ms = 0;; waited_ms += ASK_AGAIN_MS) {
        enum err_code rc = run(store, schema, err);

        if (rc == ERR_OK || sqlite3_errcode(store->db) != SQLITE_BUSY || waited_ms >= BUSY_TIMEOUT_MS)
            return rc;
        (void)sqlite3_sleep(ASK_AGAIN_MS);
    }
}

enum err_code job_store_sqlite_open(void **self, const struct job_store_ops **ops, const char *path, int retention_days,
                                    struct err *err)
{
    struct sqlite_store *store;
    enum err_code rc = ERR_OK;

    if (path[0] == '\0') /* SQLite would keep all in a file that goes with the process */
        return ERR_SET(err, ERR_CONFIG, "STORE_URL: sqlite: needs the path of a file");
    store = mem_zeroed(1, sizeof *store);
    if (store == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the job store");
    store->retention_days = retention_days;
    (void)pthread_mutex_init(&store->lock, NULL);
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        rc = ERR_SET(err, ERR_UNAVAILABLE, "open the job store %s: %s", path, sqlite3_errmsg(store->db));
    if (rc == ERR_OK)
        (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    if (rc == ERR_OK) {
        rc = make_tables(store, err);
        if (rc == ERR_OK)
            rc = sweep(store, err);
        if (rc != ERR_OK)
            (void)err_wrap(err, "open %s", path);
    }
    if (rc != ERR_OK) {
        sqlite_close(store);
        return rc;
    }
    *self = store;
    *ops = &sqlite_ops;
    return ERR_OK;
}
