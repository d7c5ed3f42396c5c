/*
 * An export of a shop's data in a folder as a source: events.jsonl and products.json as the CMS would serve them, or
 * interactions.csv and products.csv; without products whatever was met may be recommended. A line that cannot be read
 * costs itself, and is counted under a reason and shown with its number. Memory does not grow with the files.
 */
#ifndef WORKER_CONNECT_FOLDER_H
#define WORKER_CONNECT_FOLDER_H

#include "common/base/err.h"
#include "worker/pipeline/source.h"

struct folder;

/* Looks which files are there; ERR_CONFIG where it is not clear what to read. */
enum err_code folder_create(struct folder **out, const char *path, struct err *err) MUST_CHECK;
void folder_destroy(struct folder *folder);

/* Valid as long as the folder. Activities come in the order of the file. */
struct source folder_source(struct folder *folder);

#endif
