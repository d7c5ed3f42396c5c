#include "common/job/job_shops.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file_text.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_settings.h"
#include "common/net/json_value.h"

enum secrecy { SECRECY_PLAIN, SECRECY_SECRET, SECRECY_URL };

/* What a shop may set, and how that is shown. */
static const struct known {
    const char *name;
    enum secrecy secrecy;
} known[] = {
    {"API_URL", SECRECY_URL},
    {"BEARER_TOKEN", SECRECY_SECRET},
    {"INTERACTIONS_WINDOW_DAYS", SECRECY_PLAIN},
    {"HOMEPAGE_REDIS_URL", SECRECY_URL},
    {"SIMILAR_REDIS_URL", SECRECY_URL},
    {"CROSS_SELL_REDIS_URL", SECRECY_URL},
    {"HOMEPAGE_KEY_PREFIX", SECRECY_PLAIN},
    {"SIMILAR_KEY_PREFIX", SECRECY_PLAIN},
    {"CROSS_SELL_KEY_PREFIX", SECRECY_PLAIN},
    {"RECOMMENDATION_TTL_S", SECRECY_PLAIN},
    {"CROSS_SELL_TTL_S", SECRECY_PLAIN},
    {"PUBLISH_GUARD_PERCENT", SECRECY_PLAIN},
    {"INTERACTION_WEIGHTS", SECRECY_PLAIN},
    {"INTERACTION_DECAY_SCALE", SECRECY_PLAIN},
    {"INTERACTION_REPEAT_DECAY_FACTOR", SECRECY_PLAIN},
    {"OUTLIER_MAX_PER_DAY", SECRECY_PLAIN},
    {"OUTLIER_MAX_PER_MINUTE", SECRECY_PLAIN},
    {"OUTLIER_MAX_PRODUCTS_PER_SESSION", SECRECY_PLAIN},
    {"OUTLIER_REGULAR_GAPS", SECRECY_PLAIN},
    {"OUTLIER_COUNT", SECRECY_PLAIN},
    {"EXCLUDED_USERS_FILE", SECRECY_PLAIN},
    {"ALS_PROFILE", SECRECY_PLAIN},
    {"ALS_SOLVER", SECRECY_PLAIN},
    {"ALS_FACTORS", SECRECY_PLAIN},
    {"ALS_REGULARIZATION", SECRECY_PLAIN},
    {"ALS_ALPHA", SECRECY_PLAIN},
    {"ALS_ITERATIONS", SECRECY_PLAIN},
    {"ALS_SEED", SECRECY_PLAIN},
    {"TIMEZONE", SECRECY_PLAIN},
    {"EXCEPTION_EMAILS", SECRECY_PLAIN},
    {"REPORT_EMAILS", SECRECY_PLAIN},
    {"TEST_EMAIL_FOR_RECOMMENDATIONS", SECRECY_PLAIN},
    {"TEST_PRODUCT_FOR_SIMILAR_PRODUCTS", SECRECY_PLAIN},
    {"TEST_PRODUCT_FOR_CROSS_SELL", SECRECY_PLAIN},
};

struct member {
    const struct known *setting;
    char *value;
};

struct shop {
    char *name;
    struct member *members;
    size_t count;
    size_t capacity;
};

struct job_shops {
    struct shop *shops; /* sorted by name once all are there */
    size_t count;
    size_t capacity;
};

/* What goes along while a file is read: where problems go, and the shop at hand. */
struct loading {
    struct job_shops *shops;
    const char *path;
    struct env *env; /* NULL: only the first problem is told, in *err */
    struct err *err;
    enum err_code rc; /* of the first problem */
    struct shop *shop;
};

static void problem(struct loading *loading, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void problem(struct loading *loading, enum err_code code, const char *format, ...)
{
    char message[ERR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (loading->env != NULL)
        env_problem(loading->env, "NAMESPACES_FILE: %s: %s", loading->path, message);
    if (loading->rc == ERR_OK)
        loading->rc = ERR_SET(loading->err, code, "NAMESPACES_FILE: %s: %s", loading->path, message);
}

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    }
    return NULL;
}

/* A text, number, true or false as the text that the environment would hold. False: it is none of these, or a text that
 * no variable can hold; *out NULL: no memory. */
static bool value_text(const struct json *value, char **out)
{
    const char *text = json_value_text(value);

    *out = NULL;
    switch (json_value_kind(value)) {
    case JSON_KIND_TEXT:
        if (strlen(text) != json_value_text_length(value))
            return false;
        *out = strdup(text);
        return true;
    case JSON_KIND_INT:
    case JSON_KIND_REAL:
    case JSON_KIND_BOOL:
        *out = json_value_print(value, false, 0);
        return true;
    default:
        return false;
    }
}

static bool on_setting(void *context, const char *key, const struct json *value)
{
    struct loading *loading = context;
    struct shop *shop = loading->shop;
    struct member member = {.setting = find_known(key)};

    if (member.setting == NULL) {
        problem(loading, ERR_CONFIG, "%s: %.80s is no setting of a shop", shop->name, key);
    } else if (!value_text(value, &member.value)) {
        problem(loading, ERR_CONFIG, "%s: %s is not a text, a number, true or false", shop->name, key);
    } else if (member.value == NULL ||
               mem_grow(&shop->members, &shop->capacity, shop->count + 1, sizeof member, NULL) != ERR_OK) {
        free(member.value);
        problem(loading, ERR_NO_MEMORY, "no memory for shops");
        return false;
    } else {
        shop->members[shop->count++] = member;
    }
    return true;
}

/* NULL when out of memory. */
static struct shop *add_shop(struct job_shops *shops, const char *name)
{
    struct shop *shop;

    if (mem_grow(&shops->shops, &shops->capacity, shops->count + 1, sizeof *shop, NULL) != ERR_OK)
        return NULL;
    shop = &shops->shops[shops->count];
    *shop = (struct shop){.name = strdup(name)};
    if (shop->name == NULL)
        return NULL;
    shops->count++;
    return shop;
}

static bool on_shop(void *context, const char *key, const struct json *value)
{
    struct loading *loading = context;

    if (!job_settings_is_name(key)) {
        problem(loading, ERR_CONFIG, "\"%.80s\" cannot name a shop (1 to %d of A-Z a-z 0-9 . _ -)", key,
                JOB_SETTINGS_NAME_BYTES - 1);
    } else if (json_value_kind(value) != JSON_KIND_OBJECT) {
        problem(loading, ERR_CONFIG, "%s is not a JSON object of settings", key);
    } else if (loading->shops->count == JOB_SHOPS_MAX) {
        problem(loading, ERR_CONFIG, "there are more than %d shops", JOB_SHOPS_MAX);
        return false;
    } else if ((loading->shop = add_shop(loading->shops, key)) == NULL) {
        problem(loading, ERR_NO_MEMORY, "no memory for shops");
        return false;
    } else {
        json_value_each(value, on_setting, loading);
    }
    return loading->rc != ERR_NO_MEMORY;
}

static void load_file(struct loading *loading)
{
    struct json *members = NULL;
    char *text = NULL;
    size_t length;
    struct err err;
    enum err_code rc = file_text_read(&text, &length, loading->path, JOB_SHOPS_FILE_BYTES, &err);

    if (rc == ERR_OK)
        rc = json_value_parse(&members, text, length, &err);
    if (rc != ERR_OK)
        problem(loading, rc == ERR_NO_MEMORY ? rc : ERR_CONFIG, "%s", err.message);
    else if (json_value_kind(members) != JSON_KIND_OBJECT)
        problem(loading, ERR_CONFIG, "this is not a JSON object of shops");
    else
        json_value_each(members, on_shop, loading);
    json_value_destroy(members);
    free(text);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct shop *)a)->name, ((const struct shop *)b)->name);
}

static int compare_name(const void *name, const void *shop)
{
    return strcmp(name, ((const struct shop *)shop)->name);
}

static const struct shop *find_shop(const struct job_shops *shops, const char *name)
{
    return shops->count > 0 ? bsearch(name, shops->shops, shops->count, sizeof *shops->shops, compare_name) : NULL;
}

static void sort(struct job_shops *shops)
{
    if (shops->count > 0)
        qsort(shops->shops, shops->count, sizeof *shops->shops, compare);
}

static enum err_code load(struct job_shops **out, const char *fallback, const char *path, struct env *env,
                          struct err *err)
{
    struct loading loading = {.path = path, .env = env, .err = err};

    *out = NULL;
    loading.shops = mem_zeroed(1, sizeof *loading.shops);
    if (loading.shops == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");
    if (path != NULL)
        load_file(&loading);
    sort(loading.shops);
    if (loading.rc == ERR_OK && fallback[0] != '\0' && find_shop(loading.shops, fallback) == NULL) {
        if (add_shop(loading.shops, fallback) == NULL)
            loading.rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");
        sort(loading.shops);
    }
    if (loading.rc == ERR_OK && loading.shops->count == 0)
        problem(&loading, ERR_CONFIG, "it has no shops, and API_NAMESPACE names none");
    if (loading.rc != ERR_OK) {
        job_shops_destroy(loading.shops);
        return loading.rc;
    }
    *out = loading.shops;
    return ERR_OK;
}

enum err_code job_shops_create(struct job_shops **out, const char *fallback, const char *path, struct err *err)
{
    return load(out, fallback, path, NULL, err);
}

void job_shops_open(struct job_shops **out, const char *fallback, const char *path, struct env *env)
{
    size_t before = env_problem_count(env);
    struct err err;

    if (load(out, fallback, path, env, &err) != ERR_OK && env_problem_count(env) == before)
        env_problem(env, "%s", err.message);
}

void job_shops_destroy(struct job_shops *shops)
{
    if (shops == NULL)
        return;
    for (size_t i = 0; i < shops->count; i++) {
        struct shop *shop = &shops->shops[i];

        for (size_t m = 0; m < shop->count; m++)
            free(shop->members[m].value);
        free(shop->members);
        free(shop->name);
    }
    free(shops->shops);
    free(shops);
}

bool job_shops_know(const struct job_shops *shops, const char *name)
{
    return find_shop(shops, name) != NULL;
}

size_t job_shops_count(const struct job_shops *shops)
{
    return shops->count;
}

const char *job_shops_name(const struct job_shops *shops, size_t index)
{
    return shops->shops[index].name;
}

static enum err_code override(const struct shop *shop, struct env *env, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < shop->count; i++)
        rc = env_override(env, shop->members[i].setting->name, shop->members[i].value, err);
    return rc;
}

enum err_code job_shops_apply(const struct job_shops *shops, const char *name, struct env *env, struct err *err)
{
    const struct shop *shop = find_shop(shops, name);
    enum err_code rc;

    if (shop == NULL)
        return ERR_SET(err, ERR_NOT_FOUND, "there is no shop %.80s", name);
    rc = override(shop, env, err);
    return rc == ERR_OK ? env_override(env, "API_NAMESPACE", name, err) : rc;
}

static enum err_code print_shop(const struct shop *shop, FILE *file, struct err *err)
{
    char *none[] = {NULL};
    char *prefix = str_format("# shop %s: ", shop->name);
    struct env *env = NULL;
    enum err_code rc =
        prefix != NULL ? env_create(&env, none, NULL, false, err) : ERR_SET(err, ERR_NO_MEMORY, "no memory for shops");

    if (rc == ERR_OK)
        rc = override(shop, env, err);
    for (size_t i = 0; rc == ERR_OK && i < shop->count; i++) {
        const struct known *setting = shop->members[i].setting;

        if (setting->secrecy == SECRECY_SECRET)
            (void)env_secret(env, setting->name, "");
        else if (setting->secrecy == SECRECY_URL)
            (void)env_url(env, setting->name, "");
        else
            (void)env_text(env, setting->name, "");
    }
    if (rc == ERR_OK)
        env_print_prefixed(env, prefix, file);
    env_destroy(env);
    free(prefix);
    return rc;
}

enum err_code job_shops_print(const struct job_shops *shops, FILE *file, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < shops->count; i++)
        rc = print_shop(&shops->shops[i], file, err);
    return rc;
}
