#include "worker/arguments.h"

#include <stdbool.h>
#include <string.h>

static const char help[] =
    "usage: recfleet-worker [--env-file PATH]\n"
    "       recfleet-worker [--env-file PATH] --once TYPE [--param NAME=VALUE]... [--dump DIR]\n"
    "\n"
    "Takes training jobs from the queue and runs each in a process of its own; or runs one job\n"
    "at once, without a queue.\n"
    "\n"
    "  --once TYPE         run one job of that type (homepage_and_similar_products), publish, show its report\n"
    "  --param NAME=VALUE  a parameter of the job, as in the HTTP API (publish=false: a dry run)\n"
    "  --dump DIR          write what each stage made into DIR\n"
    "  --env-file PATH     settings beside the environment (default: .env beside the program)\n"
    "  --print-config      show the settings in effect, secrets masked, and exit\n"
    "  --version           show the version and exit\n"
    "  --help              show this and exit\n"
    "\n"
    "Settings are environment variables: API_URL (required: the shop's CMS, or file:DIR for an export),\n"
    "BEARER_TOKEN, API_NAMESPACE, QUEUE_REDIS_URL, STORE_URL, ...; --print-config lists them all.\n"
    "Exit status: 0 done, or ended by a signal; 1 a job of --once failed; 64 usage; 70 it failed; 78 a setting is "
    "wrong.\n";

const char *arguments_help(void)
{
    return help;
}

/* The value of `--name VALUE` or `--name=VALUE` at words[*at]; NULL where that word is another. *missing: no value. */
static const char *option_value(int count, char *const *words, int *at, const char *name, bool *missing)
{
    const char *word = words[*at];
    size_t length = strlen(name);

    if (word == NULL || strncmp(word, name, length) != 0)
        return NULL;
    if (word[length] == '=')
        return word + length + 1;
    if (word[length] != '\0')
        return NULL;
    if (*at + 1 >= count) {
        *missing = true;
        return NULL;
    }
    return words[++*at];
}

static bool parse_flag(struct arguments *out, const char *word)
{
    static const struct {
        const char *word;
        enum arguments_mode mode;
    } flags[] = {{"--run-job", ARGUMENTS_RUN_JOB},
                 {"--print-config", ARGUMENTS_PRINT_CONFIG},
                 {"--help", ARGUMENTS_HELP},
                 {"-h", ARGUMENTS_HELP},
                 {"--version", ARGUMENTS_VERSION}};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(word, flags[i].word) != 0)
            continue;
        if (out->mode != ARGUMENTS_HELP && out->mode != ARGUMENTS_VERSION)
            out->mode = flags[i].mode;
        return true;
    }
    return false;
}

static enum err_code add_param(struct arguments *out, const char *text, struct err *err)
{
    if (strchr(text, '=') == NULL || text[0] == '=')
        return ERR_SET(err, ERR_ARGUMENT, "--param %s: NAME=VALUE expected", text);
    if (out->param_count == ARGUMENTS_MAX_PARAMS)
        return ERR_SET(err, ERR_ARGUMENT, "more than %d parameters", ARGUMENTS_MAX_PARAMS);
    out->params[out->param_count++] = text;
    return ERR_OK;
}

static enum err_code parse_word(struct arguments *out, int count, char *const *words, int *at, struct err *err)
{
    const char *word = words[*at];
    const char *value;
    bool missing = false;

    if (parse_flag(out, word))
        return ERR_OK;
    if ((value = option_value(count, words, at, "--env-file", &missing)) != NULL) {
        out->env_file = value;
    } else if ((value = option_value(count, words, at, "--dump", &missing)) != NULL) {
        out->dump_dir = value;
    } else if ((value = option_value(count, words, at, "--param", &missing)) != NULL) {
        return add_param(out, value, err);
    } else if ((value = option_value(count, words, at, "--once", &missing)) != NULL) {
        out->type = value;
        if (out->mode == ARGUMENTS_SUPERVISE)
            out->mode = ARGUMENTS_ONCE;
    } else {
        return ERR_SET(err, ERR_ARGUMENT, missing ? "%s needs a value" : "unknown argument %s", word);
    }
    return ERR_OK;
}

enum err_code arguments_parse(struct arguments *out, int count, char *const *words, struct err *err)
{
    enum err_code rc = ERR_OK;

    *out = (struct arguments){.mode = ARGUMENTS_SUPERVISE};
    for (int at = 1; rc == ERR_OK && at < count; at++)
        rc = parse_word(out, count, words, &at, err);
    if (rc == ERR_OK && out->mode == ARGUMENTS_SUPERVISE && (out->param_count > 0 || out->dump_dir != NULL))
        return ERR_SET(err, ERR_ARGUMENT, "--param and --dump go with --once");
    return rc;
}
