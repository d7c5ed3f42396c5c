/* API_KEYS_FILE: whatever it holds, a key that is not in it opens nothing. */
#include <string.h>

#include "gateway/api_keys.h"
#include "tests/fuzz/fuzz_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_keys *keys = NULL;
    struct err err = {0};
    unsigned scopes = 0;
    const char *name;

    if (api_keys_create(&keys, NULL, fuzz_file(data, size), &err) != ERR_OK) {
        FUZZ_CHECK(keys == NULL && err.message[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(api_keys_count(keys) > 0 && api_keys_count(keys) <= API_KEYS_MAX);
    name = api_keys_find(keys, "secret", &scopes); /* one of the corpus has its digest */
    FUZZ_CHECK(name == NULL || (strlen(name) < API_KEYS_NAME_BYTES && (scopes & ~(unsigned)API_SCOPE_ALL) == 0));
    FUZZ_CHECK(api_keys_find(keys, "", &scopes) == NULL);
    api_keys_destroy(keys);
    return 0;
}
