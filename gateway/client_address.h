/*
 * Who a request comes from: the peer of its connection or, where that is a proxy of ours (TRUSTED_PROXIES), the nearest
 * address of X-Forwarded-For that is none. What stands further left anybody may have written.
 */
#ifndef GATEWAY_CLIENT_ADDRESS_H
#define GATEWAY_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "gateway/http_request.h"

enum { CLIENT_ADDRESS_BYTES = 48, CLIENT_ADDRESS_MAX_PROXIES = 64 };

struct sockaddr;

/* An IPv6 network; an IPv4 one is mapped into ::ffff:0:0/96. */
struct client_address_network {
    unsigned char bytes[16];
    int prefix_bits;
};

/* {0} trusts nobody. */
struct client_address_proxies {
    struct client_address_network networks[CLIENT_ADDRESS_MAX_PROXIES];
    size_t count;
};

/* "10.0.0.0/8, 192.168.1.7, fd00::/8"; NULL or "": nobody. ERR_CONFIG names the element that is wrong. */
enum err_code client_address_parse_proxies(struct client_address_proxies *out, const char *text,
                                           struct err *err) MUST_CHECK;

/* "192.0.2.7" or "2001:db8::1" into out[CLIENT_ADDRESS_BYTES]; "" for what is no internet address. */
void client_address_of_peer(char *out, const struct sockaddr *peer);

/* The client of a request that `peer` (as of client_address_of_peer) sent, into out[CLIENT_ADDRESS_BYTES]. */
void client_address_of_request(char *out, const struct client_address_proxies *proxies, const char *peer,
                               const struct http_request *request);

/* What a client is counted as: an IPv4 address, or the /64 of an IPv6 one, of which one client has them all. Into
 * out[CLIENT_ADDRESS_BYTES]. */
void client_address_group(char *out, const char *address);

#endif
