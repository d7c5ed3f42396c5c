#include <hiredis/hiredis.h>

#include "common/net/redis_internal.h"

#ifdef RECFLEET_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>

enum err_code redis_tls_check(const struct redis_url *url, struct err *err)
{
    (void)url;
    (void)err;
    return ERR_OK;
}

enum err_code redis_tls_start(struct redisContext *connection, const struct redis_url *url, struct err *err)
{
    redisSSLContextError problem = REDIS_SSL_CTX_NONE;
    redisSSLContext *tls;
    int status;

    (void)redisInitOpenSSL();
    tls = redisCreateSSLContext(NULL, "/etc/ssl/certs", NULL, NULL, url->host, &problem);
    if (tls == NULL)
        return ERR_SET(err, ERR_CONFIG, "TLS to Redis %s: %s", url->host, redisSSLContextGetError(problem));
    status = redisInitiateSSLWithContext(connection, tls);
    redisFreeSSLContext(tls); /* the connection's session holds on to it */
    if (status != REDIS_OK)
        return ERR_SET(err, ERR_NETWORK, "TLS to Redis %s: %s", url->host, connection->errstr);
    return ERR_OK;
}
#else
enum err_code redis_tls_check(const struct redis_url *url, struct err *err)
{
    if (url->tls)
        return ERR_SET(err, ERR_CONFIG, "rediss:// (Redis %s) needs hiredis 1.0 with TLS, which this build has not",
                       url->host);
    return ERR_OK;
}

enum err_code redis_tls_start(struct redisContext *connection, const struct redis_url *url, struct err *err)
{
    (void)connection;
    return redis_tls_check(url, err);
}
#endif
