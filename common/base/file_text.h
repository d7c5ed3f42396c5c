/*
 * A whole small file as text.
 */
#ifndef COMMON_BASE_FILE_TEXT_H
#define COMMON_BASE_FILE_TEXT_H

#include <stddef.h>

#include "common/base/err.h"

/* *out is malloc'd and terminated; a file over max_bytes is ERR_TOO_LARGE. */
enum err_code file_text_read(char **out, size_t *length, const char *path, size_t max_bytes,
                             struct err *err) MUST_CHECK;

#endif
