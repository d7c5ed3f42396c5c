/*
 * The settings of each shop that a worker may train: the environment's with the members of NAMESPACES_FILE over them.
 * What is wrong with them is noted in the env that they are read over, shop and setting named.
 */
#ifndef WORKER_FLEET_H
#define WORKER_FLEET_H

#include <stdio.h>

#include "common/base/env.h"
#include "worker/settings.h"

struct fleet;

/* Reads environment and file; `env` is borrowed. Fails only when out of memory: problems are in the env. */
enum err_code fleet_create(struct fleet **out, struct env *env, struct err *err) MUST_CHECK;
void fleet_destroy(struct fleet *fleet);

/* What does not depend on the shop: the rest of it is of no shop in particular. */
const struct worker_settings *fleet_settings(const struct fleet *fleet);

/* Checks every shop, or `only` that one (NULL: all; "": the default), and that no other publishes to its keys. Fails
 * only when out of memory. A shop that is not known is no problem yet. */
enum err_code fleet_check(struct fleet *fleet, const char *only, struct err *err) MUST_CHECK;

/* Asks the servers that are published to, after fleet_check of all. */
void fleet_check_targets(struct fleet *fleet);

/* The settings of a shop ("": the default), valid as long as the fleet, or until the next call. ERR_NOT_FOUND: there is
 * no such shop, or the file of shops could not be read. */
enum err_code fleet_take(struct fleet *fleet, const char *shop, const struct worker_settings **out,
                         struct err *err) MUST_CHECK;

/* NAME=value lines of the environment's, and what shops have of their own as comments; secrets masked. */
enum err_code fleet_print(const struct fleet *fleet, FILE *file, struct err *err) MUST_CHECK;

#endif
