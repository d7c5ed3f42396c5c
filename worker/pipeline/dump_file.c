#include "worker/pipeline/dump_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"

enum err_code dump_file_open(struct dump_file *file, const char *dir, const char *name, struct err *err)
{
    *file = (struct dump_file){.path = str_format("%s/%s", dir, name), .temporary = str_format("%s/%s.tmp", dir, name)};
    if (file->path == NULL || file->temporary == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to write %s/%s", dir, name);
    file->file = fopen(file->temporary, "w");
    if (file->file == NULL)
        return ERR_SET(err, ERR_IO, "open %s: %s", file->temporary, strerror(errno));
    return ERR_OK;
}

enum err_code dump_file_close(struct dump_file *file, enum err_code rc, struct err *err)
{
    if (file->file != NULL) {
        bool failed = fflush(file->file) != 0 || ferror(file->file) != 0;
        int cause = errno;

        if (fclose(file->file) != 0 && !failed) {
            failed = true;
            cause = errno;
        }
        if (rc == ERR_OK && failed)
            rc = ERR_SET(err, ERR_IO, "write %s: %s", file->temporary, strerror(cause));
        if (rc == ERR_OK && rename(file->temporary, file->path) != 0)
            rc = ERR_SET(err, ERR_IO, "rename %s to %s: %s", file->temporary, file->path, strerror(errno));
        if (rc != ERR_OK)
            (void)unlink(file->temporary);
    }
    free(file->path);
    free(file->temporary);
    return rc;
}
