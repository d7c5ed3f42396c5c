/*
 * A strict reader of Prometheus' text format 0.0.4, for tests: what a scraper would refuse, or an adviser of names
 * would complain about, is a problem.
 */
#ifndef TESTS_SUPPORT_METRICS_TEXT_H
#define TESTS_SUPPORT_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the whole text is well-formed; else *line (from 1) and what is wrong in problem[size]. */
bool metrics_text_check(const char *text, int *line, char *problem, size_t size);

/* The value of a sample, written as the program writes it: `name` or `name{label="value",…}`. false: it is not there.
 */
bool metrics_text_value(const char *text, const char *sample, double *value);

#endif
