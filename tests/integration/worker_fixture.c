#include "tests/integration/worker_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"

int64_t worker_fixture_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void worker_fixture_pause(void)
{
    const struct timespec time = {.tv_nsec = 5000000};

    (void)nanosleep(&time, NULL);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Each user buys and looks at some products of a taste; a popular tail of both. Newest first, ids descending. */
static bool write_events(const char *path, int64_t now_s)
{
    enum { EVENTS = WORKER_SHOP_USERS * 8 };
    uint32_t random = 1;
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    for (int i = 0; i < EVENTS; i++) {
        unsigned user = next_random(&random) % WORKER_SHOP_USERS;
        unsigned product =
            1 + (user * 7 + next_random(&random) % 12 * (next_random(&random) % 3)) % WORKER_SHOP_PRODUCTS;
        long long created = (long long)now_s - 3600 - (long long)i * 60;

        if (next_random(&random) % 3 == 0)
            (void)fprintf(file,
                          "{\"id\":%d,\"action\":\"purchase\",\"user_uid\":\"user-%u\",\"info\":{\"content_ids\":\","
                          "%u,%u,\"},\"created\":%lld}\n",
                          9000000 - i, user, product, 1 + (product + 3) % WORKER_SHOP_PRODUCTS, created);
        else
            (void)fprintf(file,
                          "{\"id\":%d,\"action\":\"content_view\",\"user_uid\":\"user-%u\",\"info\":{\"id\":\"%u\","
                          "\"referrer\":\"\"},\"created\":%lld}\n",
                          9000000 - i, user, product, created);
    }
    return fclose(file) == 0;
}

static bool write_products(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    for (int id = 1; id <= WORKER_SHOP_PRODUCTS; id++)
        (void)fprintf(file, "%s{\"id\":%d,\"stock\":%d,\"status\":\"%s\",\"title\":\"Toy %d\"}%s", id == 1 ? "[" : "",
                      id, id % 10, id % 17 == 0 ? "Draft" : "Published", id,
                      id == WORKER_SHOP_PRODUCTS ? "]\n" : ",\n");
    return fclose(file) == 0;
}

const char *worker_fixture_folder(struct worker_fixture *fixture, const char *name)
{
    static char path[SERVER_TEXT_BYTES + 64];

    (void)snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    (void)mkdir(path, 0700);
    return path;
}

static bool make_shop(struct worker_fixture *fixture)
{
    char path[SERVER_TEXT_BYTES + 96];

    fixture->now_s = (int64_t)time(NULL);
    (void)snprintf(path, sizeof path, "%s/events.jsonl", worker_fixture_folder(fixture, "shop"));
    if (!write_events(path, fixture->now_s))
        return false;
    (void)snprintf(path, sizeof path, "%s/products.json", worker_fixture_folder(fixture, "shop"));
    return write_products(path) && cms_server_start(&fixture->cms, worker_fixture_folder(fixture, "shop"), NULL);
}

int worker_fixture_start(void **state)
{
    struct worker_fixture *fixture = calloc(1, sizeof *fixture);
    void *queue = NULL;

    *state = fixture;
    if (fixture == NULL || queue_fixture_start(&queue) != 0)
        return -1;
    fixture->queue = queue;
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/recfleet-worker-XXXXXX");
    return mkdtemp(fixture->folder) != NULL && make_shop(fixture) ? 0 : -1;
}

int worker_fixture_end_workers(void **state)
{
    struct worker_fixture *fixture = *state;

    for (int i = 0; i < WORKER_MOST; i++)
        server_fini(&fixture->workers[i]);
    job_store_close(fixture->store);
    fixture->store = NULL;
    server_fini(&fixture->mongo);
    return 0;
}

int worker_fixture_stop(void **state)
{
    struct worker_fixture *fixture = *state;
    struct test_server rest = {0};
    void *queue = fixture->queue;

    (void)worker_fixture_end_workers(state);
    server_fini(&fixture->cms);
    (void)queue_fixture_stop(&queue);
    (void)snprintf(rest.folder, sizeof rest.folder, "%s", fixture->folder);
    server_fini(&rest); /* the folder */
    free(fixture);
    return 0;
}

int worker_fixture_clear(void **state)
{
    struct worker_fixture *fixture = *state;
    void *queue = fixture->queue;

    (void)queue_fixture_clear(&queue);
    (void)snprintf(fixture->store_url, sizeof fixture->store_url, "sqlite:%s/store-%d.db", fixture->folder,
                   ++fixture->stores);
    assert_true(cms_server_control(&fixture->cms, "{\"fault\":null,\"catalogue\":1.0}"));
    return 0;
}

bool worker_fixture_use_mongo(struct worker_fixture *fixture)
{
    if (mongo_server_program() == NULL)
        return false;
    assert_true(mongo_server_start(&fixture->mongo));
    (void)snprintf(fixture->store_url, sizeof fixture->store_url, "%s", fixture->mongo.url);
    return true;
}

void worker_fixture_open_store(struct worker_fixture *fixture)
{
    struct err err = {0};

    if (fixture->store == NULL && job_store_open(&fixture->store, fixture->store_url, 90, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

static char *setting(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *setting(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    assert_non_null(text);
    return text;
}

/* env NAME=value… program argument… into argv[SERVER_MAX_ARGUMENTS + 1]; owned[] are to be freed, NULL-ended. */
static void build_command(struct worker_fixture *fixture, const char *const *settings, const char *const *arguments,
                          const char **argv, char **owned)
{
    const char *bin = getenv("RECFLEET_BIN");
    size_t count = 0;
    size_t kept = 0;

    owned[kept++] = setting("API_URL=%s", fixture->cms.url);
    owned[kept++] = setting("QUEUE_REDIS_URL=%s", fixture->queue->server.url);
    owned[kept++] = setting("STORE_URL=%s", fixture->store_url);
    owned[kept++] = setting("CACHE_URL=file:%s/cache-%d", fixture->folder, fixture->stores);
    owned[kept++] = setting("%s/recfleet-worker", bin != NULL ? bin : ".");
    owned[kept] = NULL;
    argv[count++] = "env";
    for (size_t i = 0; i + 1 < kept; i++)
        argv[count++] = owned[i];
    argv[count++] = "QUEUE_NAME=" QUEUE;
    argv[count++] = "API_NAMESPACE=" WORKER_SHOP;
    argv[count++] = "LEASE_S=2";
    argv[count++] = "HEARTBEAT_S=0.5";
    argv[count++] = "RETRY_BASE_S=0.05";
    argv[count++] = "ALS_FACTORS=16";
    argv[count++] = "THREADS=1";
    argv[count++] = "METRICS_LISTEN=off";
    argv[count++] = "EVALUATION_DAYS=0"; /* which trains twice more */
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++)
        argv[count++] = settings[i];
    argv[count++] = owned[kept - 1];
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++)
        argv[count++] = arguments[i];
    argv[count] = NULL;
    assert_true(count <= SERVER_MAX_ARGUMENTS);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    (void)fclose(file);
    return text;
}

static bool log_holds(const struct test_server *server, const char *text)
{
    char path[SERVER_TEXT_BYTES + 8];
    char *log;
    bool found;

    (void)snprintf(path, sizeof path, "%s/log", server->folder);
    log = read_file(path);
    found = log != NULL && strstr(log, text) != NULL;
    free(log);
    return found;
}

static bool worker_has_started(const struct test_server *server)
{
    return log_holds(server, "\"worker.started\"");
}

static void free_all(char **owned)
{
    for (; *owned != NULL; owned++)
        free(*owned);
}

void worker_fixture_run(struct worker_fixture *fixture, int i, const char *const *settings)
{
    const char *argv[SERVER_MAX_ARGUMENTS + 1];
    char *owned[8];

    server_fini(&fixture->workers[i]);
    assert_true(server_prepare(&fixture->workers[i]));
    build_command(fixture, settings, NULL, argv, owned);
    assert_true(server_spawn(&fixture->workers[i], argv, worker_has_started, WORKER_WAIT_MS));
    free_all(owned);
}

int worker_fixture_call(struct worker_fixture *fixture, const char *const *settings, const char *const *arguments,
                        char **output)
{
    const char *argv[SERVER_MAX_ARGUMENTS + 1];
    char *owned[8];
    char path[SERVER_TEXT_BYTES + 96];
    int status = 0;
    pid_t pid;

    build_command(fixture, settings, arguments, argv, owned);
    (void)snprintf(path, sizeof path, "%s/output", fixture->folder);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
            _exit(126);
        (void)execvp("env", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    free_all(owned);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (output != NULL)
        *output = read_file(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int worker_fixture_await_end(struct worker_fixture *fixture, int i)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;
    int status = 0;

    while (waitpid(fixture->workers[i].pid, &status, WNOHANG) == 0) {
        assert_true(worker_fixture_now_ms() < deadline);
        worker_fixture_pause();
    }
    fixture->workers[i].pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void worker_fixture_submit(struct worker_fixture *fixture, enum job_type type, const char *params, char *id)
{
    worker_fixture_submit_for(fixture, WORKER_SHOP, type, params, id);
}

void worker_fixture_submit_for(struct worker_fixture *fixture, const char *shop, enum job_type type, const char *params,
                               char *id)
{
    struct clock_source clock = clock_system();
    struct job_request request = {
        .id = id, .type = type, .shop = shop, .queue = QUEUE, .requested_by = "tester", .fingerprint = ""};
    struct job_queue_enqueue job = queue_fixture_request(id, shop);
    enum job_queue_enqueued outcome;
    char answered[JOB_ID_BYTES];
    char args[512];
    struct json *parsed = NULL;
    struct json *document;
    struct err err = {0};

    request.max_errors = job.max_errors;
    request.max_lost = job.max_lost;
    assert_int_equal(job_id_generate(id, &clock, &err), ERR_OK);
    assert_int_equal(json_value_parse(&parsed, params, strlen(params), &err), ERR_OK);
    request.params = parsed;
    document = job_document_create(&request, clock_unix_ms(&clock));
    worker_fixture_open_store(fixture);
    if (job_store_insert(fixture->store, document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(document);
    json_value_destroy(parsed);
    (void)snprintf(args, sizeof args, "{\"params\":%s,\"namespace\":\"%s\"}", params, shop);
    job.type = type;
    job.args = args;
    outcome = queue_fixture_enqueue(fixture->queue, &job, answered);
    assert_int_equal(outcome, JOB_QUEUE_NEW);
}

static void print_logs(struct worker_fixture *fixture)
{
    for (int i = 0; i < WORKER_MOST; i++) {
        char path[SERVER_TEXT_BYTES + 8];
        char *log;

        (void)snprintf(path, sizeof path, "%s/log", fixture->workers[i].folder);
        log = fixture->workers[i].folder[0] != '\0' ? read_file(path) : NULL;
        if (log != NULL)
            (void)fprintf(stderr, "worker %d:\n%s\n", i, log);
        free(log);
    }
}

static void fail_late(struct worker_fixture *fixture, const char *id, const char *what, const char *wanted)
{
    print_logs(fixture);
    fail_msg("the %s of %s is %s, not %s", what, id, queue_fixture_job_field(fixture->queue, id, what), wanted);
}

/* Its unique lock ends in its shop. */
static void promote(struct worker_fixture *fixture, const char *id)
{
    char shop[64];
    const char *lock = queue_fixture_job_field(fixture->queue, id, "uniq");

    assert_non_null(strrchr(lock, ':'));
    (void)snprintf(shop, sizeof shop, "%s", strrchr(lock, ':') + 1);
    (void)queue_fixture_promote(fixture->queue, id, shop);
}

/* A retry that is due, as the gateway would. */
static void promote_retry(struct worker_fixture *fixture, const char *id)
{
    if (strcmp(queue_fixture_job_field(fixture->queue, id, "state"), "retrying") == 0)
        promote(fixture, id);
}

static void wait_for_field(struct worker_fixture *fixture, const char *id, const char *field, const char *wanted)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;

    while (strcmp(queue_fixture_job_field(fixture->queue, id, field), wanted) != 0) {
        if (worker_fixture_now_ms() >= deadline)
            fail_late(fixture, id, field, wanted);
        promote_retry(fixture, id);
        worker_fixture_pause();
    }
}

void worker_fixture_wait_for_state(struct worker_fixture *fixture, const char *id, const char *state)
{
    wait_for_field(fixture, id, "state", state);
}

/* Its place in a job; -1 for a text that is no stage. */
static int stage_place(const char *stage)
{
    static const char *const stages[] = {"fetch",  "outliers", "analytics", "pairs",  "weigh",
                                         "matrix", "als",      "recommend", "publish"};

    for (int i = 0; i < (int)(sizeof stages / sizeof stages[0]); i++) {
        if (strcmp(stages[i], stage) == 0)
            return i;
    }
    return -1;
}

void worker_fixture_wait_for_stage(struct worker_fixture *fixture, const char *id, const char *stage)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;

    /* some last for a few milliseconds, so it looks without a pause */
    while (stage_place(queue_fixture_job_field(fixture->queue, id, "stage")) < stage_place(stage)) {
        if (worker_fixture_now_ms() >= deadline)
            fail_late(fixture, id, "stage", stage);
    }
}

void worker_fixture_wait_for_log(struct worker_fixture *fixture, int i, const char *text)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;

    while (!log_holds(&fixture->workers[i], text)) {
        if (worker_fixture_now_ms() >= deadline)
            fail_late(fixture, text, "log", text);
        worker_fixture_pause();
    }
}

/* SecantusDB 0.7.0b3 may hang in a rename of a large collection while another connection waits for it
 * (__wt_page_in_func, without an end), and answers nobody then. As whoever runs it would, the test starts it anew: the
 * worker has to come through that too. */
static void restart_store(struct worker_fixture *fixture)
{
    if (fixture->mongo.pid <= 0) { /* a file of SQLite, which is only busy */
        worker_fixture_pause();
        return;
    }
    print_message("the store does not answer: it is started anew\n");
    server_kill(&fixture->mongo);
    assert_true(server_restart(&fixture->mongo));
}

struct json *worker_fixture_document(struct worker_fixture *fixture, const char *id)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;
    struct json *document = NULL;
    struct err err = {0};
    enum err_code rc;

    worker_fixture_open_store(fixture);
    for (int unanswered = 1;; unanswered++) {
        rc = job_store_get(fixture->store, id, &document, &err);
        if (rc != ERR_UNAVAILABLE || worker_fixture_now_ms() >= deadline)
            break;
        if (unanswered % 2 == 0) /* one answer it may owe for want of time */
            restart_store(fixture);
    }
    if (rc != ERR_OK)
        fail_msg("%s", err.message);
    return document;
}

/* Until the document's `field` is that. */
static void wait_for_noted(struct worker_fixture *fixture, const char *id, const char *field, const char *wanted)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;
    bool there = false;

    while (!there) {
        struct json *document = worker_fixture_document(fixture, id);
        const char *value = json_value_get_text(document, field);

        there = value != NULL && strcmp(value, wanted) == 0;
        if (!there && worker_fixture_now_ms() >= deadline) {
            print_logs(fixture);
            fail_msg("the document's %s is %s, not %s", field, value != NULL ? value : "absent", wanted);
        }
        json_value_destroy(document);
        if (!there)
            promote_retry(fixture, id);
        worker_fixture_pause();
    }
}

void worker_fixture_wait_for_document(struct worker_fixture *fixture, const char *id, const char *state)
{
    wait_for_noted(fixture, id, "state", state);
}

void worker_fixture_wait_for_noted_stage(struct worker_fixture *fixture, const char *id, const char *stage)
{
    wait_for_noted(fixture, id, "stage", stage);
}

static int parent_of(const char *pid)
{
    char path[64];
    char *stat;
    char *end;
    int parent = 0;

    (void)snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    stat = read_file(path);
    end = stat != NULL ? strrchr(stat, ')') : NULL;
    if (end != NULL && strlen(end) > 4 && end[2] != 'Z')
        parent = (int)strtol(end + 4, NULL, 10);
    free(stat);
    return parent;
}

int worker_fixture_child(const struct worker_fixture *fixture, int i)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int child = 0;

    while (proc != NULL && child == 0 && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == (int)fixture->workers[i].pid)
            child = (int)strtol(entry->d_name, NULL, 10);
    }
    if (proc != NULL)
        (void)closedir(proc);
    return child;
}

void worker_fixture_assert_queue_is_empty(struct worker_fixture *fixture)
{
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XPENDING", QUEUE_KEY("s"), "g", NULL), 0);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("open"), NULL), 0);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("delay"), NULL), 0);
}

const char *worker_fixture_target(struct worker_fixture *fixture, int db, const char *word, ...)
{
    static char answer[8192];
    struct redis_command command;
    struct redis_reply *reply;
    const char *next;
    char db_text[8];
    int64_t number;
    va_list words;

    (void)snprintf(db_text, sizeof db_text, "%d", db);
    (void)queue_fixture_ask(fixture->queue, "SELECT", db_text, NULL);
    redis_command_init(&command, word);
    va_start(words, word);
    while ((next = va_arg(words, const char *)) != NULL)
        redis_command_add(&command, next);
    va_end(words);
    reply = queue_fixture_send(fixture->queue, &command);
    if (redis_reply_text(reply) != NULL)
        (void)snprintf(answer, sizeof answer, "%s", redis_reply_text(reply));
    else if (redis_reply_to_int64(reply, &number))
        (void)snprintf(answer, sizeof answer, "%lld", (long long)number);
    else
        (void)snprintf(answer, sizeof answer, "(nil)");
    redis_reply_destroy(reply);
    (void)queue_fixture_ask(fixture->queue, "SELECT", "0", NULL);
    return answer;
}

/* "id:score id:score …" as the JSON array that is published. */
static void list_as_json(char *out, size_t size, char *list)
{
    char *rest = list;
    char *part;
    size_t used = (size_t)snprintf(out, size, "[");

    while ((part = strsep(&rest, " \n")) != NULL) {
        if (*part == '\0')
            continue;
        part[strcspn(part, ":")] = '\0';
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 1 ? "," : "", part);
    }
    (void)snprintf(out + used, size - used, "]");
}

static void assert_key(struct worker_fixture *fixture, int db, const char *key, const char *value, int64_t ttl_s)
{
    int64_t ttl = strtoll(worker_fixture_target(fixture, db, "TTL", key, NULL), NULL, 10);

    assert_string_equal(worker_fixture_target(fixture, db, "GET", key, NULL), value);
    if (ttl_s == 0)
        assert_int_equal(ttl, -1);
    else
        assert_true(ttl > 0 && ttl <= ttl_s);
}

/* The lines "key,list" of a file are published as prefix + key; how many they are. */
static int64_t assert_lists(struct worker_fixture *fixture, int db, const char *prefix, const char *path, int64_t ttl_s)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    int64_t count = 0;

    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        char *list = strrchr(line, ',');
        char value[4096];
        char key[512];

        assert_non_null(list);
        *list++ = '\0';
        if (strcmp(line, "user_uid") == 0 || strcmp(line, "product_id") == 0 || *list == '\n' || *list == '\0')
            continue;
        list_as_json(value, sizeof value, list);
        (void)snprintf(key, sizeof key, "%s%s", prefix, line);
        assert_key(fixture, db, key, value, ttl_s);
        count++;
    }
    free(line);
    (void)fclose(file);
    return count;
}

void worker_fixture_assert_published(struct worker_fixture *fixture, const char *dump, int64_t ttl_s)
{
    int64_t own = ttl_s == 0 ? 2 : 1; /* the fence's key, and the index where keys never expire */
    char path[SERVER_TEXT_BYTES + 128];
    int64_t lists;

    (void)snprintf(path, sizeof path, "%s/lists.csv", dump);
    lists = assert_lists(fixture, 1, "", path, ttl_s);
    assert_true(lists > 0);
    assert_int_equal(
        strtoll(worker_fixture_target(fixture, 1, "EXISTS", "top_overall_recommendations", NULL), NULL, 10), 1);
    assert_int_equal(strtoll(worker_fixture_target(fixture, 1, "DBSIZE", NULL), NULL, 10), lists + 1 + own);
    (void)snprintf(path, sizeof path, "%s/similar.csv", dump);
    lists = assert_lists(fixture, 2, "similar:", path, ttl_s);
    assert_true(lists > 0);
    assert_int_equal(strtoll(worker_fixture_target(fixture, 2, "DBSIZE", NULL), NULL, 10), lists + own);
}

int64_t worker_fixture_assert_cross_sell(struct worker_fixture *fixture, const char *dump)
{
    char path[SERVER_TEXT_BYTES + 128];
    int64_t lists;

    (void)snprintf(path, sizeof path, "%s/cross_sell_lists.csv", dump);
    lists = assert_lists(fixture, 3, "", path, 0);
    assert_int_equal(strtoll(worker_fixture_target(fixture, 3, "DBSIZE", NULL), NULL, 10), lists + 2); /* as above */
    return lists;
}
