/*
 * The routes of the service that this one replaces: a GET that starts a run, or joins the one that is live, and answers
 * when it is done.
 */
#ifndef GATEWAY_API_LEGACY_H
#define GATEWAY_API_LEGACY_H

#include "gateway/exchange.h"

/* All of them; the route says which. */
void api_legacy_run(struct exchange *exchange);

#endif
