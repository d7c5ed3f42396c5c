#include "common/net/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "common/base/str.h"

static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;
static const EVP_MD *fetched; /* NULL: there was no memory for it */

static void fetch(void)
{
    fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* With EVP_sha256() alone each digest looks for its implementation, which takes longer than a short text's digest. */
static const EVP_MD *sha256(void)
{
    (void)pthread_once(&fetched_once, fetch);
    return fetched != NULL ? fetched : EVP_sha256();
}

enum err_code hash_sha256(const void *bytes, size_t length, unsigned char out[HASH_SHA256_BYTES])
{
    return EVP_Digest(bytes, length, out, NULL, sha256(), NULL) == 1 ? ERR_OK : ERR_INTERNAL;
}

enum err_code hash_sha256_hex(const void *bytes, size_t length, char out[HASH_SHA256_HEX_BYTES])
{
    unsigned char digest[HASH_SHA256_BYTES];
    enum err_code rc = hash_sha256(bytes, length, digest);

    out[0] = '\0';
    if (rc == ERR_OK)
        str_hex(out, digest, sizeof digest);
    return rc;
}

bool hash_equal(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}
