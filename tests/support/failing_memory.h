/*
 * Memory that runs out: in a program linked with recfleet_failing_memory the n-th allocation of the code under test
 * fails. Libraries of the system keep their own. What leaks then is found by the sanitizers' builds. One thread.
 */
#ifndef TESTS_SUPPORT_FAILING_MEMORY_H
#define TESTS_SUPPORT_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

/* The n-th allocation from now fails, and those behind it do not; 0: none does. */
void failing_memory_set(size_t n);

/* Whether it has failed, since failing_memory_set was called with other than 0. */
bool failing_memory_has_failed(void);

/* What is tried: ERR_OK, also where there was another way, or ERR_NO_MEMORY. */
typedef enum err_code (*failing_memory_fn)(void *context, struct err *err);

/* Tries with the 1st, 2nd, … allocation failing until all goes well with none. */
void failing_memory_try(failing_memory_fn attempt, void *context);

#endif
