/* The store of one machine: documents as JSON text, with the columns that are searched beside it. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/job/job_store_ops.h"
#include "common/job/job_store_sqlite_search.h"
#include "common/job/job_store_sqlite_statement.h"

enum { BUSY_TIMEOUT_MS = 10000, ASK_AGAIN_MS = 10 };

static const int64_t day_ms = 86400000;

/* Jobs are appended, two dozen in a commit: pages of twice SQLite's size, and rows in the order they come instead of a
 * tree of documents by id, make it cheaper. Files of earlier versions keep the pages and the table that they have. */
static const char schema[] =
    "PRAGMA page_size=8192;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS jobs(id TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL, type TEXT NOT NULL,"
    " created_at TEXT NOT NULL, fence INTEGER NOT NULL, document TEXT NOT NULL);"
    "DROP INDEX IF EXISTS jobs_state;" /* of earlier versions: without the order that lists have */
    "DROP INDEX IF EXISTS jobs_type;"
    "DROP INDEX IF EXISTS jobs_created;"
    "CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs(state, id);" /* id is the order of time */
    "CREATE INDEX IF NOT EXISTS jobs_by_type ON jobs(type, id);"
    "CREATE TABLE IF NOT EXISTS reports(id TEXT PRIMARY KEY, type TEXT NOT NULL, namespace TEXT NOT NULL,"
    " created_at TEXT NOT NULL, fence INTEGER NOT NULL, published INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE INDEX IF NOT EXISTS reports_type ON reports(type, namespace, created_at);";

/* What is run again and again, prepared once. */
enum statement { BEGIN, COMMIT, INSERT_JOB, READ_JOB, REWRITE_JOB, STATEMENT_COUNT };

static const char *const statement_texts[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [INSERT_JOB] = "INSERT INTO jobs VALUES(?,?,?,?,?,?)",
    [READ_JOB] = "SELECT document FROM jobs WHERE id=?",
    [REWRITE_JOB] = "UPDATE jobs SET state=?, fence=?, document=? WHERE id=?",
};

struct sqlite_store {
    sqlite3 *db;
    struct job_store_sqlite_statement statements[STATEMENT_COUNT];
    pthread_mutex_t lock; /* one statement, or one transaction, at a time */
    int retention_days;
    int64_t sweep_at_ms; /* when what is too old goes next */
};

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
        struct job_store_sqlite_statement statement;

        rc = job_store_sqlite_statement_prepare(&statement, store->db, deletes[i], err);
        job_store_sqlite_statement_bind_text(&statement, oldest);
        rc = job_store_sqlite_statement_finish(&statement, rc, err);
    }
    store->sweep_at_ms = now_ms + day_ms;
    return rc;
}

static enum err_code find_by_id(struct sqlite_store *store, const char *sql, const char *what, const char *id,
                                struct json **out, struct err *err)
{
    struct job_store_sqlite_statement statement;
    enum err_code rc = job_store_sqlite_statement_prepare(&statement, store->db, sql, err);

    job_store_sqlite_statement_bind_text(&statement, id);
    return job_store_sqlite_statement_read_one(&statement, rc, what, out, err);
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
    return get_by_id(self, statement_texts[READ_JOB], "job", id, out, err);
}

static enum err_code sqlite_get_report(void *self, const char *id, struct json **out, struct err *err)
{
    return get_by_id(self, "SELECT document FROM reports WHERE id=?", "report", id, out, err);
}

/* With the write lock at once: what waits for another process' waits here, not midway. */
static enum err_code begin_transaction(struct sqlite_store *store, struct err *err)
{
    return job_store_sqlite_statement_repeat(&store->statements[BEGIN], err);
}

/* COMMIT, or ROLLBACK where rc says so. */
static enum err_code end_transaction(struct sqlite_store *store, enum err_code rc, struct err *err)
{
    if (rc == ERR_OK)
        rc = job_store_sqlite_statement_repeat(&store->statements[COMMIT], err);
    if (rc != ERR_OK)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static enum err_code insert_document(struct job_store_sqlite_statement *statement,
                                     const struct job_store_text *document, struct err *err)
{
    job_store_sqlite_statement_bind_text(statement, document->id);
    job_store_sqlite_statement_bind_text(statement, document->state);
    job_store_sqlite_statement_bind_text(statement, document->type);
    job_store_sqlite_statement_bind_text(statement, document->created_at);
    job_store_sqlite_statement_bind_int(statement, document->fence);
    job_store_sqlite_statement_bind_text(statement, document->text);
    return job_store_sqlite_statement_repeat(statement, err);
}

/* Within a transaction. What is wrong with one document alone is its result; anything else ends it all. */
static enum err_code insert_all(struct sqlite_store *store, const struct job_store_text *documents, size_t count,
                                enum err_code *results, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        results[i] = insert_document(&store->statements[INSERT_JOB], &documents[i], err);
        if (results[i] != ERR_EXISTS && results[i] != ERR_TOO_LARGE)
            rc = results[i];
    }
    return rc;
}

static enum err_code sqlite_insert_many(void *self, const struct job_store_text *documents, size_t count,
                                        enum err_code *results, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = begin_transaction(store, err);
    if (rc == ERR_OK)
        rc = end_transaction(store, insert_all(store, documents, count, results, err), err);
    if (rc == ERR_OK)
        (void)sweep(store, NULL); /* the documents are there all the same */
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code rewrite_document(struct job_store_sqlite_statement *statement, const char *id,
                                      const struct json *document, struct err *err)
{
    char *text = json_value_print(document, false, 0);
    enum err_code rc;

    if (text == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    job_store_sqlite_statement_bind_text(statement, text_of(document, "state"));
    job_store_sqlite_statement_bind_int(statement, fence_of(document));
    job_store_sqlite_statement_bind_text(statement, text);
    job_store_sqlite_statement_bind_text(statement, id);
    rc = job_store_sqlite_statement_repeat(statement, err);
    free(text);
    return rc;
}

static bool may_amend(const struct job_store_amendment *amendment, const struct json *document)
{
    int64_t fence = fence_of(document);

    return fence >= amendment->fence_min && fence <= amendment->fence_max &&
           (amendment->state != NULL ? strcmp(text_of(document, "state"), amendment->state) == 0
                                     : !is_terminal(document));
}

/* Within a transaction; a document that is gone is not applied to. */
static enum err_code amend_document(struct sqlite_store *store, const struct job_store_amendment *amendment,
                                    bool *applied, struct err *err)
{
    struct job_store_sqlite_statement *read = &store->statements[READ_JOB];
    struct json *document = NULL;
    enum err_code rc;

    job_store_sqlite_statement_bind_text(read, amendment->id);
    rc = job_store_sqlite_statement_repeat_read(read, &document, err);
    *applied = document != NULL && may_amend(amendment, document);
    if (*applied && !json_value_merge(document, amendment->changes))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a document");
    if (*applied && rc == ERR_OK)
        rc = rewrite_document(&store->statements[REWRITE_JOB], amendment->id, document, err);
    json_value_destroy(document);
    return rc;
}

static enum err_code amend_all(struct sqlite_store *store, const struct job_store_amendment *amendments, size_t count,
                               bool *applied, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < count; i++)
        rc = amend_document(store, &amendments[i], applied, err);
    return rc;
}

static enum err_code sqlite_amend(void *self, const struct job_store_amendment *amendments, size_t count, bool *applied,
                                  struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = begin_transaction(store, err);
    if (rc == ERR_OK)
        rc = end_transaction(store, amend_all(store, amendments, count, applied, err), err);
    (void)pthread_mutex_unlock(&store->lock);
    *applied = *applied && rc == ERR_OK;
    return rc;
}

static enum err_code sqlite_delete_accepted(void *self, const char *id, struct err *err)
{
    struct sqlite_store *store = self;
    struct job_store_sqlite_statement statement;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_statement_prepare(&statement, store->db, "DELETE FROM jobs WHERE id=? AND state='accepted'",
                                            err);
    job_store_sqlite_statement_bind_text(&statement, id);
    rc = job_store_sqlite_statement_finish(&statement, rc, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code upsert_report(struct sqlite_store *store, const char *id, int64_t fence, const struct json *report,
                                   const char *text, struct err *err)
{
    struct job_store_sqlite_statement statement;
    bool published = false;
    enum err_code rc = job_store_sqlite_statement_prepare(
        &statement, store->db,
        "INSERT INTO reports VALUES(?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET type=excluded.type,"
        " namespace=excluded.namespace, created_at=excluded.created_at, fence=excluded.fence,"
        " published=excluded.published, document=excluded.document WHERE reports.fence<=excluded.fence",
        err);

    (void)json_value_get_bool(report, "published", &published);
    job_store_sqlite_statement_bind_text(&statement, id);
    job_store_sqlite_statement_bind_text(&statement, text_of(report, "type"));
    job_store_sqlite_statement_bind_text(&statement, text_of(report, "namespace"));
    job_store_sqlite_statement_bind_text(&statement, text_of(report, "created_at"));
    job_store_sqlite_statement_bind_int(&statement, fence);
    job_store_sqlite_statement_bind_int(&statement, published ? 1 : 0);
    job_store_sqlite_statement_bind_text(&statement, text);
    return job_store_sqlite_statement_finish(&statement, rc, err);
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

static enum err_code sqlite_last_published(void *self, const char *type, const char *shop, struct json **out,
                                           struct err *err)
{
    struct sqlite_store *store = self;
    struct job_store_sqlite_statement statement;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_statement_prepare(&statement, store->db,
                                            "SELECT document FROM reports WHERE type=? AND namespace=? AND published=1"
                                            " ORDER BY created_at DESC, id DESC LIMIT 1",
                                            err);
    job_store_sqlite_statement_bind_text(&statement, type);
    job_store_sqlite_statement_bind_text(&statement, shop);
    rc = job_store_sqlite_statement_read_one(&statement, rc, "published report", out, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code sqlite_find(void *self, const struct job_store_filter *filter, struct json *list, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_search_find(store->db, filter, list, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code sqlite_list_unfinished(void *self, const char *created_before, const char *after, int limit,
                                            struct json *list, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_search_unfinished(store->db, created_before, after, limit, list, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code sqlite_last_successes(void *self, struct json *list, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_search_successes(store->db, list, err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static enum err_code sqlite_ping(void *self, struct err *err)
{
    struct sqlite_store *store = self;
    enum err_code rc;

    (void)pthread_mutex_lock(&store->lock);
    rc = job_store_sqlite_statement_run(store->db, "SELECT 1 FROM jobs LIMIT 1", err);
    (void)pthread_mutex_unlock(&store->lock);
    return rc;
}

static void sqlite_close(void *self)
{
    struct sqlite_store *store = self;

    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        job_store_sqlite_statement_fini(&store->statements[i]);
    (void)sqlite3_close(store->db);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct job_store_ops sqlite_ops = {
    .kind = "sqlite",
    .close = sqlite_close,
    .ping = sqlite_ping,
    .insert_many = sqlite_insert_many,
    .get = sqlite_get,
    .amend = sqlite_amend,
    .delete_accepted = sqlite_delete_accepted,
    .put_report = sqlite_put_report,
    .get_report = sqlite_get_report,
    .last_published = sqlite_last_published,
    .find = sqlite_find,
    .list_unfinished = sqlite_list_unfinished,
    .last_successes = sqlite_last_successes,
};

/* Of processes that turn a new file into a WAL one at once, SQLite tells all but one BUSY without waiting. */
static enum err_code make_tables(struct sqlite_store *store, struct err *err)
{
    for (int waited_ms = 0;; waited_ms += ASK_AGAIN_MS) {
        enum err_code rc = job_store_sqlite_statement_run(store->db, schema, err);

        if (rc == ERR_OK || sqlite3_errcode(store->db) != SQLITE_BUSY || waited_ms >= BUSY_TIMEOUT_MS)
            return rc;
        (void)sqlite3_sleep(ASK_AGAIN_MS);
    }
}

static enum err_code prepare_statements(struct sqlite_store *store, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < STATEMENT_COUNT; i++)
        rc = job_store_sqlite_statement_prepare(&store->statements[i], store->db, statement_texts[i], err);
    return rc;
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
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody asks, and it takes a lock for each allocation */
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        rc = ERR_SET(err, ERR_UNAVAILABLE, "open the job store %s: %s", path, sqlite3_errmsg(store->db));
    if (rc == ERR_OK)
        (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    if (rc == ERR_OK) {
        rc = make_tables(store, err);
        if (rc == ERR_OK)
            rc = prepare_statements(store, err);
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
