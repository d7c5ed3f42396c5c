#include "gateway/cli/cli_arguments.h"

#include <stdint.h>
#include <string.h>

#include "common/base/str.h"

static const struct cli_option common[] = {
    {"--url", "URL", "the gateway (RECFLEET_URL; http://127.0.0.1:8080)"},
    {"--json", NULL, "print what the gateway answered"},
    {"--env-file", "PATH", "settings beside the environment (default: .env beside the program)"},
    {"--help", NULL, "show this, or the help of a command, and exit"},
    {"--version", NULL, "show the version and exit"},
    {NULL, NULL, NULL},
};

const struct cli_option *cli_arguments_common(void)
{
    return common;
}

/* The option that a word begins with ("--limit", "--limit=5"), or NULL. */
static const struct cli_option *find(const struct cli_option *options, const char *word)
{
    for (; options != NULL && options->name != NULL; options++) {
        size_t length = strlen(options->name);

        if (strncmp(options->name, word, length) == 0 &&
            (word[length] == '\0' || (word[length] == '=' && options->value != NULL)))
            return options;
    }
    return NULL;
}

static const struct cli_command *find_command(const struct cli_command *commands, const char *name)
{
    for (; commands->name != NULL; commands++) {
        if (strcmp(commands->name, name) == 0)
            return commands;
    }
    return NULL;
}

static enum err_code add_option(struct cli_arguments *out, int count, char *const *words, int *at, struct err *err)
{
    const char *word = strcmp(words[*at], "-h") == 0 ? "--help" : words[*at];
    const struct cli_option *option = find(common, word);
    const char *value = NULL;

    if (option == NULL && out->command != NULL)
        option = find(out->command->options, word);
    if (option == NULL)
        return ERR_SET(err, ERR_ARGUMENT, "unknown option %s", word);
    if (option->value != NULL) {
        const char *equals = word[strlen(option->name)] == '=' ? word + strlen(option->name) + 1 : NULL;

        if (equals == NULL && *at + 1 >= count)
            return ERR_SET(err, ERR_ARGUMENT, "%s needs a value: %s", option->name, option->value);
        value = equals != NULL ? equals : words[++*at];
    }
    if (out->option_count == CLI_MAX_OPTIONS)
        return ERR_SET(err, ERR_ARGUMENT, "more than %d options", CLI_MAX_OPTIONS);
    out->options[out->option_count].name = option->name;
    out->options[out->option_count++].value = value;
    return ERR_OK;
}

/* Words before the command that take a value must be stepped over; so the command is looked for first. */
static enum err_code find_named_command(struct cli_arguments *out, const struct cli_command *commands, int count,
                                        char *const *words, int *place, struct err *err)
{
    for (int at = 1; at < count; at++) {
        const struct cli_option *option = find(common, words[at]);

        if (option != NULL && option->value != NULL && strchr(words[at], '=') == NULL) {
            at++;
        } else if (words[at][0] != '-') {
            out->command = find_command(commands, words[at]);
            *place = at;
            return out->command != NULL ? ERR_OK : ERR_SET(err, ERR_ARGUMENT, "there is no command %s", words[at]);
        }
    }
    return ERR_OK;
}

static enum err_code check_operands(const struct cli_arguments *out, struct err *err)
{
    const struct cli_command *command = out->command;

    if (cli_arguments_has(out, "--help") || cli_arguments_has(out, "--version") || command == NULL)
        return ERR_OK;
    if (out->operand_count < command->least)
        return ERR_SET(err, ERR_ARGUMENT, "%s needs %s", command->name, command->operands);
    if (out->operand_count > command->most)
        return ERR_SET(err, ERR_ARGUMENT, "%s takes no \"%s\"", command->name, out->operands[command->most]);
    return ERR_OK;
}

enum err_code cli_arguments_parse(struct cli_arguments *out, const struct cli_command *commands, int count,
                                  char *const *words, struct err *err)
{
    bool only_operands = false;
    int place = 0;
    enum err_code rc;

    memset(out, 0, sizeof *out);
    rc = find_named_command(out, commands, count, words, &place, err);
    for (int at = 1; rc == ERR_OK && at < count; at++) {
        if (at == place)
            continue;
        if (!only_operands && strcmp(words[at], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && words[at][0] == '-' && words[at][1] != '\0') {
            rc = add_option(out, count, words, &at, err);
        } else if (out->operand_count == CLI_MAX_OPERANDS) {
            rc = ERR_SET(err, ERR_ARGUMENT, "too many words: %s", words[at]);
        } else {
            out->operands[out->operand_count++] = words[at];
        }
    }
    return rc == ERR_OK ? check_operands(out, err) : rc;
}

bool cli_arguments_has(const struct cli_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->option_count; i++) {
        if (strcmp(arguments->options[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *cli_arguments_value(const struct cli_arguments *arguments, const char *name)
{
    for (size_t i = arguments->option_count; i > 0; i--) {
        if (strcmp(arguments->options[i - 1].name, name) == 0)
            return arguments->options[i - 1].value;
    }
    return NULL;
}

enum err_code cli_arguments_int(const struct cli_arguments *arguments, const char *name, int fallback, int low,
                                int high, int *out, struct err *err)
{
    const char *text = cli_arguments_value(arguments, name);
    int64_t number = fallback;

    *out = fallback;
    if (text != NULL && (!str_to_int64(text, &number) || number < low || number > high))
        return ERR_SET(err, ERR_ARGUMENT, "%s must be a whole number from %d to %d, not \"%s\"", name, low, high, text);
    *out = (int)number;
    return ERR_OK;
}
