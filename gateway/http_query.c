#include "gateway/http_query.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/str.h"

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if ((character | 0x20) >= 'a' && (character | 0x20) <= 'f')
        return (character | 0x20) - 'a' + 10;
    return -1;
}

static enum err_code decode(const char **out, struct arena *arena, const char *text, size_t length, bool plus_is_space,
                            struct err *err)
{
    char *decoded = arena_alloc(arena, length + 1);
    size_t used = 0;

    *out = NULL;
    if (decoded == NULL)
        return ERR_SET(err, ERR_TOO_LARGE, "the URL needs more memory than it may have");
    for (size_t i = 0; i < length; i++) {
        char character = text[i];

        if (character == '%') {
            int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return ERR_SET(err, ERR_FORMAT, "a %% in the URL is not followed by two hexadecimal digits");
            character = (char)(high * 16 + low);
            i += 2;
        } else if (character == '+' && plus_is_space) {
            character = ' ';
        }
        decoded[used++] = character;
    }
    decoded[used] = '\0';
    if (memchr(decoded, '\0', used) != NULL || !str_is_utf8(decoded, used))
        return ERR_SET(err, ERR_FORMAT, "the URL holds what is not UTF-8, or a NUL");
    *out = decoded;
    return ERR_OK;
}

enum err_code http_query_decode_segment(const char **out, struct arena *arena, const char *text, size_t length,
                                        struct err *err)
{
    return decode(out, arena, text, length, false, err);
}

static enum err_code parse_pair(struct http_query *query, struct arena *arena, const char *text, size_t length,
                                struct err *err)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - text) : length;
    struct http_query_pair pair = {.value = ""};
    enum err_code rc = decode(&pair.name, arena, text, name_length, true, err);

    if (rc == ERR_OK && equals != NULL)
        rc = decode(&pair.value, arena, equals + 1, length - name_length - 1, true, err);
    if (pair.name == NULL || pair.value == NULL) /* and only then it failed */
        return rc;
    if (pair.name[0] == '\0')
        return ERR_SET(err, ERR_FORMAT, "a parameter of the URL has no name");
    if (http_query_get(query, pair.name) != NULL)
        return ERR_SET(err, ERR_FORMAT, "\"%.80s\" comes twice in the URL", pair.name);
    if (query->count == HTTP_QUERY_MAX_PAIRS)
        return ERR_SET(err, ERR_TOO_LARGE, "the URL has more than %d parameters", HTTP_QUERY_MAX_PAIRS);
    query->pairs[query->count++] = pair;
    return ERR_OK;
}

enum err_code http_query_parse(struct http_query *out, struct arena *arena, const char *query, struct err *err)
{
    enum err_code rc = ERR_OK;

    out->count = 0;
    while (rc == ERR_OK && *query != '\0') {
        size_t length = strcspn(query, "&");

        if (length > 0)
            rc = parse_pair(out, arena, query, length, err);
        query += length;
        query += *query == '&';
    }
    return rc;
}

const char *http_query_get(const struct http_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->pairs[i].name, name) == 0)
            return query->pairs[i].value;
    }
    return NULL;
}
