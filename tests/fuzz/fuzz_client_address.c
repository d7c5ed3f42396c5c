/* TRUSTED_PROXIES, the peer, and the further lines as headers X-Forwarded-For. */
#include <stdlib.h>
#include <string.h>

#include "gateway/client_address.h"
#include "tests/fuzz/fuzz_support.h"

enum { MOST_HEADERS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_header headers[MOST_HEADERS];
    struct http_request request = {.method = "GET", .path = "/", .query = "", .body = "", .headers = headers};
    struct client_address_proxies proxies = {0};
    char *lines[MOST_HEADERS + 2] = {NULL};
    char address[CLIENT_ADDRESS_BYTES];
    char group[CLIENT_ADDRESS_BYTES];
    struct err err;
    size_t count = 0;

    while (count < MOST_HEADERS + 2 && (size > 0 || count < 2))
        lines[count++] = fuzz_take_line(&data, &size);
    for (size_t i = 2; i < count; i++)
        headers[request.header_count++] = (struct http_header){"X-Forwarded-For", lines[i]};
    if (client_address_parse_proxies(&proxies, lines[0], &err) != ERR_OK)
        proxies = (struct client_address_proxies){0};
    lines[1][strnlen(lines[1], CLIENT_ADDRESS_BYTES - 1)] = '\0';
    client_address_of_request(address, &proxies, lines[1], &request);
    FUZZ_CHECK(strnlen(address, sizeof address) < sizeof address);
    FUZZ_CHECK(proxies.count > 0 || strcmp(address, lines[1]) == 0); /* nobody is believed */
    client_address_group(group, address);
    FUZZ_CHECK(strnlen(group, sizeof group) < sizeof group);
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    return 0;
}
