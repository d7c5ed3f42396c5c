/*
 * The routes of the service that this one replaces: a GET that trains and answers when it is done.
 */
#ifndef GATEWAY_API_LEGACY_H
#define GATEWAY_API_LEGACY_H

#include "gateway/exchange.h"

void api_legacy_train(struct exchange *exchange);

#endif
