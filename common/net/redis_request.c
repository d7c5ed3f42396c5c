#include "common/net/redis_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

enum { LONGEST_BLOCK_MS = 86400000 };

struct redis_request *redis_request_create(struct redis_command *command)
{
    struct redis_request *request = command->bytes.failed ? NULL : mem_zeroed(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->command = *command;
    *command = (struct redis_command){0};
    return request;
}

struct redis_request *redis_request_create_copy(const struct redis_command *command)
{
    struct redis_command copy;
    struct redis_request *request = NULL;

    if (redis_command_copy(&copy, command))
        request = redis_request_create(&copy);
    redis_command_fini(&copy);
    return request;
}

void redis_request_destroy(struct redis_request *request)
{
    if (request == NULL)
        return;
    redis_command_fini(&request->command);
    free(request);
}

void redis_request_push(struct redis_request_list *list, struct redis_request *request)
{
    request->next = NULL;
    if (list->tail != NULL)
        list->tail->next = request;
    else
        list->head = request;
    list->tail = request;
    list->count++;
}

struct redis_request *redis_request_pop(struct redis_request_list *list)
{
    struct redis_request *request = list->head;

    if (request == NULL)
        return NULL;
    list->head = request->next;
    if (list->head == NULL)
        list->tail = NULL;
    list->count--;
    request->next = NULL;
    return request;
}

static bool argument_is(const struct redis_command *command, size_t index, const char *word)
{
    size_t length;
    const char *text = redis_command_argument(command, index, &length);

    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

static uint64_t block_ms(const struct redis_command *command)
{
    if (!argument_is(command, 0, "XREAD") && !argument_is(command, 0, "XREADGROUP"))
        return 0;
    for (size_t i = 1; i + 1 < command->count; i++) {
        char number[24];
        int64_t value;
        size_t length;
        const char *text;

        if (!argument_is(command, i, "BLOCK"))
            continue;
        text = redis_command_argument(command, i + 1, &length);
        (void)snprintf(number, sizeof number, "%.*s", (int)(length < sizeof number ? length : 0), text);
        if (!str_to_int64(number, &value) || value < 0)
            return 0;
        return (uint64_t)(value < LONGEST_BLOCK_MS ? value : LONGEST_BLOCK_MS);
    }
    return 0;
}

uint64_t redis_request_deadline(const struct redis_request *request, const struct redis_request_list *list,
                                uint64_t now_ms, uint64_t reply_timeout_ms)
{
    uint64_t begin_ms = now_ms;

    /* one behind a BLOCK is not even read by the server before that ends */
    if (list->tail != NULL && list->tail->deadline_ms > now_ms + reply_timeout_ms)
        begin_ms = list->tail->deadline_ms - reply_timeout_ms;
    return begin_ms + block_ms(&request->command) + reply_timeout_ms;
}
