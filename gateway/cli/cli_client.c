#include "gateway/cli/cli_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/http_client.h"

enum { CONNECT_TIMEOUT_MS = 5000, WAIT_STEP_MS = 1000, MAX_HEADERS = 6, HEADER_BYTES = 512 };

struct cli_client {
    struct http_client *http;
    char *url;
    struct cli_answer *answer; /* of the request under way */
    struct err *failure;       /* where to say why there is none */
    bool done;
    cli_stream_chunk_fn on_chunk;
    void *chunk_context;
    struct cli_stream_state stream;
};

static enum err_code check_url(const char *url, struct err *err)
{
    const char *host = NULL;

    if (str_starts_with(url, "http://"))
        host = url + strlen("http://");
    else if (str_starts_with(url, "https://"))
        host = url + strlen("https://");
    if (host == NULL || host[0] == '\0' || host[0] == '/')
        return ERR_SET(err, ERR_CONFIG, "the gateway's URL must be http://… or https://…, not \"%s\"", url);
    if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
        return ERR_SET(err, ERR_CONFIG, "the gateway's URL must not hold a password: the key is RECFLEET_API_KEY");
    if (strpbrk(host, "?#") != NULL)
        return ERR_SET(err, ERR_CONFIG, "the gateway's URL must not hold a query: \"%s\"", url);
    return ERR_OK;
}

enum err_code cli_client_create(struct cli_client **out, const char *url, const char *key, struct err *err)
{
    struct http_client_config config = {.connect_timeout_ms = CONNECT_TIMEOUT_MS, .bearer = key};
    struct cli_client *client;
    enum err_code rc = check_url(url, err);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    client = mem_zeroed(1, sizeof *client);
    if (client == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a client");
    client->url = strdup(url);
    for (size_t end = client->url != NULL ? strlen(client->url) : 0; end > 0 && client->url[end - 1] == '/'; end--)
        client->url[end - 1] = '\0';
    rc = client->url != NULL ? http_client_create(&client->http, &config, err)
                             : ERR_SET(err, ERR_NO_MEMORY, "no memory for a client");
    if (rc != ERR_OK) {
        cli_client_destroy(client);
        return rc;
    }
    *out = client;
    return ERR_OK;
}

void cli_client_destroy(struct cli_client *client)
{
    if (client == NULL)
        return;
    http_client_destroy(client->http);
    free(client->url);
    free(client);
}

const char *cli_client_url(const struct cli_client *client)
{
    return client->url;
}

void cli_answer_fini(struct cli_answer *answer)
{
    str_fini(&answer->body);
    json_value_destroy(answer->json);
    answer->json = NULL;
}

static void on_answer(void *context, const struct http_response *response, const struct err *err)
{
    struct cli_client *client = context;
    struct cli_answer *answer = client->answer;

    client->done = true;
    if (response == NULL) {
        *client->failure = *err;
        return;
    }
    answer->status = response->status;
    answer->retry_after_s = response->retry_after_s;
    str_append(&answer->body, response->body, response->size);
    (void)http_client_header(response, "ETag", answer->etag, sizeof answer->etag);
    (void)http_client_header(response, "Location", answer->location, sizeof answer->location);
}

struct header_list {
    char text[MAX_HEADERS][HEADER_BYTES];
    const char *lines[MAX_HEADERS + 1];
    size_t count;
};

static void add_header(struct header_list *list, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0' || list->count == MAX_HEADERS)
        return;
    (void)snprintf(list->text[list->count], HEADER_BYTES, "%s: %s", name, value);
    list->lines[list->count] = list->text[list->count];
    list->count++;
}

static enum err_code check_headers(const struct cli_request *request, struct err *err)
{
    const char *key = request->idempotency_key;

    if (key != NULL && (key[0] == '\0' || strlen(key) > 255 || strpbrk(key, "\r\n") != NULL))
        return ERR_SET(err, ERR_ARGUMENT, "an idempotency key has 1 to 255 bytes and no line break");
    return ERR_OK;
}

/* Starts the transfer and runs it to its end, which its own timeout brings at the latest. */
static enum err_code transfer(struct cli_client *client, const struct http_client_request *http, struct err *err)
{
    struct err failure = {.code = ERR_OK};
    enum err_code rc;

    client->failure = &failure;
    client->done = false;
    rc = http_client_send(client->http, http, on_answer, client, err);
    while (rc == ERR_OK && !client->done)
        rc = http_client_wait(client->http, WAIT_STEP_MS, err);
    if (rc == ERR_OK && failure.code != ERR_OK) {
        rc = failure.code;
        if (err != NULL)
            *err = failure;
    }
    return rc;
}

static enum err_code read_body(struct cli_answer *answer, const char *url, struct err *err)
{
    if (answer->body.failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the answer of %s", url);
    if (answer->body.length > 0 &&
        json_value_parse_lenient(&answer->json, answer->body.text, answer->body.length, NULL) != ERR_OK)
        answer->json = NULL; /* the caller sees to it */
    return ERR_OK;
}

enum err_code cli_client_ask(struct cli_client *client, const struct cli_request *request, struct cli_answer *answer,
                             struct err *err)
{
    struct header_list headers = {.count = 0};
    struct http_client_request http = {.method = request->method, .timeout_ms = CLI_CLIENT_TIMEOUT_MS};
    char *url = str_format("%s%s", client->url, request->path);
    enum err_code rc = check_headers(request, err);

    *answer = (struct cli_answer){.retry_after_s = -1};
    add_header(&headers, "Accept", "application/json");
    add_header(&headers, "Content-Type", request->body != NULL ? "application/json" : NULL);
    add_header(&headers, "If-None-Match", request->if_none_match);
    add_header(&headers, "Idempotency-Key", request->idempotency_key);
    http.url = url;
    http.headers = headers.lines;
    http.body = request->body;
    http.body_size = request->body != NULL ? strlen(request->body) : 0;
    client->answer = answer;
    if (rc == ERR_OK && url == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a request");
    if (rc == ERR_OK)
        rc = transfer(client, &http, err);
    if (rc == ERR_OK)
        rc = read_body(answer, url, err);
    if (rc != ERR_OK)
        cli_answer_fini(answer);
    free(url);
    return rc;
}

static enum err_code code_of_status(long status)
{
    if (status == 404)
        return ERR_NOT_FOUND;
    if (status == 409)
        return ERR_EXISTS;
    return status == 429 || status == 502 || status == 503 || status == 504 ? ERR_UNAVAILABLE : ERR_REMOTE;
}

enum err_code cli_answer_to_err(const struct cli_client *client, const struct cli_request *request,
                                const struct cli_answer *answer, struct err *err)
{
    const char *detail = json_value_get_text(answer->json, "detail"); /* a problem, RFC 9457 */

    if (detail == NULL)
        detail = json_value_get_text(answer->json, "message");
    return ERR_SET(err, code_of_status(answer->status), "%s %s%s: %ld: %s",
                   request->method != NULL ? request->method : "GET", client->url, request->path, answer->status,
                   detail != NULL ? detail : "no reason is given: is this the gateway?");
}

/* The event stream */

static void on_chunk(void *context, const char *bytes, size_t length)
{
    struct cli_client *client = context;

    client->on_chunk(client->chunk_context, bytes, length);
}

static void on_stream_end(void *context, const struct http_response *response, const struct err *err)
{
    struct cli_client *client = context;

    (void)err; /* the caller looks at the job and tries again: that says what is wrong */
    client->stream = (struct cli_stream_state){.ended = true, .retry_after_s = -1};
    if (response != NULL) {
        client->stream.status = response->status;
        client->stream.retry_after_s = response->retry_after_s;
    }
}

/* The stream's transfer has the same context as a request's; each knows its own callback. */
enum err_code cli_client_open_stream(struct cli_client *client, const char *path, const char *last_event_id,
                                     cli_stream_chunk_fn fn, void *context, struct err *err)
{
    struct header_list headers = {.count = 0};
    struct http_client_request http = {.on_chunk = on_chunk};
    char *url = str_format("%s%s", client->url, path);
    enum err_code rc;

    cli_client_close_stream(client);
    if (url == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a request");
    add_header(&headers, "Accept", "text/event-stream");
    add_header(&headers, "Last-Event-ID", last_event_id);
    http.url = url;
    http.headers = headers.lines;
    client->on_chunk = fn;
    client->chunk_context = context;
    rc = http_client_send(client->http, &http, on_stream_end, client, err);
    client->stream = (struct cli_stream_state){.open = rc == ERR_OK, .retry_after_s = -1};
    free(url);
    return rc;
}

struct cli_stream_state cli_client_stream_state(const struct cli_client *client)
{
    return client->stream;
}

void cli_client_close_stream(struct cli_client *client)
{
    if (client->stream.open)
        http_client_drop(client->http); /* requests are over when they return: the stream is all there is */
    client->stream = (struct cli_stream_state){.retry_after_s = -1};
}

enum err_code cli_client_wait(struct cli_client *client, int timeout_ms, struct err *err)
{
    return http_client_wait(client->http, timeout_ms, err);
}

void cli_client_escape(struct str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                     strchr("-._~", byte) != NULL;

        if (plain)
            str_append_char(out, *text);
        else
            str_append_format(out, "%%%02X", byte);
    }
}
