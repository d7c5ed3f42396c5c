/*
 * The shop that a request asks about: ?namespace=, else the one of API_NAMESPACE.
 */
#ifndef GATEWAY_SHOP_QUERY_H
#define GATEWAY_SHOP_QUERY_H

#include "gateway/exchange.h"

/* Lives as long as the exchange; NULL: answered, for another parameter or a shop that is not known. */
const char *shop_query_read(struct exchange *exchange);

#endif
