/* Two Redis URLs, a line each. */
#include <stdlib.h>
#include <string.h>

#include "common/net/redis_url.h"
#include "tests/fuzz/fuzz_support.h"

static bool parse(struct redis_url *url, const char *text)
{
    struct err err = {0};
    enum err_code rc = redis_url_parse(url, text, &err);

    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_CONFIG && err.message[0] != '\0'));
    return rc == ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *texts[] = {fuzz_take_line(&data, &size), fuzz_take_line(&data, &size)};
    char described[2][REDIS_URL_TEXT_BYTES + 32];
    struct redis_url urls[2];
    bool parsed = true;

    for (int i = 0; i < 2; i++) {
        parsed = parse(&urls[i], texts[i]) && parsed;
        free(texts[i]);
    }
    for (int i = 0; parsed && i < 2; i++) {
        FUZZ_CHECK((urls[i].host[0] == '\0') != (urls[i].path[0] == '\0'));
        FUZZ_CHECK(urls[i].port >= 1 && urls[i].port <= 65535 && urls[i].db >= 0);
        FUZZ_CHECK(redis_url_same_database(&urls[i], &urls[i]));
        redis_url_describe(&urls[i], described[i], sizeof described[i]);
    }
    if (parsed) /* what worker/targets.c takes for granted */
        FUZZ_CHECK(redis_url_same_database(&urls[0], &urls[1]) == (strcmp(described[0], described[1]) == 0));
    return 0;
}
