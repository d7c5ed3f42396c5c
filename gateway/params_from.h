/*
 * A submission whose parameters come from a search: the store is asked for its report, and the body's params are made
 * complete.
 */
#ifndef GATEWAY_PARAMS_FROM_H
#define GATEWAY_PARAMS_FROM_H

#include "gateway/exchange.h"
#include "gateway/submission.h"

/* exchange->document is a body whose params, as they are in *request, have params_from. `next` goes on with the
 * exchange once they are complete, not from within this; else it is answered: 422 where that is no search of the shop
 * that succeeded, 503. */
void params_from_take(struct exchange *exchange, const struct submission_request *request,
                      void (*next)(struct exchange *exchange));

#endif
