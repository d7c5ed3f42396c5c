/*
 * Settings: environment variables over a .env file. Each read states name, default and limits; what is wrong is
 * collected, so that a program reports all its problems at once (exit 78), and what was read can be printed with
 * secrets masked. Texts live as long as the env.
 */
#ifndef COMMON_BASE_ENV_H
#define COMMON_BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

enum { ENV_EXIT_CONFIG = 78 }; /* EX_CONFIG of sysexits.h */

struct env;

/*
 * `environment` is a NULL-ended list of NAME=VALUE (pass `environ`; copied). `path` names a .env file: NULL for none.
 * A file that is missing is an error only when `required`. A malformed line is an error that names file and line.
 * .env syntax: NAME=VALUE, `export ` before it allowed, # comments, 'single' (literal) or "double" (\n \" \\) quotes.
 */
enum err_code env_create(struct env **out, char *const *environment, const char *path, bool required,
                         struct err *err) MUST_CHECK;
void env_destroy(struct env *env);

/* An env of the same variables, of which nothing was read yet. */
enum err_code env_dup(struct env **out, const struct env *env, struct err *err) MUST_CHECK;

/* Puts a value over that of the environment and the file. Texts of that name given out before are gone. */
enum err_code env_override(struct env *env, const char *name, const char *value, struct err *err) MUST_CHECK;

/* The value, or `fallback` (NULL allowed) where the name is unset or empty. Remembered for env_print. */
const char *env_text(struct env *env, const char *name, const char *fallback);

/* The same, masked by env_print: keys, tokens, passwords. */
const char *env_secret(struct env *env, const char *name, const char *fallback);

/* The same for a URL: env_print masks its password. */
const char *env_url(struct env *env, const char *name, const char *fallback);

/* Numbers within [low, high]; anything else is a problem, and the fallback is returned. */
int64_t env_int(struct env *env, const char *name, int64_t fallback, int64_t low, int64_t high);
double env_double(struct env *env, const char *name, double fallback, double low, double high);
bool env_bool(struct env *env, const char *name, bool fallback);

/* The index in `choices` (NULL-ended) of the value; anything else is a problem, and `fallback` is returned. */
int env_choice(struct env *env, const char *name, const char *const *choices, int fallback);

/* Whether the name is set to a non-empty value (not remembered). */
bool env_is_set(const struct env *env, const char *name);

/* Whether the name is set, to nothing: what all else takes as unset. */
bool env_is_blank(const struct env *env, const char *name);

/* Adds a problem: "NAME: …". */
void env_problem(struct env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t env_problem_count(const struct env *env);
const char *env_problem_at(const struct env *env, size_t index);

/* NAME=value lines of all that was read, in that order; secrets as "****". */
void env_print(const struct env *env, FILE *file);

/* The same, each line after `prefix`. */
void env_print_prefixed(const struct env *env, const char *prefix, FILE *file);

#endif
