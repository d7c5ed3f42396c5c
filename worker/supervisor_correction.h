/*
 * The document of a job that the queue ended by itself follows: dead, since its worker was lost too often, or cancelled
 * before it began.
 */
#ifndef WORKER_SUPERVISOR_CORRECTION_H
#define WORKER_SUPERVISOR_CORRECTION_H

#include "common/job/job.h"
#include "worker/supervisor_store.h"

/* Writes `state` (JOB_DEAD or JOB_CANCELLED) behind nothing that a run with a fence above `fence` wrote. What fails is
 * logged: the gateway's upkeep puts such a document right. */
void supervisor_correction_start(struct supervisor_store *store, const char *id, int64_t fence, enum job_state state);

#endif
