/*
 * A blob_store in a folder: a write goes to a temporary file, is synced and renamed; writers of one name take turns.
 */
#ifndef WORKER_CONNECT_BLOB_FOLDER_H
#define WORKER_CONNECT_BLOB_FOLDER_H

#include "common/base/err.h"
#include "worker/pipeline/cache.h"

struct blob_folder;

/* Makes the folder (and those above it) when missing. */
enum err_code blob_folder_create(struct blob_folder **out, const char *path, struct err *err) MUST_CHECK;
void blob_folder_destroy(struct blob_folder *folder);

/* Valid as long as the folder. */
struct blob_store blob_folder_store(struct blob_folder *folder);

#endif
