/*
 * A search's part of the report's text: what it measured by, its best, a table of scores with bars, what failed.
 */
#ifndef WORKER_PIPELINE_SEARCH_TEXT_H
#define WORKER_PIPELINE_SEARCH_TEXT_H

#include "common/base/str.h"
#include "common/net/json_value.h"

/* Nothing for a report of another type. */
void search_text_append(struct str *out, const struct json *report);

#endif
