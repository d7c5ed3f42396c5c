#include "common/net/redis_client.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/mem.h"
#include "common/net/redis_internal.h"

struct redis_client {
    redisContext *context;
    char where[REDIS_URL_TEXT_BYTES + 32];
};

static enum err_code broken(const struct redis_client *client, struct err *err)
{
    return ERR_SET(err, ERR_NETWORK, "Redis %s: %s", client->where, client->context->errstr);
}

static enum err_code send_words(struct redis_client *client, const char *const *words, int count, struct err *err)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    enum err_code rc;

    redis_command_init(&command, words[0]);
    for (int i = 1; i < count; i++)
        redis_command_add(&command, words[i]);
    rc = redis_client_send(client, &command, &reply, err);
    redis_reply_destroy(reply);
    redis_command_fini(&command);
    return rc;
}

/* AUTH and SELECT */
static enum err_code introduce(struct redis_client *client, const struct redis_url *url, struct err *err)
{
    enum err_code rc = ERR_OK;
    char db[16];

    if (url->password[0] != '\0') {
        const char *with_user[] = {"AUTH", url->user, url->password};
        const char *without[] = {"AUTH", url->password};

        rc = url->user[0] != '\0' ? send_words(client, with_user, 3, err) : send_words(client, without, 2, err);
    }
    if (rc == ERR_OK && url->db != 0) {
        const char *words[] = {"SELECT", db};

        (void)snprintf(db, sizeof db, "%d", url->db);
        rc = send_words(client, words, 2, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, "Redis %s", client->where);
}

static enum err_code open_connection(struct redis_client *client, const struct redis_url *url, int timeout_ms,
                                     struct err *err)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    enum err_code rc = ERR_OK;

    if (url->path[0] != '\0')
        client->context = redisConnectUnixWithTimeout(url->path, timeout);
    else
        client->context = redisConnectWithTimeout(url->host, url->port, timeout);
    if (client->context == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a connection to Redis %s", client->where);
    if (client->context->err != 0)
        return ERR_SET(err, ERR_UNAVAILABLE, "connect to Redis %s: %s", client->where, client->context->errstr);
    if (redisSetTimeout(client->context, timeout) != REDIS_OK)
        return broken(client, err);
    if (url->tls)
        rc = redis_tls_start(client->context, url, err);
    return rc == ERR_OK ? introduce(client, url, err) : rc;
}

enum err_code redis_client_connect(struct redis_client **out, const struct redis_url *url, int timeout_ms,
                                   struct err *err)
{
    enum err_code rc = redis_tls_check(url, err);
    struct redis_client *client;

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    client = mem_zeroed(1, sizeof *client);
    if (client == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a connection to Redis");
    redis_url_describe(url, client->where, sizeof client->where);
    rc = open_connection(client, url, timeout_ms, err);
    if (rc != ERR_OK) {
        redis_client_destroy(client);
        return rc;
    }
    *out = client;
    return ERR_OK;
}

void redis_client_destroy(struct redis_client *client)
{
    if (client == NULL)
        return;
    if (client->context != NULL)
        redisFree(client->context);
    free(client);
}

static enum err_code append(struct redis_client *client, const struct redis_command *command, bool as_eval,
                            struct err *err)
{
    struct str text = {0};
    enum err_code rc = ERR_OK;

    if (!redis_command_print(&text, command, as_eval))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a command to Redis %s", client->where);
    else if (redisAppendFormattedCommand(client->context, text.text, text.length) != REDIS_OK)
        rc = broken(client, err);
    str_fini(&text);
    return rc;
}

enum err_code redis_client_append(struct redis_client *client, const struct redis_command *command, struct err *err)
{
    return append(client, command, false, err);
}

enum err_code redis_client_receive(struct redis_client *client, struct redis_reply **reply, struct err *err)
{
    void *received = NULL;

    *reply = NULL;
    if (redisGetReply(client->context, &received) != REDIS_OK)
        return broken(client, err);
    *reply = received;
    return ERR_OK;
}

enum err_code redis_client_send(struct redis_client *client, const struct redis_command *command,
                                struct redis_reply **reply, struct err *err)
{
    enum err_code rc = append(client, command, false, err);

    *reply = NULL;
    if (rc == ERR_OK)
        rc = redis_client_receive(client, reply, err);
    if (rc == ERR_OK && command->script != NULL && redis_reply_is_error(*reply, "NOSCRIPT")) {
        redis_reply_destroy(*reply);
        *reply = NULL;
        rc = append(client, command, true, err);
        if (rc == ERR_OK)
            rc = redis_client_receive(client, reply, err);
    }
    if (rc == ERR_OK)
        rc = redis_reply_check(*reply, err);
    if (rc != ERR_OK) {
        redis_reply_destroy(*reply);
        *reply = NULL;
    }
    return rc;
}
