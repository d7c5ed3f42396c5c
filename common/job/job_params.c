#include "common/job/job_params.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

enum {
    TRAINING = 1u << JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
    CROSS_SELL = 1u << JOB_CROSS_SELL,
    SEARCH = 1u << JOB_HYPERPARAMETER_SEARCH,
    WAREHOUSE = 1u << JOB_WAREHOUSE,
    MODEL = TRAINING | SEARCH,
    ALL = TRAINING | CROSS_SELL | SEARCH | WAREHOUSE,
    GRID = SEARCH << JOB_PARAM_LISTS /* a search tries every value of a list */
};

static const char *const profiles[] = {"quality", "service", NULL};
static const char *const solvers[] = {"exact", "cg", "cholesky", NULL};
static const char *const scalings[] = {"none", "frequency", NULL};
static const char *const accelerations[] = {"off", "on", NULL};
static const char *const repeat_decays[] = {"sum", "each", NULL};
static const char *const counts[] = {"rows", "activities", NULL};
static const char *const precisions[] = {"fp32", "tf32", "fp16", NULL};
static const char *const validations[] = {"time", "random", "last_out", NULL};
static const char *const bm25_places[] = {"after", "before", NULL};

static const double year_9999_s = 253402300799.0;

/* name, kind, low, high, choices, types, default, setting, meaning */
static const struct job_param table[] = {
    {"namespace", JOB_PARAM_TEXT, 1, 63, NULL, ALL, "the one shop", "API_NAMESPACE", "the shop"},
    {"profile", JOB_PARAM_CHOICE, 0, 0, profiles, MODEL, "quality", "ALS_PROFILE",
     "defaults of solver, regularization and iterations"},
    {"solver", JOB_PARAM_CHOICE, 0, 0, solvers, MODEL | GRID, "exact", "ALS_SOLVER", "how a half-sweep is solved"},
    {"factors", JOB_PARAM_INT, 1, 4096, NULL, MODEL | GRID, "800", "ALS_FACTORS", "length of a factor vector"},
    {"regularization", JOB_PARAM_REAL, 0, 1e9, NULL, MODEL | GRID, "30", "ALS_REGULARIZATION", "lambda"},
    {"regularization_scaling", JOB_PARAM_CHOICE, 0, 0, scalings, MODEL, "none", NULL,
     "frequency: lambda of a row times its entries + the other side's rows / alpha (iALS)"},
    {"alpha", JOB_PARAM_REAL, 0, 1e9, NULL, MODEL | GRID, "800", "ALS_ALPHA", "confidence = alpha * value"},
    {"iterations", JOB_PARAM_INT, 1, 1000, NULL, MODEL | GRID, "8", "ALS_ITERATIONS", "sweeps over users and products"},
    {"tolerance", JOB_PARAM_REAL, 0, 0.5, NULL, MODEL, "0", NULL,
     "the training ends when a sweep lowers the loss by less than this share; 0: never"},
    {"acceleration", JOB_PARAM_CHOICE, 0, 0, accelerations, MODEL, "off", NULL,
     "on: fewer iterations to a loss, by momentum; not with solver cg, nor on a GPU"},
    {"cg_steps", JOB_PARAM_INT, 1, 100, NULL, MODEL, "3", NULL, "conjugate gradient steps a row of solver cg"},
    {"seed", JOB_PARAM_INT, 0, 9007199254740991.0, NULL, MODEL, "42", "ALS_SEED", "of the random start"},
    {"precision", JOB_PARAM_CHOICE, 0, 0, precisions, MODEL, "fp32", NULL,
     "of products of matrices on a GPU; a CPU computes in fp32"},
    {"warm_start", JOB_PARAM_BOOL, 0, 0, NULL, MODEL, "true", NULL,
     "begin with the factors of the last run where such are kept; in a search: of fewer iterations"},
    {"params_from", JOB_PARAM_TEXT, 26, 26, NULL, TRAINING, "none", NULL,
     "the best of the search with this id, where not given here"},
    {"now", JOB_PARAM_INT, 0, year_9999_s, NULL, ALL, "the job's start", NULL, "unix seconds; for tests and backfills"},
    {"window_days", JOB_PARAM_INT, 0, 36500, NULL, ALL, "365", "INTERACTIONS_WINDOW_DAYS",
     "age of the oldest interactions; 0: all"},
    {"interaction_decay_scale", JOB_PARAM_REAL, 1e-3, 1e6, NULL, MODEL, "25", "INTERACTION_DECAY_SCALE",
     "days in which an interaction fades to 1/e"},
    {"repeat_decay", JOB_PARAM_CHOICE, 0, 0, repeat_decays, MODEL, "sum", NULL,
     "what repetition fades: the pair's sum, or each further row"},
    {"repeat_decay_factor", JOB_PARAM_REAL, 0, 1, NULL, MODEL, "0.8", "INTERACTION_REPEAT_DECAY_FACTOR",
     "factor of each repetition"},
    {"min_user_interactions", JOB_PARAM_INT, 1, 1000000, NULL, MODEL | CROSS_SELL, "3", NULL,
     "users with fewer are left out"},
    {"min_product_interactions", JOB_PARAM_INT, 1, 1000000, NULL, MODEL | CROSS_SELL, "5", NULL,
     "products with fewer are left out"},
    {"bm25_k1", JOB_PARAM_REAL, 0, 1000, NULL, MODEL, "1.2", NULL, "BM25 saturation"},
    {"bm25_b", JOB_PARAM_REAL, 0, 1, NULL, MODEL, "0.3", NULL, "BM25 length normalization"},
    {"validation", JOB_PARAM_CHOICE, 0, 0, validations, SEARCH, "time", NULL,
     "what is foretold: the newest days, a random fifth, or each user's last product"},
    {"test_days", JOB_PARAM_INT, 1, 365, NULL, SEARCH, "14", NULL, "the newest days of validation time"},
    {"bm25", JOB_PARAM_CHOICE, 0, 0, bm25_places, SEARCH, "after", NULL,
     "after the split, or before it, with what is to be foretold (random and last_out)"},
    {"max_combinations", JOB_PARAM_INT, 1, 1000, NULL, SEARCH, "30", NULL,
     "of a larger grid as many are drawn, and the point of the settings is among them"},
    {"search_seed", JOB_PARAM_INT, 0, 9007199254740991.0, NULL, SEARCH, "123", NULL,
     "of the draw and of the random split"},
    {"recommendations", JOB_PARAM_INT, 1, 1000, NULL, TRAINING, "18", NULL, "products of a customer's list"},
    {"similar_products", JOB_PARAM_INT, 1, 1000, NULL, TRAINING, "10", NULL, "products of a list of similar ones"},
    {"similar_floor", JOB_PARAM_REAL, -1, 1, NULL, TRAINING, "0.3", NULL, "least cosine of similar products"},
    {"session_hours", JOB_PARAM_REAL, 0.01, 8760, NULL, CROSS_SELL, "12", NULL,
     "what one user looks at within them belongs together"},
    {"minimum_weight", JOB_PARAM_REAL, 0, 1e9, NULL, CROSS_SELL, "0.1", NULL, "pairs of less weight are left out"},
    {"cross_sell_limit", JOB_PARAM_INT, 1, 1000, NULL, CROSS_SELL, "18", NULL, "products of a product's list"},
    {"outlier_max_per_day", JOB_PARAM_INT, 0, 1000000000, NULL, ALL, "150", "OUTLIER_MAX_PER_DAY",
     "users with more in one UTC day are left out; 0: off"},
    {"outlier_max_per_minute", JOB_PARAM_INT, 0, 1000000000, NULL, ALL, "0", "OUTLIER_MAX_PER_MINUTE",
     "the same in one UTC minute; 0: off"},
    {"outlier_max_products_per_session", JOB_PARAM_INT, 0, 1000000000, NULL, ALL, "0",
     "OUTLIER_MAX_PRODUCTS_PER_SESSION", "different products in one session; 0: off"},
    {"outlier_regular_gaps", JOB_PARAM_BOOL, 0, 0, NULL, ALL, "false", "OUTLIER_REGULAR_GAPS",
     "leave out users who act like a timer"},
    {"outlier_count", JOB_PARAM_CHOICE, 0, 0, counts, ALL, "rows", "OUTLIER_COUNT", "what the rules count"},
    {"publish", JOB_PARAM_BOOL, 0, 0, NULL, TRAINING | CROSS_SELL, "true", NULL, "false: a dry run"},
    {"force", JOB_PARAM_BOOL, 0, 0, NULL, TRAINING | CROSS_SELL, "false", NULL, "publish against the guard"},
};

enum { TABLE_SIZE = sizeof table / sizeof table[0] };

const struct job_param *job_params_table(size_t *count)
{
    *count = TABLE_SIZE;
    return table;
}

const struct job_param *job_params_find(enum job_type type, const char *name)
{
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (strcmp(table[i].name, name) == 0)
            return (table[i].types >> type & 1u) != 0 ? &table[i] : NULL;
    }
    return NULL;
}

static enum err_code check_choice(const struct job_param *param, const char *text, struct err *err)
{
    struct str expected = {0};
    enum err_code rc;

    for (size_t i = 0; param->choices[i] != NULL; i++) {
        if (text != NULL && strcmp(text, param->choices[i]) == 0) {
            str_fini(&expected);
            return ERR_OK;
        }
        str_append_format(&expected, "%s%s", i > 0 ? ", " : "", param->choices[i]);
    }
    rc = ERR_SET(err, ERR_ARGUMENT, "parameter %s must be one of %s", param->name,
                 expected.failed ? "its choices" : expected.text);
    str_fini(&expected);
    return rc;
}

static enum err_code check_number(const struct job_param *param, const struct json *value, struct err *err)
{
    bool is_int = param->kind == JOB_PARAM_INT;
    int64_t integer;
    double real;

    if ((is_int && !json_value_to_int64(value, &integer)) || !json_value_to_double(value, &real) ||
        !(real >= param->low && real <= param->high))
        return ERR_SET(err, ERR_ARGUMENT, "parameter %s must be %s from %.16g to %.16g%s", param->name,
                       is_int ? "a whole number" : "a number", param->low, param->high,
                       json_value_kind(value) == JSON_KIND_TEXT ? ", not a text" : "");
    return ERR_OK;
}

static enum err_code check_text(const struct job_param *param, const struct json *value, struct err *err)
{
    const char *text = json_value_text(value);

    if (text != NULL && strlen(text) >= (size_t)param->low && strlen(text) <= (size_t)param->high &&
        strlen(text) == json_value_text_length(value))
        return ERR_OK;
    if (param->low == param->high)
        return ERR_SET(err, ERR_ARGUMENT, "parameter %s must be a text of %.0f bytes", param->name, param->low);
    return ERR_SET(err, ERR_ARGUMENT, "parameter %s must be a text of %.0f to %.0f bytes", param->name, param->low,
                   param->high);
}

static enum err_code check_value(const struct job_param *param, const struct json *value, struct err *err)
{
    const char *text = json_value_text(value);
    bool truth;

    switch (param->kind) {
    case JOB_PARAM_INT:
    case JOB_PARAM_REAL:
        return check_number(param, value, err);
    case JOB_PARAM_BOOL:
        return json_value_to_bool(value, &truth)
                   ? ERR_OK
                   : ERR_SET(err, ERR_ARGUMENT, "parameter %s must be true or false", param->name);
    case JOB_PARAM_CHOICE:
        return check_choice(param, text, err);
    case JOB_PARAM_TEXT:
    default:
        return check_text(param, value, err);
    }
}

bool job_param_takes_list(const struct job_param *param, enum job_type type)
{
    return (param->types >> (JOB_PARAM_LISTS + (unsigned)type) & 1u) != 0;
}

static bool is_same(const struct json *left, const struct json *right)
{
    double a;
    double b;

    if (json_value_text(left) != NULL)
        return strcmp(json_value_text(left), json_value_text(right)) == 0;
    return json_value_to_double(left, &a) && json_value_to_double(right, &b) && a == b;
}

static enum err_code check_list(const struct job_param *param, const struct json *list, struct err *err)
{
    size_t count = json_value_count(list);

    if (count < 1 || count > JOB_PARAM_MOST_VALUES)
        return ERR_SET(err, ERR_ARGUMENT, "parameter %s: a list has 1 to %d values, not %zu", param->name,
                       JOB_PARAM_MOST_VALUES, count);
    for (size_t i = 0; i < count; i++) {
        enum err_code rc = check_value(param, json_value_at(list, i), err);

        if (rc != ERR_OK)
            return rc;
        for (size_t j = 0; j < i; j++) {
            if (is_same(json_value_at(list, i), json_value_at(list, j)))
                return ERR_SET(err, ERR_ARGUMENT, "parameter %s: values %zu and %zu are the same", param->name, j + 1,
                               i + 1);
        }
    }
    return ERR_OK;
}

static enum err_code check_param(const struct job_param *param, enum job_type type, const struct json *value,
                                 struct err *err)
{
    return json_value_kind(value) == JSON_KIND_ARRAY && job_param_takes_list(param, type)
               ? check_list(param, value, err)
               : check_value(param, value, err);
}

struct check {
    enum job_type type;
    enum err_code rc;
    struct err *err;
};

static bool check_member(void *context, const char *name, const struct json *value)
{
    struct check *check = context;
    const struct job_param *param = job_params_find(check->type, name);

    if (param == NULL)
        check->rc = ERR_SET(check->err, ERR_ARGUMENT, "a job of type %s has no parameter \"%.64s\"",
                            job_type_name(check->type), name);
    else
        check->rc = check_param(param, check->type, value, check->err);
    return check->rc == ERR_OK;
}

/* What has a meaning with some validations only. */
static enum err_code check_validation(const struct json *params, struct err *err)
{
    const char *validation = json_value_get_text(params, "validation");
    const char *bm25 = json_value_get_text(params, "bm25");
    bool by_time = validation == NULL || strcmp(validation, "time") == 0;

    if (by_time && bm25 != NULL && strcmp(bm25, "before") == 0)
        return ERR_SET(err, ERR_ARGUMENT,
                       "parameter bm25: validation time weighs what was before the cut, so there is no before; it goes "
                       "with validation random or last_out");
    if (!by_time && json_value_get(params, "test_days") != NULL)
        return ERR_SET(err, ERR_ARGUMENT, "parameter test_days goes with validation time, not %s", validation);
    return ERR_OK;
}

enum err_code job_params_check(enum job_type type, const struct json *params, struct err *err)
{
    struct check check = {.type = type, .rc = ERR_OK, .err = err};

    if (json_value_kind(params) == JSON_KIND_NULL)
        return ERR_OK;
    if (json_value_kind(params) != JSON_KIND_OBJECT)
        return ERR_SET(err, ERR_ARGUMENT, "params must be an object");
    json_value_each(params, check_member, &check);
    if (check.rc == ERR_OK && type == JOB_HYPERPARAMETER_SEARCH)
        check.rc = check_validation(params, err);
    return check.rc;
}

/* The JSON value that `text` stands for; false when it stands for none of that kind. */
static bool value_of_text(struct json **out, const struct job_param *param, const char *text)
{
    int64_t integer = 0;
    double real = 0;
    bool truth = false;
    bool ok = true;

    *out = NULL;
    switch (param->kind) {
    case JOB_PARAM_INT:
        ok = str_to_int64(text, &integer);
        *out = ok ? json_value_new_int(integer) : NULL;
        break;
    case JOB_PARAM_REAL:
        ok = str_to_double(text, &real);
        *out = ok ? json_value_new_real(real) : NULL;
        break;
    case JOB_PARAM_BOOL:
        ok = str_to_bool(text, &truth);
        *out = ok ? json_value_new_bool(truth) : NULL;
        break;
    case JOB_PARAM_CHOICE:
    case JOB_PARAM_TEXT:
    default:
        *out = json_value_new_text(text);
        break;
    }
    return ok;
}

/* "64,128": an array of as many values; false where one of them is none. */
static bool list_of_text(struct json **out, const struct job_param *param, const char *text)
{
    bool ok = true;

    *out = json_value_new_array();
    while (ok && *out != NULL) {
        size_t length = strcspn(text, ",");
        char *piece = strndup(text, length);
        struct json *value = NULL;

        ok = piece == NULL || value_of_text(&value, param, piece);
        free(piece);
        if (!ok || !json_value_append(*out, value)) {
            json_value_destroy(*out);
            *out = NULL;
        }
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    return ok;
}

enum err_code job_params_set_text(struct json *params, enum job_type type, const char *name, const char *text,
                                  struct err *err)
{
    const struct job_param *param = job_params_find(type, name);
    struct json *value;
    enum err_code rc;

    if (param == NULL)
        return ERR_SET(err, ERR_ARGUMENT, "a job of type %s has no parameter \"%.64s\"", job_type_name(type), name);
    if ((job_param_takes_list(param, type) && strchr(text, ',') != NULL ? list_of_text(&value, param, text)
                                                                        : value_of_text(&value, param, text)) &&
        value == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a parameter");
    rc = check_param(param, type, value, err);
    if (rc != ERR_OK) {
        json_value_destroy(value);
        return rc;
    }
    return json_value_set(params, name, value) ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a parameter");
}
