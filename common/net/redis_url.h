/*
 * Where a Redis is: redis://[user[:password]@]host[:port][/db], rediss:// (TLS), unix://[user:password@]/path[?db=n].
 */
#ifndef COMMON_NET_REDIS_URL_H
#define COMMON_NET_REDIS_URL_H

#include <stdbool.h>

#include "common/base/err.h"

enum { REDIS_URL_TEXT_BYTES = 256 };

/* Plain data. */
struct redis_url {
    char host[REDIS_URL_TEXT_BYTES]; /* "" for a unix socket */
    char path[REDIS_URL_TEXT_BYTES]; /* the unix socket, else "" */
    char user[REDIS_URL_TEXT_BYTES];
    char password[REDIS_URL_TEXT_BYTES];
    int port;
    int db;
    bool tls;
};

/* Percent-escapes in user and password are decoded. ERR_CONFIG says what is wrong, never showing the password. */
enum err_code redis_url_parse(struct redis_url *out, const char *text, struct err *err) MUST_CHECK;

/* Whether both name the same database of the same server (as far as the text tells). */
bool redis_url_same_database(const struct redis_url *a, const struct redis_url *b);

/* "host:port/db" or "path/db" for messages: no credentials. */
void redis_url_describe(const struct redis_url *url, char *out, int size);

#endif
