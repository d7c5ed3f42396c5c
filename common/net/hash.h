/*
 * SHA-256, and comparing in constant time. Wraps OpenSSL's libcrypto.
 */
#ifndef COMMON_NET_HASH_H
#define COMMON_NET_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { HASH_SHA256_BYTES = 32, HASH_SHA256_HEX_BYTES = 65 }; /* the text with its terminator */

enum err_code hash_sha256(const void *bytes, size_t length, unsigned char out[HASH_SHA256_BYTES]) MUST_CHECK;

/* The same as lower-case hexadecimal text. */
enum err_code hash_sha256_hex(const void *bytes, size_t length, char out[HASH_SHA256_HEX_BYTES]) MUST_CHECK;

/* Whether both are equal, in a time that depends on `length` alone. */
bool hash_equal(const void *a, const void *b, size_t length);

#endif
