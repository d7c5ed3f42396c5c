/* The cache's marker: what is read is written so that it is read again. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/pipeline/cache_marker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache_marker marker;
    struct cache_marker again;
    struct err err = {0};
    char *text = NULL;
    enum err_code rc = cache_marker_parse(&marker, (const char *)data, size, &err);

    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_FORMAT && err.message[0] != '\0'));
    if (rc != ERR_OK)
        return 0;
    FUZZ_CHECK(marker.count <= CACHE_MARKER_VERSIONS);
    FUZZ_CHECK(cache_marker_print(&marker, &text, &err) == ERR_OK);
    FUZZ_CHECK(cache_marker_parse(&again, text, strlen(text), &err) == ERR_OK);
    FUZZ_CHECK(again.count == marker.count && strcmp(again.identity, marker.identity) == 0);
    cache_marker_fini(&again);
    cache_marker_fini(&marker);
    free(text);
    return 0;
}
