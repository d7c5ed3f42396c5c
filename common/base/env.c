#include "common/base/env.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

enum { FILE_LIMIT_BYTES = 1 << 20 };

enum secrecy { SECRECY_PLAIN, SECRECY_SECRET, SECRECY_URL };

struct variable {
    char *name;
    char *value;
};

struct reading { /* one setting that was asked for, and what it came to */
    char *name;
    char *value; /* NULL: unset and no default */
    enum secrecy secrecy;
};

struct env {
    struct variable *variables;
    size_t variable_count;
    size_t variable_capacity;
    struct reading *readings;
    size_t reading_count;
    size_t reading_capacity;
    char **problems;
    size_t problem_count;
    size_t problem_capacity;
};

static struct variable *find_variable(const struct env *env, const char *name, size_t length)
{
    for (size_t i = 0; i < env->variable_count; i++) {
        if (strncmp(env->variables[i].name, name, length) == 0 && env->variables[i].name[length] == '\0')
            return &env->variables[i];
    }
    return NULL;
}

static enum err_code append_variable(struct env *env, const char *name, size_t name_length, const char *value,
                                     struct err *err)
{
    struct variable variable;
    enum err_code rc;

    rc = mem_grow(&env->variables, &env->variable_capacity, env->variable_count + 1, sizeof *env->variables, err);
    if (rc != ERR_OK)
        return rc;
    variable = (struct variable){.name = strndup(name, name_length), .value = strdup(value)};
    if (variable.name == NULL || variable.value == NULL) {
        free(variable.name);
        free(variable.value);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
    }
    env->variables[env->variable_count++] = variable;
    return ERR_OK;
}

/* The first value of a name wins, so the environment is added before the file. */
static enum err_code add_variable(struct env *env, const char *name, size_t name_length, const char *value,
                                  struct err *err)
{
    return find_variable(env, name, name_length) != NULL ? ERR_OK : append_variable(env, name, name_length, value, err);
}

/* Unquotes *text (a value to the end of its line) into out; false with the reason where it is malformed. */
static bool unquote(const char *text, struct str *out, const char **reason)
{
    char quote = *text;

    if (quote != '"' && quote != '\'') {
        size_t length = strcspn(text, "#");

        while (text[length] == '#' && length > 0 && !isspace((unsigned char)text[length - 1]))
            length += 1 + strcspn(text + length + 1, "#"); /* a # inside a word is part of it */
        while (length > 0 && isspace((unsigned char)text[length - 1]))
            length--;
        str_append(out, text, length);
        return true;
    }
    for (text++; *text != quote; text++) {
        if (*text == '\0') {
            *reason = "the quote is not closed";
            return false;
        }
        if (quote == '"' && *text == '\\' && text[1] != '\0') {
            text++;
            str_append_char(out, *text == 'n' ? '\n' : *text);
        } else {
            str_append_char(out, *text);
        }
    }
    text++;
    text += strspn(text, " \t");
    if (*text != '\0' && *text != '#') {
        *reason = "there is text after the closing quote";
        return false;
    }
    return true;
}

/* One line without its newline. */
static enum err_code parse_line(struct env *env, char *line, const char *path, int number, struct err *err)
{
    struct str value = {0};
    const char *reason = NULL;
    size_t name_length;
    enum err_code rc;

    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#')
        return ERR_OK;
    if (str_starts_with(line, "export "))
        line += strlen("export ") + strspn(line + strlen("export "), " \t");
    name_length = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    if (name_length == 0 || line[name_length] != '=' || isdigit((unsigned char)line[0]))
        return ERR_SET(err, ERR_CONFIG, "%s line %d: expected NAME=VALUE", path, number);
    str_append(&value, "", 0);
    if (unquote(line + name_length + 1 + strspn(line + name_length + 1, " \t"), &value, &reason))
        rc = value.failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory for settings")
                          : add_variable(env, line, name_length, value.text, err);
    else
        rc = ERR_SET(err, ERR_CONFIG, "%s line %d: %.*s: %s", path, number, (int)name_length, line, reason);
    str_fini(&value);
    return rc;
}

static enum err_code parse_file(struct env *env, FILE *file, const char *path, struct err *err)
{
    char *line = NULL;
    size_t capacity = 0;
    size_t total = 0;
    int number = 0;
    ssize_t length;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && (length = getline(&line, &capacity, file)) >= 0) {
        total += (size_t)length;
        number++;
        if (total > FILE_LIMIT_BYTES)
            rc = ERR_SET(err, ERR_CONFIG, "%s is larger than %d bytes", path, FILE_LIMIT_BYTES);
        else if (memchr(line, '\0', (size_t)length) != NULL)
            rc = ERR_SET(err, ERR_CONFIG, "%s line %d: there is a NUL byte", path, number);
        else {
            line[strcspn(line, "\r\n")] = '\0';
            rc = parse_line(env, line, path, number, err);
        }
    }
    if (rc == ERR_OK && ferror(file))
        rc = ERR_SET(err, ERR_IO, "read %s: %s", path, strerror(errno));
    free(line);
    return rc;
}

static enum err_code load_file(struct env *env, const char *path, bool required, struct err *err)
{
    FILE *file = fopen(path, "re");
    enum err_code rc;

    if (file == NULL) {
        if (errno == ENOENT && !required)
            return ERR_OK;
        return ERR_SET(err, ERR_CONFIG, "open %s: %s", path, strerror(errno));
    }
    rc = parse_file(env, file, path, err);
    (void)fclose(file);
    return rc;
}

enum err_code env_create(struct env **out, char *const *environment, const char *path, bool required, struct err *err)
{
    struct env *env = calloc(1, sizeof *env);
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (env == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
    for (; rc == ERR_OK && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');

        if (equals != NULL)
            rc = add_variable(env, *environment, (size_t)(equals - *environment), equals + 1, err);
    }
    if (rc == ERR_OK && path != NULL)
        rc = load_file(env, path, required, err);
    if (rc != ERR_OK) {
        env_destroy(env);
        return rc;
    }
    *out = env;
    return ERR_OK;
}

enum err_code env_dup(struct env **out, const struct env *env, struct err *err)
{
    struct env *copy = calloc(1, sizeof *copy);
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
    for (size_t i = 0; rc == ERR_OK && i < env->variable_count; i++) {
        const struct variable *variable = &env->variables[i];

        rc = append_variable(copy, variable->name, strlen(variable->name), variable->value, err);
    }
    if (rc != ERR_OK) {
        env_destroy(copy);
        return rc;
    }
    *out = copy;
    return ERR_OK;
}

enum err_code env_override(struct env *env, const char *name, const char *value, struct err *err)
{
    size_t length = strlen(name);
    struct variable *variable = find_variable(env, name, length);
    char *copy;

    if (variable == NULL)
        return append_variable(env, name, length, value, err);
    copy = strdup(value);
    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for settings");
    free(variable->value);
    variable->value = copy;
    return ERR_OK;
}

void env_destroy(struct env *env)
{
    if (env == NULL)
        return;
    for (size_t i = 0; i < env->variable_count; i++) {
        free(env->variables[i].name);
        free(env->variables[i].value);
    }
    for (size_t i = 0; i < env->reading_count; i++) {
        free(env->readings[i].name);
        free(env->readings[i].value);
    }
    for (size_t i = 0; i < env->problem_count; i++)
        free(env->problems[i]);
    free(env->variables);
    free(env->readings);
    free(env->problems);
    free(env);
}

/* Notes what a setting came to; a second reading of the same name replaces the first. */
static void remember(struct env *env, const char *name, const char *value, enum secrecy secrecy)
{
    struct reading *reading = NULL;

    for (size_t i = 0; i < env->reading_count && reading == NULL; i++) {
        if (strcmp(env->readings[i].name, name) == 0)
            reading = &env->readings[i];
    }
    if (reading == NULL) {
        if (mem_grow(&env->readings, &env->reading_capacity, env->reading_count + 1, sizeof *reading, NULL) != ERR_OK)
            return;
        reading = &env->readings[env->reading_count];
        *reading = (struct reading){.name = strdup(name)};
        if (reading->name == NULL)
            return;
        env->reading_count++;
    }
    free(reading->value);
    reading->value = value != NULL ? strdup(value) : NULL;
    reading->secrecy = secrecy;
}

static const char *lookup(const struct env *env, const char *name)
{
    const struct variable *variable = find_variable(env, name, strlen(name));

    return variable != NULL && variable->value[0] != '\0' ? variable->value : NULL;
}

static const char *read_text(struct env *env, const char *name, const char *fallback, enum secrecy secrecy)
{
    const char *value = lookup(env, name);

    if (value == NULL)
        value = fallback;
    remember(env, name, value, secrecy);
    return value;
}

const char *env_text(struct env *env, const char *name, const char *fallback)
{
    return read_text(env, name, fallback, SECRECY_PLAIN);
}

const char *env_secret(struct env *env, const char *name, const char *fallback)
{
    return read_text(env, name, fallback, SECRECY_SECRET);
}

const char *env_url(struct env *env, const char *name, const char *fallback)
{
    return read_text(env, name, fallback, SECRECY_URL);
}

int64_t env_int(struct env *env, const char *name, int64_t fallback, int64_t low, int64_t high)
{
    const char *text = lookup(env, name);
    int64_t value = fallback;
    char shown[24];

    if (text != NULL && (!str_to_int64(text, &value) || value < low || value > high)) {
        env_problem(env, "%s: \"%s\" is not a whole number from %lld to %lld", name, text, (long long)low,
                    (long long)high);
        value = fallback;
    }
    (void)snprintf(shown, sizeof shown, "%lld", (long long)value);
    remember(env, name, shown, SECRECY_PLAIN);
    return value;
}

double env_double(struct env *env, const char *name, double fallback, double low, double high)
{
    const char *text = lookup(env, name);
    double value = fallback;
    char shown[32];

    if (text != NULL && (!str_to_double(text, &value) || value < low || value > high)) {
        env_problem(env, "%s: \"%s\" is not a number from %g to %g", name, text, low, high);
        value = fallback;
    }
    (void)snprintf(shown, sizeof shown, "%.10g", value);
    remember(env, name, shown, SECRECY_PLAIN);
    return value;
}

bool env_bool(struct env *env, const char *name, bool fallback)
{
    const char *text = lookup(env, name);
    bool value = fallback;

    if (text != NULL && !str_to_bool(text, &value)) {
        env_problem(env, "%s: \"%s\" is neither true nor false", name, text);
        value = fallback;
    }
    remember(env, name, value ? "true" : "false", SECRECY_PLAIN);
    return value;
}

int env_choice(struct env *env, const char *name, const char *const *choices, int fallback)
{
    const char *text = lookup(env, name);
    struct str expected = {0};
    int found = -1;

    for (int i = 0; text != NULL && choices[i] != NULL && found < 0; i++) {
        if (strcasecmp(text, choices[i]) == 0)
            found = i;
    }
    if (text != NULL && found < 0) {
        for (int i = 0; choices[i] != NULL; i++)
            str_append_format(&expected, "%s%s", i > 0 ? ", " : "", choices[i]);
        env_problem(env, "%s: \"%s\" is none of %s", name, text, expected.failed ? "its values" : expected.text);
        str_fini(&expected);
    }
    if (found < 0)
        found = fallback;
    remember(env, name, choices[found], SECRECY_PLAIN);
    return found;
}

bool env_is_set(const struct env *env, const char *name)
{
    return lookup(env, name) != NULL;
}

bool env_is_blank(const struct env *env, const char *name)
{
    const struct variable *variable = find_variable(env, name, strlen(name));

    return variable != NULL && variable->value[0] == '\0';
}

void env_problem(struct env *env, const char *format, ...)
{
    char problem[ERR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    if (mem_grow(&env->problems, &env->problem_capacity, env->problem_count + 1, sizeof *env->problems, NULL) != ERR_OK)
        return;
    env->problems[env->problem_count] = strdup(problem);
    if (env->problems[env->problem_count] != NULL)
        env->problem_count++;
}

size_t env_problem_count(const struct env *env)
{
    return env->problem_count;
}

const char *env_problem_at(const struct env *env, size_t index)
{
    return env->problems[index];
}

/* scheme://user:password@rest with the password masked */
static void print_url(const char *url, FILE *file)
{
    const char *authority = strstr(url, "://");
    const char *at = authority != NULL ? strrchr(authority, '@') : NULL;
    const char *colon = authority != NULL ? strchr(authority + 3, ':') : NULL;

    if (at == NULL || colon == NULL || colon > at)
        (void)fputs(url, file);
    else
        (void)fprintf(file, "%.*s:****%s", (int)(colon - url), url, at);
}

void env_print(const struct env *env, FILE *file)
{
    env_print_prefixed(env, "", file);
}

void env_print_prefixed(const struct env *env, const char *prefix, FILE *file)
{
    for (size_t i = 0; i < env->reading_count; i++) {
        const struct reading *reading = &env->readings[i];

        (void)fprintf(file, "%s%s=", prefix, reading->name);
        if (reading->value != NULL && reading->secrecy == SECRECY_URL)
            print_url(reading->value, file);
        else if (reading->value != NULL)
            (void)fputs(reading->secrecy == SECRECY_SECRET && reading->value[0] != '\0' ? "****" : reading->value,
                        file);
        (void)fputc('\n', file);
    }
}
