#include "gateway/http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_WAIT_S = 3600 };

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return NULL;
}

/* The element of a comma-separated list that begins with `token`; what follows the token. */
static const char *find_element(const char *list, const char *token)
{
    size_t length = strlen(token);

    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (strncasecmp(list, token, length) == 0 && strchr("=; \t,", list[length]) != NULL)
            return list + length; /* strchr finds the end of the text too */
        list += strcspn(list, ",");
    }
    return NULL;
}

const char *http_request_token(const struct http_request *request, const char *name, const char *token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const char *rest;

        if (strcasecmp(request->headers[i].name, name) != 0)
            continue;
        rest = find_element(request->headers[i].value, token);
        if (rest != NULL)
            return rest;
    }
    return NULL;
}

bool http_request_wants_html(const struct http_request *request)
{
    const char *rest = http_request_token(request, "accept", "text/html");
    const char *quality;

    if (rest == NULL)
        return false;
    quality = strstr(rest, "q=");
    if (quality == NULL || quality > rest + strcspn(rest, ","))
        return true;
    return strtod(quality + 2, NULL) > 0;
}

int http_request_wait_s(const struct http_request *request)
{
    const char *rest = http_request_token(request, "prefer", "wait");
    long seconds;
    char *end;

    if (rest == NULL || *rest != '=')
        return -1;
    seconds = strtol(rest + 1, &end, 10);
    if (end == rest + 1 || seconds < 0)
        return -1;
    return seconds > MAX_WAIT_S ? MAX_WAIT_S : (int)seconds;
}
