#include "common/net/redis_command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/redis_internal.h"

enum {
    SCRIPT_BYTES = 800, /* of most, with their arguments */
    SCRIPT_ARGUMENTS = 32,
    FRAME_BYTES = 16, /* of most arguments, and more */
    INT_BYTES = 24
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
    if (mem_grow(&command->ends, &command->capacity, SCRIPT_ARGUMENTS, sizeof *command->ends, NULL) != ERR_OK)
        command->bytes.failed = true;
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

/* The digits in front of `end`; gives where they begin. */
static char *put_digits(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

/* $<length>, the bytes and each time a new line: as RESP has it. */

static void begin_argument(struct redis_command *command, size_t length)
{
    char frame[FRAME_BYTES + 8];
    char *end = frame + sizeof frame;
    char *at = end;

    *--at = '\n';
    *--at = '\r';
    at = put_digits(at, length);
    *--at = '$';
    str_reserve(&command->bytes, length + FRAME_BYTES);
    str_append(&command->bytes, at, (size_t)(end - at));
}

static void end_argument(struct redis_command *command)
{
    str_append(&command->bytes, "\r\n", 2);
    if (mem_grow(&command->ends, &command->capacity, command->count + 1, sizeof *command->ends, NULL) != ERR_OK)
        command->bytes.failed = true;
    else
        command->ends[command->count++] = command->bytes.length;
}

void redis_command_add_bytes(struct redis_command *command, const void *bytes, size_t length)
{
    begin_argument(command, length);
    str_append(&command->bytes, bytes, length);
    end_argument(command);
}

void redis_command_add(struct redis_command *command, const char *text)
{
    redis_command_add_bytes(command, text, strlen(text));
}

void redis_command_add_int(struct redis_command *command, int64_t value)
{
    char text[INT_BYTES];
    char *end = text + sizeof text;
    char *at = put_digits(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);

    if (value < 0)
        *--at = '-';
    redis_command_add_bytes(command, at, (size_t)(end - at));
}

void redis_command_add_joined(struct redis_command *command, const char *const *texts, size_t count)
{
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += strlen(texts[i]);
    begin_argument(command, length);
    for (size_t i = 0; i < count; i++)
        str_append_text(&command->bytes, texts[i]);
    end_argument(command);
}

void redis_command_add_format(struct redis_command *command, const char *format, ...)
{
    struct str text = {0};
    va_list args;

    va_start(args, format);
    str_append_arguments(&text, format, args);
    va_end(args);
    redis_command_add_bytes(command, text.text, text.length);
    command->bytes.failed = command->bytes.failed || text.failed;
    str_fini(&text);
}

const char *redis_command_argument(const struct redis_command *command, size_t index, size_t *length)
{
    const char *frame = command->bytes.text + (index > 0 ? command->ends[index - 1] : 0);
    const char *argument = strchr(frame, '\n') + 1;

    *length = (size_t)(command->bytes.text + command->ends[index] - 2 - argument);
    return argument;
}

static void print_argument(struct str *out, const char *text)
{
    size_t length = strlen(text);

    str_append_char(out, '$');
    str_append_int(out, (int64_t)length);
    str_append(out, "\r\n", 2);
    str_append(out, text, length);
    str_append(out, "\r\n", 2);
}

/* RESP: an array of bulk strings. */
bool redis_command_print(struct str *out, const struct redis_command *command, bool as_eval)
{
    size_t begin = as_eval ? command->ends[1] : 0; /* behind EVALSHA and the SHA-1 */

    str_clear(out);
    if (command->bytes.failed)
        return false;
    str_reserve(out, command->bytes.length + FRAME_BYTES);
    str_append_char(out, '*');
    str_append_int(out, (int64_t)command->count);
    str_append(out, "\r\n", 2);
    if (as_eval) {
        print_argument(out, "EVAL");
        print_argument(out, command->script->text);
    }
    str_append(out, command->bytes.text + begin, command->bytes.length - begin);
    return !out->failed;
}
