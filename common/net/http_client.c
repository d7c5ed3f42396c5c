#include "common/net/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

enum { CONNECT_TIMEOUT_MS = 10000, STALL_TIMEOUT_S = 60, STALL_BYTES_PER_S = 1024, MAX_BODY_BYTES = 64 << 20 };

struct transfer {
    struct http_client *client;
    struct transfer *next; /* in client->transfers */
    CURL *easy;
    char *url;
    struct str body;
    bool too_large;
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
    str_fini(&transfer->body);
    free(transfer->url);
    free(transfer);
}

static enum err_code set_headers(struct http_client *client, const char *bearer, struct err *err)
{
    struct curl_slist *grown;
    char *line;

    if (bearer == NULL || bearer[0] == '\0')
        return ERR_OK;
    if (strpbrk(bearer, "\r\n") != NULL)
        return ERR_SET(err, ERR_CONFIG, "the bearer token has a line break");
    line = str_format("Authorization: Bearer %s", bearer);
    grown = line != NULL ? curl_slist_append(client->headers, line) : NULL;
    free(line);
    if (grown == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for an HTTP client");
    client->headers = grown;
    return ERR_OK;
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

static bool set_options(struct transfer *transfer)
{
    const struct http_client_config *config = &transfer->client->config;
    CURL *easy = transfer->easy;

    return curl_easy_setopt(easy, CURLOPT_URL, transfer->url) == CURLE_OK && set_protocols(easy) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->client->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "recfleet/" RECFLEET_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)config->stall_timeout_s) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
}

enum err_code http_client_get(struct http_client *client, const char *url, http_client_fn fn, void *context,
                              struct err *err)
{
    struct transfer *transfer = mem_zeroed(1, sizeof *transfer);

    if (transfer == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a request");
    transfer->client = client;
    transfer->fn = fn;
    transfer->context = context;
    transfer->url = strdup(url);
    transfer->easy = curl_easy_init();
    transfer->next = client->transfers;
    client->transfers = transfer;
    if (transfer->url == NULL || transfer->easy == NULL || !set_options(transfer) ||
        curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        transfer_destroy(transfer);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a request to %s", url);
    }
    return ERR_OK;
}

static enum err_code failure(const struct transfer *transfer, CURLcode code, struct err *err)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_SET(err, ERR_CONFIG, "GET %s: %s", transfer->url, curl_easy_strerror(code));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_SET(err, ERR_REMOTE, "GET %s: %s", transfer->url, curl_easy_strerror(code));
    case CURLE_WRITE_ERROR:
        if (transfer->too_large)
            return ERR_SET(err, ERR_TOO_LARGE, "GET %s: the answer is larger than %zu bytes", transfer->url,
                           transfer->client->config.max_body_bytes);
        return ERR_SET(err, ERR_NO_MEMORY, "GET %s: no memory for the answer", transfer->url);
    default:
        return ERR_SET(err, ERR_NETWORK, "GET %s: %s", transfer->url, curl_easy_strerror(code));
    }
}

static void finish(struct transfer *transfer, CURLcode code)
{
    struct http_response response = {.retry_after_s = -1};
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
