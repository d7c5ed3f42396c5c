/*
 * A file of a dump: under a temporary name until it is complete, so that it appears whole or not at all.
 */
#ifndef WORKER_PIPELINE_DUMP_FILE_H
#define WORKER_PIPELINE_DUMP_FILE_H

#include <stdio.h>

#include "common/base/err.h"

struct dump_file {
    char *path;
    char *temporary;
    FILE *file;
};

/* DIR/name. Whatever it returns, *file goes to dump_file_close with that. */
enum err_code dump_file_open(struct dump_file *file, const char *dir, const char *name, struct err *err) MUST_CHECK;

/* Closes and, where rc is ERR_OK and nothing failed, gives the file its name; else it is gone. Frees all in any case
 * and returns rc, or what failed here. */
enum err_code dump_file_close(struct dump_file *file, enum err_code rc, struct err *err) MUST_CHECK;

#endif
