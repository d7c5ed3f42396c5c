/*
 * Between the redis_async files only: which of a name's addresses to try.
 */
#ifndef COMMON_NET_REDIS_ADDRESS_H
#define COMMON_NET_REDIS_ADDRESS_H

#include <netdb.h>
#include <stddef.h>

/* The address of that try as text, IPv4 first: each try takes the next, so that a dead one does not hide a live one. 0,
 * or what libuv says. */
int redis_address_choose(char *out, size_t size, const struct addrinfo *addresses, unsigned turn);

#endif
