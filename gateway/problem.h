/*
 * Errors as answers: application/problem+json (RFC 9457), or the body of old on the routes that exist since then.
 */
#ifndef GATEWAY_PROBLEM_H
#define GATEWAY_PROBLEM_H

#include "common/base/err.h"
#include "gateway/exchange.h"

enum { PROBLEM_RETRY_AFTER_S = 5 };

/* Answers. `code` is a stable word for programs ("unknown_parameter"); the detail is for people. */
void problem_answer(struct exchange *exchange, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* 503 with Retry-After: a server behind this one is away. */
void problem_answer_unavailable(struct exchange *exchange, const char *what);

/* What a failed call means to a client: 503 where it may succeed later, else 500; the detail only where ENV=Dev. Logs.
 */
void problem_answer_err(struct exchange *exchange, const struct err *err);

/* 401, exactly as clients know it. */
void problem_answer_unauthorized(struct exchange *exchange);

#endif
