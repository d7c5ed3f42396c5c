#include "common/net/redis_command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/redis_internal.h"

enum {
    SCRIPT_BYTES = 1000, /* of most, with their arguments */
    FRAME_BYTES = 10     /* of most arguments */
};

void redis_command_init(struct redis_command *command, const char *name)
{
    *command = (struct redis_command){0};
    redis_command_add(command, name);
}

void redis_command_init_script(struct redis_command *command, const struct redis_script *script, int keys)
{
    *command = (struct redis_command){0};
    str_reserve(&command->bytes, SCRIPT_BYTES);
    redis_command_add(command, "EVALSHA");
    redis_command_add(command, script->sha1);
    redis_command_add_int(command, keys);
    command->script = script;
}

void redis_command_fini(struct redis_command *command)
{
    str_fini(&command->bytes);
    free(command->ends);
    *command = (struct redis_command){0};
}

bool redis_command_copy(struct redis_command *out, const struct redis_command *command)
{
    *out = (struct redis_command){.script = command->script, .count = command->count};
    if (command->bytes.failed ||
        mem_grow(&out->ends, &out->capacity, command->count, sizeof *out->ends, NULL) != ERR_OK)
        return false;
    if (command->count > 0)
        memcpy(out->ends, command->ends, command->count * sizeof *out->ends);
    str_append(&out->bytes, command->bytes.text, command->bytes.length);
    return !out->bytes.failed;
}

/* What was appended to the bytes is an argument. */
static void end_argument(struct redis_command *command)
{
    if (mem_grow(&command->ends, &command->capacity, command->count + 1, sizeof *command->ends, NULL) != ERR_OK)
        command->bytes.failed = true;
    else
        command->ends[command->count++] = command->bytes.length;
}

void redis_command_add_bytes(struct redis_command *command, const void *bytes, size_t length)
{
    str_append(&command->bytes, bytes, length);
    end_argument(command);
}

void redis_command_add(struct redis_command *command, const char *text)
{
    redis_command_add_bytes(command, text, strlen(text));
}

void redis_command_add_int(struct redis_command *command, int64_t value)
{
    str_append_int(&command->bytes, value);
    end_argument(command);
}

void redis_command_add_joined(struct redis_command *command, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        str_append_text(&command->bytes, texts[i]);
    end_argument(command);
}

void redis_command_add_format(struct redis_command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    str_append_arguments(&command->bytes, format, args);
    va_end(args);
    end_argument(command);
}

const char *redis_command_argument(const struct redis_command *command, size_t index, size_t *length)
{
    size_t begin = index > 0 ? command->ends[index - 1] : 0;

    *length = command->ends[index] - begin;
    return command->bytes.text + begin;
}

static void print_argument(struct str *out, const char *bytes, size_t length)
{
    str_append_char(out, '$');
    str_append_int(out, (int64_t)length);
    str_append(out, "\r\n", 2);
    str_append(out, bytes, length);
    str_append(out, "\r\n", 2);
}

/* RESP: an array of bulk strings. */
bool redis_command_print(struct str *out, const struct redis_command *command, bool as_eval)
{
    str_clear(out);
    if (command->bytes.failed)
        return false;
    str_reserve(out, command->bytes.length + (command->count + 1) * FRAME_BYTES);
    str_append_char(out, '*');
    str_append_int(out, (int64_t)command->count);
    str_append(out, "\r\n", 2);
    for (size_t i = 0; i < command->count; i++) {
        size_t length;
        const char *argument = redis_command_argument(command, i, &length);

        if (as_eval && i == 0)
            print_argument(out, "EVAL", strlen("EVAL"));
        else if (as_eval && i == 1)
            print_argument(out, command->script->text, strlen(command->script->text));
        else
            print_argument(out, argument, length);
    }
    return !out->failed;
}
