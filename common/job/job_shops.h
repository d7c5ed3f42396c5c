/*
 * The shops (namespaces) of a fleet: the one of API_NAMESPACE, and those of NAMESPACES_FILE, a JSON object
 *   {"shop-a": {"API_URL": "https://…", "BEARER_TOKEN": "…", "HOMEPAGE_KEY_PREFIX": "a:", "ALS_PROFILE": "service"}, …}
 * A shop's members are settings by their own names, and win over the environment's for jobs of that shop. Only settings
 * that make sense by shop may be there (CMS, targets and prefixes, TTLs, weights, outliers, ALS_*, mail addresses,
 * samples).
 */
#ifndef COMMON_JOB_JOB_SHOPS_H
#define COMMON_JOB_JOB_SHOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/env.h"
#include "common/base/err.h"

enum { JOB_SHOPS_FILE_BYTES = 16 * 1024 * 1024, JOB_SHOPS_MAX = 10000 };

struct job_shops;

/* `fallback` is the shop of a job that names none, known whether a file (`path` not NULL) has it or not; "": with a
 * file there need be none. ERR_CONFIG names the file, the shop and the member that is wrong: unknown, of a wrong kind,
 * or a bad name of a shop. */
enum err_code job_shops_create(struct job_shops **out, const char *fallback, const char *path,
                               struct err *err) MUST_CHECK;

/* The same at a program's start: every problem is noted in the env, and then *out is NULL. */
void job_shops_open(struct job_shops **out, const char *fallback, const char *path, struct env *env);
void job_shops_destroy(struct job_shops *shops);

bool job_shops_know(const struct job_shops *shops, const char *name);
size_t job_shops_count(const struct job_shops *shops);
const char *job_shops_name(const struct job_shops *shops, size_t index); /* sorted */

/* Puts a shop's members over the env, API_NAMESPACE among them, so that settings read from it are the shop's.
 * ERR_NOT_FOUND: there is no such shop. */
enum err_code job_shops_apply(const struct job_shops *shops, const char *name, struct env *env,
                              struct err *err) MUST_CHECK;

/* "# shop NAME: SETTING=value" lines of all members, secrets masked. */
enum err_code job_shops_print(const struct job_shops *shops, FILE *file, struct err *err) MUST_CHECK;

#endif
