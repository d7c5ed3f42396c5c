/*
 * Who may do what: named keys with scopes, kept as SHA-256 and compared in constant time. The key itself is never kept.
 */
#ifndef GATEWAY_API_KEYS_H
#define GATEWAY_API_KEYS_H

#include <stddef.h>

#include "common/base/err.h"

enum { API_KEYS_NAME_BYTES = 64, API_KEYS_MAX = 1024, API_KEYS_FILE_BYTES = 1024 * 1024 };

enum { API_SCOPE_NONE = 0, API_SCOPE_SUBMIT = 1, API_SCOPE_READ = 2, API_SCOPE_ADMIN = 4, API_SCOPE_ALL = 7 };

struct api_keys;

/*
 * `key` (NULL: none) is one key named "default" with all scopes. `path` (NULL: none) is a JSON file
 * [{"name": "scheduler", "sha256": "<64 hexadecimal digits>", "scopes": ["submit", "read", "admin"]}, …].
 * ERR_CONFIG where neither gives a key, or with what is wrong in the file.
 */
enum err_code api_keys_create(struct api_keys **out, const char *key, const char *path, struct err *err) MUST_CHECK;
void api_keys_destroy(struct api_keys *keys);

size_t api_keys_count(const struct api_keys *keys);

/* The name of the key that was presented and *scopes, or NULL. Its time does not tell which keys exist. */
const char *api_keys_find(const struct api_keys *keys, const char *presented, unsigned *scopes);

#endif
