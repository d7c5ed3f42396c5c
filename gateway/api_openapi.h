/*
 * The API's own description: OpenAPI 3.1, kept in gateway/web/openapi.json and embedded by CMake.
 */
#ifndef GATEWAY_API_OPENAPI_H
#define GATEWAY_API_OPENAPI_H

#include "gateway/exchange.h"

/* Open to all. */
void api_openapi_get(struct exchange *exchange);

#endif
