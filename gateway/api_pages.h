/*
 * What is open to all: the page at / and the health probe.
 */
#ifndef GATEWAY_API_PAGES_H
#define GATEWAY_API_PAGES_H

#include "gateway/exchange.h"

/* A page for browsers, "Hello, World!" for all others, as ever. */
void api_pages_home(struct exchange *exchange);

/* Depends on nothing: says that this process serves. */
void api_pages_health(struct exchange *exchange);

#endif
