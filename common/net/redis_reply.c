#include "common/net/redis_reply.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "common/base/str.h"

static const redisReply *inner(const struct redis_reply *reply)
{
    return (const redisReply *)reply;
}

enum redis_reply_kind redis_reply_kind(const struct redis_reply *reply)
{
    if (reply == NULL)
        return REDIS_REPLY_KIND_NIL;
    switch (inner(reply)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_REPLY_KIND_TEXT;
    case REDIS_REPLY_INTEGER:
        return REDIS_REPLY_KIND_INT;
    case REDIS_REPLY_ARRAY:
        return REDIS_REPLY_KIND_ARRAY;
    case REDIS_REPLY_ERROR:
        return REDIS_REPLY_KIND_ERROR;
    default:
        return REDIS_REPLY_KIND_NIL;
    }
}

const char *redis_reply_text(const struct redis_reply *reply)
{
    enum redis_reply_kind kind = redis_reply_kind(reply);

    return kind == REDIS_REPLY_KIND_TEXT || kind == REDIS_REPLY_KIND_ERROR ? inner(reply)->str : NULL;
}

size_t redis_reply_text_length(const struct redis_reply *reply)
{
    return redis_reply_text(reply) != NULL ? (size_t)inner(reply)->len : 0;
}

bool redis_reply_to_int64(const struct redis_reply *reply, int64_t *out)
{
    if (redis_reply_kind(reply) == REDIS_REPLY_KIND_TEXT)
        return str_to_int64(redis_reply_text(reply), out);
    if (redis_reply_kind(reply) != REDIS_REPLY_KIND_INT)
        return false;
    *out = inner(reply)->integer;
    return true;
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return redis_reply_kind(reply) == REDIS_REPLY_KIND_ARRAY ? inner(reply)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *array, size_t index)
{
    return index < redis_reply_count(array) ? (const struct redis_reply *)inner(array)->element[index] : NULL;
}

bool redis_reply_is_error(const struct redis_reply *reply, const char *word)
{
    size_t length = strlen(word);
    const char *text;

    if (redis_reply_kind(reply) != REDIS_REPLY_KIND_ERROR)
        return false;
    text = redis_reply_text(reply);
    return strncmp(text, word, length) == 0 && (text[length] == ' ' || text[length] == '\0');
}

enum err_code redis_reply_check(const struct redis_reply *reply, struct err *err)
{
    static const char *const passing[] = {"LOADING",  "READONLY",    "BUSY",    "OOM",       "MASTERDOWN",
                                          "TRYAGAIN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS"};

    if (redis_reply_kind(reply) != REDIS_REPLY_KIND_ERROR)
        return ERR_OK;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        if (redis_reply_is_error(reply, passing[i]))
            return ERR_SET(err, ERR_UNAVAILABLE, "Redis: %s", redis_reply_text(reply));
    }
    return ERR_SET(err, ERR_REMOTE, "Redis: %s", redis_reply_text(reply));
}

void redis_reply_destroy(struct redis_reply *reply)
{
    if (reply != NULL)
        freeReplyObject(reply);
}
