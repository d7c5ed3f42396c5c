#include "common/net/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

enum { CONNECT_TIMEOUT_MS = 10000, STALL_TIMEOUT_S = 60, STALL_BYTES_PER_S = 1024, MAX_BODY_BYTES = 64 << 20 };
enum { HTTP_METHOD_BYTES = 16 };

struct transfer {
    struct http_client *client;
    struct transfer *next; /* in client->transfers */
    CURL *easy;
    char *url;
    char method[HTTP_METHOD_BYTES];
    struct curl_slist *headers; /* of this request alone; NULL: the client's */
    struct str body;
    bool too_large;
    http_client_chunk_fn on_chunk;
    http_client_fn fn;
    void *context;
};

struct http_client {
    CURLM *multi;
    struct curl_slist *headers;
    struct transfer *transfers;
    struct http_client_config config;
};

static void transfer_destroy(struct transfer *transfer)
{
    struct transfer **place = &transfer->client->transfers;

    while (*place != NULL && *place != transfer)
        place = &(*place)->next;
    if (*place != NULL)
        *place = transfer->next;
    if (transfer->easy != NULL) {
        (void)curl_multi_remove_handle(transfer->client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    str_fini(&transfer->body);
    free(transfer->url);
    free(transfer);
}

/* false when out of memory; the list stays the caller's. */
static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *grown = curl_slist_append(*list, line);

    if (grown != NULL)
        *list = grown;
    return grown != NULL;
}

static enum err_code set_headers(struct http_client *client, const char *bearer, struct err *err)
{
    bool added;
    char *line;

    if (bearer == NULL || bearer[0] == '\0')
        return ERR_OK;
    if (strpbrk(bearer, "\r\n") != NULL)
        return ERR_SET(err, ERR_CONFIG, "the bearer token has a line break");
    line = str_format("Authorization: Bearer %s", bearer);
    added = line != NULL && add_header(&client->headers, line);
    free(line);
    return added ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for an HTTP client");
}

enum err_code http_client_create(struct http_client **out, const struct http_client_config *config, struct err *err)
{
    struct http_client *client;
    enum err_code rc;

    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counts its calls */
        return ERR_SET(err, ERR_INTERNAL, "libcurl cannot be initialized");
    client = mem_zeroed(1, sizeof *client);
    if (client == NULL) {
        curl_global_cleanup();
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for an HTTP client");
    }
    client->config = *config;
    if (client->config.connect_timeout_ms == 0)
        client->config.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (client->config.stall_timeout_s == 0)
        client->config.stall_timeout_s = STALL_TIMEOUT_S;
    if (client->config.max_body_bytes == 0)
        client->config.max_body_bytes = MAX_BODY_BYTES;
    client->config.bearer = NULL; /* it lives in the header alone */
    client->multi = curl_multi_init();
    rc = client->multi != NULL ? set_headers(client, config->bearer, err)
                               : ERR_SET(err, ERR_NO_MEMORY, "no memory for an HTTP client");
    if (rc != ERR_OK) {
        http_client_destroy(client);
        return rc;
    }
    *out = client;
    return ERR_OK;
}

void http_client_drop(struct http_client *client)
{
    while (client->transfers != NULL)
        transfer_destroy(client->transfers);
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL)
        return;
    http_client_drop(client);
    if (client->multi != NULL)
        (void)curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->headers);
    free(client);
    curl_global_cleanup();
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct transfer *transfer = data;
    size_t length = size * count; /* size is always 1 */
    long status = 0;

    if (transfer->on_chunk != NULL && curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status == 200) {
        transfer->on_chunk(transfer->context, bytes, length);
        return length;
    }
    if (length > transfer->client->config.max_body_bytes - transfer->body.length) {
        transfer->too_large = true;
        return 0;
    }
    str_append(&transfer->body, bytes, length);
    return transfer->body.failed ? 0 : length;
}

static CURLcode set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* A transfer is bounded by its own time, or by stalling; a stream is bounded by who reads it. */
static bool set_limits(struct transfer *transfer, const struct http_client_request *request)
{
    const struct http_client_config *config = &transfer->client->config;
    CURL *easy = transfer->easy;

    if (curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms) != CURLE_OK)
        return false;
    if (request->timeout_ms > 0)
        return curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms) == CURLE_OK;
    return request->on_chunk != NULL ||
           (curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)config->stall_timeout_s) == CURLE_OK);
}

/* Method, headers and body of what is no plain GET. */
static bool set_request(struct transfer *transfer, const struct http_client_request *request)
{
    const char *const *line = request->headers;
    bool ok = true;

    for (const struct curl_slist *own = transfer->client->headers; line != NULL && ok && own != NULL; own = own->next)
        ok = add_header(&transfer->headers, own->data);
    for (; line != NULL && ok && *line != NULL; line++)
        ok = add_header(&transfer->headers, *line);
    if (ok && transfer->headers != NULL)
        ok = curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
    if (ok && request->body != NULL) /* the size first, or the copy ends at a NUL */
        ok =
            curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size) == CURLE_OK &&
            curl_easy_setopt(transfer->easy, CURLOPT_COPYPOSTFIELDS, request->body) == CURLE_OK;
    return ok && (strcmp(transfer->method, "GET") == 0 ||
                  curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, transfer->method) == CURLE_OK);
}

static bool set_options(struct transfer *transfer)
{
    CURL *easy = transfer->easy;

    return curl_easy_setopt(easy, CURLOPT_URL, transfer->url) == CURLE_OK && set_protocols(easy) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->client->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "recfleet/" RECFLEET_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
}

enum err_code http_client_send(struct http_client *client, const struct http_client_request *request, http_client_fn fn,
                               void *context, struct err *err)
{
    struct transfer *transfer = mem_zeroed(1, sizeof *transfer);

    if (transfer == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a request");
    transfer->client = client;
    transfer->fn = fn;
    transfer->context = context;
    transfer->on_chunk = request->on_chunk;
    str_copy(transfer->method, sizeof transfer->method, request->method != NULL ? request->method : "GET");
    transfer->url = strdup(request->url);
    transfer->easy = curl_easy_init();
    transfer->next = client->transfers;
    client->transfers = transfer;
    if (transfer->url == NULL || transfer->easy == NULL || !set_options(transfer) || !set_limits(transfer, request) ||
        !set_request(transfer, request) || curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        transfer_destroy(transfer);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a request to %s", request->url);
    }
    return ERR_OK;
}

enum err_code http_client_get(struct http_client *client, const char *url, http_client_fn fn, void *context,
                              struct err *err)
{
    struct http_client_request request = {.url = url};

    return http_client_send(client, &request, fn, context, err);
}

bool http_client_header(const struct http_response *response, const char *name, char *value, size_t size)
{
    const struct transfer *transfer = response->transfer;
    struct curl_header *header;

    value[0] = '\0';
    if (transfer == NULL || curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    /* the last of several: index 0 of a name that came once */
    if (header->amount > 1 &&
        curl_easy_header(transfer->easy, name, header->amount - 1, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    str_copy(value, size, header->value);
    return true;
}

/* "Connection refused" says more than that it could not connect. */
static const char *reason(const struct transfer *transfer, CURLcode code)
{
    long number = 0;

    if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number) == CURLE_OK &&
        number != 0)
        return strerror((int)number);
    return curl_easy_strerror(code);
}

static enum err_code failure(const struct transfer *transfer, CURLcode code, struct err *err)
{
    const char *method = transfer->method;

    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_SET(err, ERR_CONFIG, "%s %s: %s", method, transfer->url, reason(transfer, code));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_SET(err, ERR_REMOTE, "%s %s: %s", method, transfer->url, reason(transfer, code));
    case CURLE_WRITE_ERROR:
        if (transfer->too_large)
            return ERR_SET(err, ERR_TOO_LARGE, "%s %s: the answer is larger than %zu bytes", method, transfer->url,
                           transfer->client->config.max_body_bytes);
        return ERR_SET(err, ERR_NO_MEMORY, "%s %s: no memory for the answer", method, transfer->url);
    default:
        return ERR_SET(err, ERR_NETWORK, "%s %s: %s", method, transfer->url, reason(transfer, code));
    }
}

static void finish(struct transfer *transfer, CURLcode code)
{
    struct http_response response = {.retry_after_s = -1, .transfer = transfer};
    curl_off_t retry_after = 0;
    struct err err;

    str_append(&transfer->body, "", 0);
    if (code != CURLE_OK) {
        (void)failure(transfer, code, &err);
        transfer->fn(transfer->context, NULL, &err);
        return;
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &response.status);
    if (curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        response.retry_after_s = retry_after < 86400 ? (int)retry_after : 86400;
    response.body = transfer->body.text != NULL ? transfer->body.text : "";
    response.size = transfer->body.length;
    transfer->fn(transfer->context, &response, NULL);
}

enum err_code http_client_wait(struct http_client *client, int timeout_ms, struct err *err)
{
    CURLMsg *message;
    int running;
    int queued;
    CURLMcode status = curl_multi_perform(client->multi, &running);

    if (status == CURLM_OK)
        status = curl_multi_poll(client->multi, NULL, 0, timeout_ms, NULL);
    if (status == CURLM_OK)
        status = curl_multi_perform(client->multi, &running);
    if (status != CURLM_OK)
        return ERR_SET(err, ERR_INTERNAL, "libcurl: %s", curl_multi_strerror(status));
    while ((message = curl_multi_info_read(client->multi, &queued)) != NULL) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK)
            continue;
        finish(transfer, code);
        transfer_destroy(transfer);
    }
    return ERR_OK;
}
