#include "worker/pipeline/search_identity.h"

#include "common/base/str.h"
#include "common/net/hash.h"

_Static_assert((int)SEARCH_IDENTITY_BYTES == (int)HASH_SHA256_HEX_BYTES, "it is a SHA-256");

static bool append_digest(struct str *out, const void *bytes, size_t length)
{
    char digest[HASH_SHA256_HEX_BYTES];

    if (hash_sha256_hex(bytes, length, digest) != ERR_OK)
        return false;
    str_append_format(out, " %s", digest);
    return true;
}

static bool append_csr(struct str *out, const struct csr *csr)
{
    size_t nonzeros = csr_nonzeros(csr);

    str_append_format(out, "\n%zu x %zu", csr->rows, csr->cols);
    return append_digest(out, csr->offsets, (csr->rows + 1) * sizeof *csr->offsets) &&
           append_digest(out, csr->columns, nonzeros * sizeof *csr->columns) &&
           append_digest(out, csr->values, nonzeros * sizeof *csr->values);
}

enum err_code search_identity(char out[SEARCH_IDENTITY_BYTES], const struct holdout *holdout,
                              const struct als_params *als, struct err *err)
{
    struct str text = {0};
    bool made;

    str_append_format(&text, "seed %llu, scaling %d, cg_steps %d, tolerance %.17g, precision %d",
                      (unsigned long long)als->seed, (int)als->regularization_scaling, als->cg_steps, als->tolerance,
                      (int)als->precision);
    if (als->acceleration)
        str_append_format(&text, ", accelerated");
    made = append_csr(&text, &holdout->train.values) && append_csr(&text, &holdout->test) &&
           append_digest(&text, holdout->user, holdout->users * sizeof *holdout->user) && !text.failed &&
           hash_sha256_hex(text.text, text.length, out) == ERR_OK;
    str_fini(&text);
    return made ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory to tell these data from others");
}
