#include "common/base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH_BYTES = 512, MOST_NAME_BYTES = 128 };

static bool is_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= MOST_NAME_BYTES && name[0] != '/' && strstr(name, "..") == NULL &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == length;
}

bool zone_is_known(const char *name)
{
    const char *folder = getenv("TZDIR");
    char path[PATH_BYTES];
    char magic[4] = {0};
    FILE *file;
    bool known;

    if (strcmp(name, "UTC") == 0)
        return true;
    if (!is_name(name) ||
        snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name) >= (int)sizeof path)
        return false;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    known = fread(magic, 1, sizeof magic, file) == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
    (void)fclose(file);
    return known;
}

enum err_code zone_use(const char *name, struct err *err)
{
    if (!zone_is_known(name))
        return ERR_SET(err, ERR_CONFIG, "there is no time zone \"%.64s\"", name);
    if (setenv("TZ", strcmp(name, "UTC") == 0 ? "UTC0" : name, 1) != 0)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a time zone");
    tzset();
    return ERR_OK;
}

int32_t zone_offset_s(int64_t unix_s)
{
    time_t when = (time_t)unix_s;
    struct tm local;

    return localtime_r(&when, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
