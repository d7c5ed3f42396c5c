/*
 * Where all shops of a fleet publish, and whether any two could write the same keys.
 */
#ifndef WORKER_TARGETS_H
#define WORKER_TARGETS_H

#include "common/base/env.h"
#include "worker/settings.h"

struct targets;

enum err_code targets_create(struct targets **out, struct err *err) MUST_CHECK;
void targets_destroy(struct targets *targets);

/* Adds the targets of a shop. */
enum err_code targets_add(struct targets *targets, const char *shop, const struct worker_settings *settings,
                          struct err *err) MUST_CHECK;

/* Notes each two targets of different shops that share keys; `only` (NULL: all): of which one is that shop's. */
void targets_note_collisions(struct targets *targets, const char *only, struct env *env);

/* Asks each server once: one that cannot be published to for good is a problem, one that is away may come back. */
void targets_note_unusable(struct targets *targets, struct env *env);

#endif
