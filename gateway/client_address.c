#include "gateway/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/str.h"

enum { ADDRESS_BYTES = 16, MAPPED_BITS = 96, GROUP_BYTES = 8, MAX_HOPS = 64 };

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* A numeric address of either kind; *is_v4 also for ::ffff:192.0.2.7. */
static bool parse_numeric(const char *text, unsigned char *out, bool *is_v4)
{
    memcpy(out, mapped_prefix, sizeof mapped_prefix);
    if (inet_pton(AF_INET, text, out + sizeof mapped_prefix) != 1 && inet_pton(AF_INET6, text, out) != 1)
        return false;
    *is_v4 = memcmp(out, mapped_prefix, sizeof mapped_prefix) == 0;
    return true;
}

static void print_numeric(char *out, const unsigned char *address)
{
    bool is_v4 = memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0;

    if (inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address + sizeof mapped_prefix : address, out,
                  CLIENT_ADDRESS_BYTES) == NULL)
        out[0] = '\0';
}

/* One element of TRUSTED_PROXIES, without spaces around it. */
static bool parse_network(char *text, struct client_address_network *out)
{
    char *slash = strchr(text, '/');
    int64_t bits;
    bool is_v4;

    if (slash != NULL)
        *slash = '\0';
    if (!parse_numeric(text, out->bytes, &is_v4))
        return false;
    is_v4 = is_v4 && strchr(text, ':') == NULL; /* a mapped one counts its bits as IPv6 */
    out->prefix_bits = 8 * ADDRESS_BYTES;
    if (slash == NULL)
        return true;
    if (!str_to_int64(slash + 1, &bits) || bits < 0 || bits > (is_v4 ? 32 : 128))
        return false;
    out->prefix_bits = (int)bits + (is_v4 ? MAPPED_BITS : 0);
    return true;
}

enum err_code client_address_parse_proxies(struct client_address_proxies *out, const char *text, struct err *err)
{
    memset(out, 0, sizeof *out);
    while (text != NULL && *text != '\0') {
        char element[CLIENT_ADDRESS_BYTES + 8];
        size_t length = strcspn(text, ", \t");

        if (length > 0) {
            if (out->count == CLIENT_ADDRESS_MAX_PROXIES)
                return ERR_SET(err, ERR_CONFIG, "there are more than %d", CLIENT_ADDRESS_MAX_PROXIES);
            (void)snprintf(element, sizeof element, "%.*s", (int)length, text);
            if (length >= sizeof element || !parse_network(element, &out->networks[out->count]))
                return ERR_SET(err, ERR_CONFIG, "\"%.*s\" is neither an address nor a network such as 10.0.0.0/8",
                               length < 64 ? (int)length : 64, text);
            out->count++;
        }
        text += length;
        text += strspn(text, ", \t");
    }
    return ERR_OK;
}

static bool is_within(const struct client_address_network *network, const unsigned char *address)
{
    size_t whole = (size_t)network->prefix_bits / 8;
    unsigned rest = (unsigned)network->prefix_bits % 8;
    unsigned mask = 0xff00u >> rest & 0xffu;

    if (memcmp(network->bytes, address, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ address[whole]) & mask) == 0;
}

static bool is_trusted(const struct client_address_proxies *proxies, const char *text)
{
    unsigned char address[ADDRESS_BYTES];
    bool is_v4;

    if (!parse_numeric(text, address, &is_v4))
        return false;
    for (size_t i = 0; i < proxies->count; i++) {
        if (is_within(&proxies->networks[i], address))
            return true;
    }
    return false;
}

void client_address_of_peer(char *out, const struct sockaddr *peer)
{
    unsigned char address[ADDRESS_BYTES];

    out[0] = '\0';
    if (peer->sa_family == AF_INET) {
        memcpy(address, mapped_prefix, sizeof mapped_prefix);
        memcpy(address + sizeof mapped_prefix, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, sizeof address);
    } else {
        return;
    }
    print_numeric(out, address);
}

/* An element of X-Forwarded-For: an address, some proxies add the port ("192.0.2.7:4711", "[2001:db8::1]:4711"). */
static bool parse_hop(char *out, const char *text, size_t length)
{
    unsigned char address[ADDRESS_BYTES];
    char hop[CLIENT_ADDRESS_BYTES + 8];
    char *start = hop;
    char *colon;
    bool is_v4;

    if (length >= sizeof hop)
        return false;
    (void)snprintf(hop, sizeof hop, "%.*s", (int)length, text);
    colon = strchr(hop, ':');
    if (hop[0] == '[') {
        start = hop + 1;
        start[strcspn(start, "]")] = '\0';
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
    }
    if (!parse_numeric(start, address, &is_v4))
        return false;
    print_numeric(out, address);
    return true;
}

/* The element that ends at list[*end), which moves before it; false where there is none any more. */
static bool last_element(const char *list, size_t *end, const char **element, size_t *length)
{
    size_t begin;
    size_t stop = *end;

    while (stop > 0 && strchr(" \t,", list[stop - 1]) != NULL)
        stop--;
    begin = stop;
    while (begin > 0 && strchr(" \t,", list[begin - 1]) == NULL)
        begin--;
    *element = list + begin;
    *length = stop - begin;
    *end = begin;
    return stop > begin;
}

void client_address_of_request(char *out, const struct client_address_proxies *proxies, const char *peer,
                               const struct http_request *request)
{
    int hops = 0;

    str_copy(out, CLIENT_ADDRESS_BYTES, peer);
    for (size_t i = request->header_count; i > 0; i--) { /* several headers are one list */
        const char *list = request->headers[i - 1].value;
        const char *element;
        size_t end = strlen(list);
        size_t length;

        if (strcasecmp(request->headers[i - 1].name, "x-forwarded-for") != 0)
            continue;
        while (last_element(list, &end, &element, &length)) {
            /* Each is the word of the one before: only a proxy's is taken, and what is no address ends it. */
            if (hops++ == MAX_HOPS || !is_trusted(proxies, out) || !parse_hop(out, element, length))
                return;
        }
    }
}

void client_address_group(char *out, const char *address)
{
    unsigned char bytes[ADDRESS_BYTES];
    char text[CLIENT_ADDRESS_BYTES];
    bool is_v4;

    if (!parse_numeric(address, bytes, &is_v4) || is_v4) {
        str_copy(out, CLIENT_ADDRESS_BYTES, address);
        return;
    }
    memset(bytes + GROUP_BYTES, 0, sizeof bytes - GROUP_BYTES);
    print_numeric(text, bytes);
    (void)snprintf(out, CLIENT_ADDRESS_BYTES, "%.40s/64", text);
}
