/*
 * The shops (namespaces) that jobs may be for: the one of API_NAMESPACE, or those of NAMESPACES_FILE.
 */
#ifndef GATEWAY_SHOPS_H
#define GATEWAY_SHOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { SHOPS_FILE_BYTES = 16 * 1024 * 1024 };

struct shops;

/* `shop` is known always. `path` (NULL: none) is a JSON object whose members are named as the shops are; what they hold
 * is the workers' business. */
enum err_code shops_create(struct shops **out, const char *shop, const char *path, struct err *err) MUST_CHECK;
void shops_destroy(struct shops *shops);

bool shops_know(const struct shops *shops, const char *name);
size_t shops_count(const struct shops *shops);

#endif
