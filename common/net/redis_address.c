#include "common/net/redis_address.h"

#include <uv.h>

/* The n-th address, IPv4 first; NULL behind the last. */
static const struct addrinfo *nth_address(const struct addrinfo *addresses, unsigned n)
{
    for (int pass = 0; pass < 2; pass++) {
        for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
            if (at->ai_family == (pass == 0 ? AF_INET : AF_INET6) && n-- == 0)
                return at;
        }
    }
    return NULL;
}

int redis_address_choose(char *out, size_t size, const struct addrinfo *addresses, unsigned turn)
{
    const struct addrinfo *chosen;
    unsigned count = 0;

    while (nth_address(addresses, count) != NULL)
        count++;
    chosen = count > 0 ? nth_address(addresses, turn % count) : NULL;
    if (chosen == NULL)
        return UV_EAI_NODATA;
    return chosen->ai_family == AF_INET6
               ? uv_ip6_name((const struct sockaddr_in6 *)(const void *)chosen->ai_addr, out, size)
               : uv_ip4_name((const struct sockaddr_in *)(const void *)chosen->ai_addr, out, size);
}
