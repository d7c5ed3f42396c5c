#include "common/job/job_settings.h"

#include <math.h>
#include <string.h>

#include "common/base/str.h"

static const double year_s = 366.0 * 86400.0;

bool job_settings_is_name(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < JOB_SETTINGS_NAME_BYTES &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

int64_t job_settings_read_seconds(struct env *env, const char *name, double fallback, double low, double high)
{
    return (int64_t)llround(env_double(env, name, fallback, low, high) * 1000.0);
}

void job_settings_read_redis(struct redis_url *out, struct env *env, const char *name, const char *fallback)
{
    const char *text = env_url(env, name, fallback);
    const char *user = env_text(env, "REDIS_USERNAME", "");
    const char *password = env_secret(env, "REDIS_PASSWORD", "");
    struct err err;

    memset(out, 0, sizeof *out);
    if (redis_url_parse(out, text, &err) != ERR_OK) {
        env_problem(env, "%s: %s", name, err.message);
        return;
    }
    if (out->user[0] != '\0' || out->password[0] != '\0')
        return;
    if (strlen(user) >= sizeof out->user)
        env_problem(env, "REDIS_USERNAME: longer than %zu bytes", sizeof out->user - 1);
    else if (strlen(password) >= sizeof out->password)
        env_problem(env, "REDIS_PASSWORD: longer than %zu bytes", sizeof out->password - 1);
    else {
        str_copy(out->user, sizeof out->user, user);
        str_copy(out->password, sizeof out->password, password);
    }
}

static void read_name(char *out, struct env *env, const char *variable, const char *fallback)
{
    const char *text = env_text(env, variable, fallback);

    if (!job_settings_is_name(text)) {
        env_problem(env, "%s: \"%s\" is not 1 to %d of the characters A-Z a-z 0-9 . _ -", variable, text,
                    JOB_SETTINGS_NAME_BYTES - 1);
        text = fallback;
    }
    str_copy(out, JOB_SETTINGS_NAME_BYTES, text);
}

static void read_queues(struct job_settings *out, struct env *env)
{
    struct err err;

    read_name(out->queue_name, env, "QUEUE_NAME", "train");
    if (job_routes_parse(&out->routes, env_text(env, "QUEUE_ROUTES", ""), out->queue_name, &err) != ERR_OK)
        env_problem(env, "QUEUE_ROUTES: %s", err.message);
    if (job_routes_parse_names(&out->worker_queues, env_text(env, "WORKER_QUEUES", ""), out->queue_name, &err) !=
        ERR_OK) {
        env_problem(env, "WORKER_QUEUES: %s", err.message);
        out->worker_queues.count = 0;
        if (job_routes_parse_names(&out->worker_queues, NULL, out->queue_name, &err) != ERR_OK)
            env_problem(env, "WORKER_QUEUES: %s", err.message);
    }
}

/* The default name is that of the one shop there is without a file. */
static void read_shop(struct job_settings *out, struct env *env)
{
    out->namespaces_file = env_text(env, "NAMESPACES_FILE", NULL);
    if (out->namespaces_file == NULL || env_is_set(env, "API_NAMESPACE"))
        read_name(out->shop, env, "API_NAMESPACE", "shop");
    else
        (void)env_text(env, "API_NAMESPACE", "");
}

static void append_escaped(struct str *url, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *text) != NULL)
            str_append_char(url, *text);
        else
            str_append_format(url, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

/* The URL that MONGO_HOST and its companions stand for. */
static void append_mongo_url(struct str *url, struct env *env)
{
    const char *host = env_text(env, "MONGO_HOST", "");
    int64_t port = env_int(env, "MONGO_PORT", 27017, 1, 65535);
    const char *user = env_text(env, "MONGO_USERNAME", "");
    const char *password = env_secret(env, "MONGO_PASSWORD", "");
    const char *database = env_text(env, "MONGO_DATABASE", "pa_recommender");
    const char *source = env_text(env, "MONGO_AUTH_SOURCE", "");

    str_append_text(url, "mongodb://");
    if (user[0] != '\0') {
        append_escaped(url, user);
        str_append_char(url, ':');
        append_escaped(url, password);
        str_append_char(url, '@');
    }
    str_append_format(url, strchr(host, ':') != NULL && host[0] != '[' ? "[%s]" : "%s", host);
    str_append_format(url, ":%lld/", (long long)port);
    append_escaped(url, database);
    if (source[0] != '\0') {
        str_append_text(url, "?authSource=");
        append_escaped(url, source);
    }
}

static void read_store(struct job_settings *out, struct env *env)
{
    struct str url = {0};

    if (!env_is_set(env, "STORE_URL") && env_is_set(env, "MONGO_HOST"))
        append_mongo_url(&url, env);
    else
        str_append_text(&url, env_url(env, "STORE_URL", "sqlite:recfleet.db"));
    out->store_url[0] = '\0';
    if (url.failed)
        env_problem(env, "STORE_URL: no memory");
    else if (url.length >= sizeof out->store_url)
        env_problem(env, "STORE_URL: longer than %zu bytes", sizeof out->store_url - 1);
    else if (!str_starts_with(url.text, "mongodb://") && !str_starts_with(url.text, "mongodb+srv://") &&
             (!str_starts_with(url.text, "sqlite:") || url.length == strlen("sqlite:")))
        env_problem(env, "STORE_URL: neither mongodb://… nor sqlite:PATH");
    else
        memcpy(out->store_url, url.text, url.length + 1);
    str_fini(&url);
}

void job_settings_read(struct job_settings *out, struct env *env)
{
    static const char *const environments[] = {"Dev", "Prod", NULL};

    memset(out, 0, sizeof *out);
    out->dev = env_choice(env, "ENV", environments, 0) == 0;
    job_settings_read_redis(&out->queue_redis, env, "QUEUE_REDIS_URL", "redis://127.0.0.1:6379");
    read_queues(out, env);
    read_store(out, env);
    read_shop(out, env);
    out->retention_days = (int)env_int(env, "JOB_RETENTION_DAYS", 90, 1, 36500);
    out->lease_ms = job_settings_read_seconds(env, "LEASE_S", 60, 0.2, 86400);
    out->heartbeat_ms = job_settings_read_seconds(env, "HEARTBEAT_S", 10, 0.05, 43200);
    out->retry_base_ms = job_settings_read_seconds(env, "RETRY_BASE_S", 60, 0.01, 86400);
    out->max_runtime_ms = job_settings_read_seconds(env, "MAX_RUNTIME_S", 14400, 0.1, year_s);
    out->grace_ms = job_settings_read_seconds(env, "GRACE_S", 30, 0, 86400);
    if (out->heartbeat_ms * 2 > out->lease_ms)
        env_problem(env, "HEARTBEAT_S: more than half of LEASE_S, so one late beat would lose the job");
}
