/*
 * The bytewise order of interned texts.
 */
#ifndef WORKER_PIPELINE_ID_ORDER_H
#define WORKER_PIPELINE_ID_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/id_table.h"

/* Reorders ids[count], each once at most, so that their texts ascend. */
enum err_code id_order_sort(uint32_t *ids, size_t count, const struct id_table *table, struct err *err) MUST_CHECK;

#endif
