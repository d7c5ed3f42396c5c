/*
 * A report for people: aligned lines of plain text from the report's JSON, for mails, terminals and the demo.
 */
#ifndef WORKER_PIPELINE_REPORT_TEXT_H
#define WORKER_PIPELINE_REPORT_TEXT_H

#include "common/net/json_value.h"

/* malloc'd; parts that the report lacks are left out. NULL when out of memory. */
char *report_text_make(const struct json *report);

#endif
