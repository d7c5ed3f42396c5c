/*
 * Texts interned to dense indices 0, 1, 2 … in order of first appearance. Texts may hold any bytes but NUL.
 */
#ifndef WORKER_PIPELINE_ID_TABLE_H
#define WORKER_PIPELINE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct id_table;

struct id_text {
    const char *text;
    size_t length;
};

enum err_code id_table_create(struct id_table **out, struct err *err) MUST_CHECK;
void id_table_destroy(struct id_table *table);

/* The index of the text, added when new. */
enum err_code id_table_intern(struct id_table *table, const char *text, size_t length, uint32_t *index,
                              struct err *err) MUST_CHECK;

/* The same for each of `count` texts; the faster way into a large table, as the memory for many of them is fetched side
 * by side. After an error the first few may have been added. */
enum err_code id_table_intern_many(struct id_table *table, const struct id_text *texts, size_t count, uint32_t *indices,
                                   struct err *err) MUST_CHECK;
bool id_table_find(const struct id_table *table, const char *text, size_t length, uint32_t *index);
size_t id_table_count(const struct id_table *table);

/* Terminated; valid until the next intern. */
const char *id_table_text(const struct id_table *table, uint32_t index);

#endif
