/*
 * /v1/jobs: submitting, looking, reports.
 */
#ifndef GATEWAY_API_JOBS_H
#define GATEWAY_API_JOBS_H

#include "gateway/exchange.h"

void api_jobs_submit(struct exchange *exchange);
void api_jobs_get(struct exchange *exchange);
void api_jobs_get_report(struct exchange *exchange);

#endif
