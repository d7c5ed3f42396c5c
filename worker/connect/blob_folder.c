#include "worker/connect/blob_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { TAG_BYTES = 64, FOLDER_MODE = 0755, FILE_MODE = 0644, LOCK_TIMEOUT_MS = 60000, LOCK_RETRY_MS = 20 };

struct blob_folder {
    int fd;
    char *path;
};

/* Makes every folder of the path that is missing. */
static enum err_code make_folders(const char *path, struct err *err)
{
    char *copy = strdup(path);
    enum err_code rc = ERR_OK;

    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a path");
    for (char *at = copy + 1;; at++) {
        char end = *at;

        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, FOLDER_MODE) != 0 && errno != EEXIST)
            rc = ERR_SET(err, ERR_IO, "make the folder %s: %s", copy, strerror(errno));
        *at = end;
        if (end == '\0' || rc != ERR_OK)
            break;
    }
    free(copy);
    return rc;
}

enum err_code blob_folder_create(struct blob_folder **out, const char *path, struct err *err)
{
    struct blob_folder *folder;
    enum err_code rc;

    *out = NULL;
    if (path[0] == '\0')
        return ERR_SET(err, ERR_CONFIG, "CACHE_URL: file: needs a folder");
    rc = make_folders(path, err);
    if (rc != ERR_OK)
        return rc;
    folder = mem_zeroed(1, sizeof *folder);
    if (folder == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a folder");
    folder->path = strdup(path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->path == NULL || folder->fd < 0) {
        rc = folder->fd < 0 ? ERR_SET(err, ERR_IO, "open the folder %s: %s", path, strerror(errno))
                            : ERR_SET(err, ERR_NO_MEMORY, "no memory for a folder");
        blob_folder_destroy(folder);
        return rc;
    }
    *out = folder;
    return ERR_OK;
}

void blob_folder_destroy(struct blob_folder *folder)
{
    if (folder == NULL)
        return;
    if (folder->fd >= 0)
        (void)close(folder->fd);
    free(folder->path);
    free(folder);
}

/* A rename gives a new inode, so inode, size and time of change tell versions apart. */
static void make_tag(char *tag, const struct stat *status)
{
    (void)snprintf(tag, TAG_BYTES, "%llx-%llx-%llx.%lx", (unsigned long long)status->st_ino,
                   (unsigned long long)status->st_size, (unsigned long long)status->st_mtim.tv_sec,
                   (unsigned long)status->st_mtim.tv_nsec);
}

static enum err_code read_all(int fd, char *data, size_t size, const char *name, struct err *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_SET(err, ERR_IO, "read %s: %s", name, strerror(errno));
        if (n == 0)
            return ERR_SET(err, ERR_IO, "read %s: it ended early", name);
        done += (size_t)n;
    }
    data[size] = '\0';
    return ERR_OK;
}

static enum err_code folder_read(void *self, const char *name, char **data, size_t *size, char *tag, struct err *err)
{
    struct blob_folder *folder = self;
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    enum err_code rc;

    *data = NULL;
    if (fd < 0)
        return ERR_SET(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open %s/%s: %s", folder->path, name,
                       strerror(errno));
    if (fstat(fd, &status) != 0) {
        rc = ERR_SET(err, ERR_IO, "%s/%s: %s", folder->path, name, strerror(errno));
        goto done;
    }
    *size = (size_t)status.st_size;
    *data = malloc(*size + 1);
    if (*data == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the %zu bytes of %s", *size, name);
        goto done;
    }
    rc = read_all(fd, *data, *size, name, err);
    make_tag(tag, &status);
    if (rc != ERR_OK) {
        free(*data);
        *data = NULL;
    }
done:
    (void)close(fd);
    return rc;
}

static enum err_code write_file(int fd, const char *data, size_t size, const char *name, struct err *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = write(fd, data + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_SET(err, ERR_IO, "write %s: %s", name, strerror(errno));
        done += (size_t)n;
    }
    return fsync(fd) == 0 ? ERR_OK : ERR_SET(err, ERR_IO, "sync %s: %s", name, strerror(errno));
}

/* Of the file, so that it goes with whoever held it. A holder that hangs does not make others hang. */
static enum err_code take_lock(const struct blob_folder *folder, int lock, struct err *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_RETRY_MS * 1000000L};

    for (int waited_ms = 0; flock(lock, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_RETRY_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return ERR_SET(err, ERR_IO, "lock %s/.lock: %s", folder->path, strerror(errno));
        if (waited_ms >= LOCK_TIMEOUT_MS)
            return ERR_SET(err, ERR_UNAVAILABLE, "lock %s/.lock: another run holds it", folder->path);
        (void)nanosleep(&pause, NULL);
    }
    return ERR_OK;
}

/* Under the lock. */
static enum err_code check_tag(const struct blob_folder *folder, const char *name, const char *if_tag, struct err *err)
{
    struct stat status;
    char tag[TAG_BYTES] = "";

    if (if_tag == NULL)
        return ERR_OK;
    if (fstatat(folder->fd, name, &status, 0) == 0)
        make_tag(tag, &status);
    else if (errno != ENOENT)
        return ERR_SET(err, ERR_IO, "%s/%s: %s", folder->path, name, strerror(errno));
    return strcmp(tag, if_tag) == 0 ? ERR_OK
                                    : ERR_SET(err, ERR_EXISTS, "%s/%s was written meanwhile", folder->path, name);
}

static enum err_code replace(const struct blob_folder *folder, const char *name, const char *data, size_t size,
                             struct err *err)
{
    char temporary[256];
    enum err_code rc;
    int fd;

    (void)snprintf(temporary, sizeof temporary, ".%.200s.tmp", name);
    fd = openat(folder->fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return ERR_SET(err, ERR_IO, "create %s/%s: %s", folder->path, temporary, strerror(errno));
    rc = write_file(fd, data, size, temporary, err);
    (void)close(fd);
    if (rc == ERR_OK && (renameat(folder->fd, temporary, folder->fd, name) != 0 || fsync(folder->fd) != 0))
        rc = ERR_SET(err, ERR_IO, "rename %s/%s: %s", folder->path, temporary, strerror(errno));
    if (rc != ERR_OK)
        (void)unlinkat(folder->fd, temporary, 0);
    return rc;
}

static enum err_code folder_write(void *self, const char *name, const char *data, size_t size, const char *if_tag,
                                  struct err *err)
{
    struct blob_folder *folder = self;
    int lock = openat(folder->fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    enum err_code rc = ERR_OK;

    if (lock < 0)
        return ERR_SET(err, ERR_IO, "open %s/.lock: %s", folder->path, strerror(errno));
    rc = take_lock(folder, lock, err);
    if (rc == ERR_OK)
        rc = check_tag(folder, name, if_tag, err);
    if (rc == ERR_OK)
        rc = replace(folder, name, data, size, err);
    (void)close(lock); /* lets it go */
    return rc;
}

static enum err_code folder_rename(void *self, const char *name, const char *new_name, struct err *err)
{
    struct blob_folder *folder = self;
    int status = renameat2(folder->fd, name, folder->fd, new_name, RENAME_NOREPLACE);

    if (status != 0 && (errno == EINVAL || errno == ENOSYS)) { /* a file system that cannot look and rename in one */
        errno = EEXIST;
        if (faccessat(folder->fd, new_name, F_OK, 0) != 0)
            status = renameat(folder->fd, name, folder->fd, new_name);
    }
    if (status == 0)
        return ERR_OK;
    if (errno == EEXIST)
        return ERR_SET(err, ERR_EXISTS, "%s/%s is there already", folder->path, new_name);
    return ERR_SET(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "rename %s/%s to %s: %s", folder->path, name,
                   new_name, strerror(errno));
}

struct blob_store blob_folder_store(struct blob_folder *folder)
{
    return (struct blob_store){.read = folder_read, .write = folder_write, .rename = folder_rename, .self = folder};
}
