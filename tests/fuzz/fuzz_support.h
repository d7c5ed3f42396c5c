/*
 * What the fuzz targets share. A target is one function over an input; a failed FUZZ_CHECK ends the process, as a
 * sanitizer's finding does.
 */
#ifndef TESTS_FUZZ_FUZZ_SUPPORT_H
#define TESTS_FUZZ_FUZZ_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* The path of a file that holds these bytes until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* The bytes as a terminated text, up to the first NUL; free() it. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Cuts the next part, up to a line feed, off the input, as a terminated text; free() it. */
char *fuzz_take_line(const uint8_t **data, size_t *size);

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
