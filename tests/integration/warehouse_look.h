/*
 * A test's own look at a warehouse in MongoDB. Every failure fails the cmocka test.
 */
#ifndef TESTS_INTEGRATION_WAREHOUSE_LOOK_H
#define TESTS_INTEGRATION_WAREHOUSE_LOOK_H

#include <mongoc/mongoc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct warehouse_look {
    mongoc_client_t *client;
    mongoc_database_t *database;
};

void warehouse_look_open(struct warehouse_look *look, const char *url);
void warehouse_look_close(struct warehouse_look *look);

/* Documents of a collection that the filter (JSON) finds; 0 where there is no such collection. */
int64_t warehouse_look_count(const struct warehouse_look *look, const char *collection, const char *filter);

/* Whether there is a collection whose name begins so. */
bool warehouse_look_has(const struct warehouse_look *look, const char *prefix);

/* Whether there is an index with that name. */
bool warehouse_look_has_index(const struct warehouse_look *look, const char *collection, const char *index);

/* Sends a command (JSON) that must succeed. */
void warehouse_look_command(const struct warehouse_look *look, const char *command);

#endif
