#include "common/net/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>

#include "common/base/str.h"

static _Atomic(EVP_MD *) fetched; /* by whoever was first; stays */

/* With EVP_sha256() alone each digest looks for its implementation, which takes longer than a short text's digest. */
static const EVP_MD *sha256(void)
{
    EVP_MD *own = atomic_load(&fetched);
    EVP_MD *first = NULL;

    if (own != NULL)
        return own;
    own = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (own == NULL)
        return EVP_sha256();
    if (atomic_compare_exchange_strong(&fetched, &first, own))
        return own;
    EVP_MD_free(own);
    return first;
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
