#include "common/net/redis_url.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

enum { DEFAULT_PORT = 6379, MAX_DB = 1 << 20 };

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if ((character | 0x20) >= 'a' && (character | 0x20) <= 'f')
        return (character | 0x20) - 'a' + 10;
    return -1;
}

/* Copies text[0..length) with %xx decoded; false when it does not fit, an escape is broken or gives a NUL. */
static bool decode(char *out, const char *text, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char character = text[i];

        if (character == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            character = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= REDIS_URL_TEXT_BYTES)
            return false;
        out[used++] = character;
    }
    out[used] = '\0';
    return true;
}

static bool copy(char *out, const char *text, size_t length)
{
    if (length + 1 > REDIS_URL_TEXT_BYTES)
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* "user:password", "user" or ":password" */
static enum err_code parse_credentials(struct redis_url *out, const char *text, size_t length, struct err *err)
{
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon != NULL ? (size_t)(colon - text) : length;

    if (!decode(out->user, text, user_length) ||
        (colon != NULL && !decode(out->password, colon + 1, length - user_length - 1)))
        return ERR_SET(err, ERR_CONFIG, "the user or password of a Redis URL is too long or has a broken %% escape");
    return ERR_OK;
}

static enum err_code parse_db(struct redis_url *out, const char *text, struct err *err)
{
    int64_t db;

    if (*text == '\0')
        return ERR_OK;
    if (!str_to_int64(text, &db) || db < 0 || db > MAX_DB)
        return ERR_SET(err, ERR_CONFIG, "the database of a Redis URL is not a number of 0 to %d", MAX_DB);
    out->db = (int)db;
    return ERR_OK;
}

/* "host", "host:port", "[v6]:port" */
static enum err_code parse_host(struct redis_url *out, const char *text, size_t length, struct err *err)
{
    const char *end = text + length;
    const char *host = text;
    const char *host_end;
    char port_text[8] = "";
    int64_t port;

    if (*text == '[') {
        host = text + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (host_end == NULL)
            return ERR_SET(err, ERR_CONFIG, "the address of a Redis URL has no closing ]");
        text = host_end + 1;
    } else {
        host_end = memchr(text, ':', length);
        host_end = host_end != NULL ? host_end : end;
        text = host_end;
    }
    if (host_end == host || !copy(out->host, host, (size_t)(host_end - host)))
        return ERR_SET(err, ERR_CONFIG, "the host of a Redis URL is missing or too long");
    if (text == end)
        return ERR_OK;
    if (*text != ':' || (size_t)(end - text) > sizeof port_text)
        return ERR_SET(err, ERR_CONFIG, "the port of a Redis URL is not a number");
    memcpy(port_text, text + 1, (size_t)(end - text) - 1);
    if (!str_to_int64(port_text, &port) || port < 1 || port > 65535)
        return ERR_SET(err, ERR_CONFIG, "the port of a Redis URL is not 1 to 65535");
    out->port = (int)port;
    return ERR_OK;
}

/* unix://[user:password@]/path[?db=n] */
static enum err_code parse_unix(struct redis_url *out, const char *path, struct err *err)
{
    const char *query = strchr(path, '?');
    size_t length = query != NULL ? (size_t)(query - path) : strlen(path);

    if (*path != '/' || !copy(out->path, path, length))
        return ERR_SET(err, ERR_CONFIG, "a unix:// Redis URL needs an absolute path of at most %d bytes",
                       REDIS_URL_TEXT_BYTES - 1);
    if (query == NULL)
        return ERR_OK;
    if (!str_starts_with(query, "?db="))
        return ERR_SET(err, ERR_CONFIG, "a unix:// Redis URL knows the option ?db=N alone");
    return parse_db(out, query + strlen("?db="), err);
}

enum err_code redis_url_parse(struct redis_url *out, const char *text, struct err *err)
{
    const char *rest;
    const char *at;
    const char *slash;
    enum err_code rc = ERR_OK;
    bool is_unix = str_starts_with(text, "unix://");

    *out = (struct redis_url){.port = DEFAULT_PORT, .tls = str_starts_with(text, "rediss://")};
    if (!is_unix && !out->tls && !str_starts_with(text, "redis://"))
        return ERR_SET(err, ERR_CONFIG, "a Redis URL begins with redis://, rediss:// or unix://");
    rest = strstr(text, "://") + 3;
    at = is_unix && *rest == '/' ? NULL : strrchr(rest, '@'); /* a path may have an @ of its own */
    if (at != NULL) {
        rc = parse_credentials(out, rest, (size_t)(at - rest), err);
        rest = at + 1;
    }
    if (rc != ERR_OK || is_unix)
        return rc != ERR_OK ? rc : parse_unix(out, rest, err);
    slash = strchr(rest, '/');
    rc = parse_host(out, rest, slash != NULL ? (size_t)(slash - rest) : strlen(rest), err);
    if (rc != ERR_OK || slash == NULL)
        return rc;
    return parse_db(out, slash + 1, err);
}

bool redis_url_same_database(const struct redis_url *a, const struct redis_url *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 && a->db == b->db &&
           (a->path[0] != '\0' || a->port == b->port);
}

void redis_url_describe(const struct redis_url *url, char *out, int size)
{
    if (url->path[0] != '\0')
        (void)snprintf(out, (size_t)size, "%s/%d", url->path, url->db);
    else
        (void)snprintf(out, (size_t)size, "%s:%d/%d", url->host, url->port, url->db);
}
