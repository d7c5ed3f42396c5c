#include "gateway/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/job/job.h"

void cli_complain(const char *format, ...)
{
    char text[2 * ERR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *at = text; *at != '\0'; at++) { /* what a server said must not steer the terminal */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    }
    (void)fflush(stdout); /* in the order it was said, where both go to one place */
    (void)fprintf(stderr, "recfleet: %s\n", text);
}

enum cli_status cli_status_of(const struct err *err, long http_status)
{
    if (http_status == 401 || http_status == 403)
        return CLI_REFUSED;
    if (http_status == 429)
        return CLI_LATER;
    if (http_status >= 500 && http_status != 503 && http_status != 502 && http_status != 504)
        return CLI_INTERNAL;
    switch (err->code) {
    case ERR_NETWORK:
    case ERR_UNAVAILABLE:
        return CLI_UNAVAILABLE;
    case ERR_ARGUMENT:
        return CLI_USAGE;
    case ERR_CONFIG:
        return CLI_CONFIG;
    case ERR_REMOTE:
        return http_status != 0 ? CLI_FAILED : CLI_UNAVAILABLE; /* without a status: its certificate */
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
        return CLI_FAILED;
    default:
        return CLI_INTERNAL;
    }
}

enum cli_status cli_print(struct str *text)
{
    enum cli_status status = CLI_DONE;

    if (text->failed) {
        cli_complain("no memory for the output");
        status = CLI_INTERNAL;
    } else if (text->length > 0 &&
               (fwrite(text->text, 1, text->length, stdout) != text->length || fflush(stdout) != 0)) {
        cli_complain("write the output: %s", strerror(errno));
        status = CLI_INTERNAL;
    }
    str_fini(text);
    return status;
}

enum cli_status cli_print_answer(const struct cli_answer *answer)
{
    struct str line = {0};

    str_append(&line, answer->body.text != NULL ? answer->body.text : "", answer->body.length);
    if (answer->body.length > 0)
        str_append_char(&line, '\n');
    return cli_print(&line);
}

enum cli_status cli_ask(struct cli *cli, const struct cli_request *request, struct cli_answer *answer)
{
    enum cli_status status;
    struct err err = {.code = ERR_OK};

    if (cli_client_ask(cli->client, request, answer, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return cli_status_of(&err, 0);
    }
    if (answer->status == 304 || (answer->status / 100 == 2 && answer->json != NULL))
        return CLI_DONE;
    if (answer->status < 400) {
        cli_complain("%s%s answers %ld and no JSON: is this the gateway?", cli_client_url(cli->client), request->path,
                     answer->status);
        status = CLI_INTERNAL;
    } else {
        (void)cli_answer_to_err(cli->client, request, answer, &err);
        if (cli->json)
            (void)cli_print_answer(answer);
        cli_complain("%s", err.message);
        status = cli_status_of(&err, answer->status);
    }
    cli_answer_fini(answer);
    return status;
}

enum cli_status cli_get(struct cli *cli, const char *path, struct cli_answer *answer)
{
    struct cli_request request = {.path = path};

    return cli_ask(cli, &request, answer);
}

const char *cli_job_id(const struct cli *cli, size_t operand)
{
    const char *id = cli->arguments->operands[operand];

    if (job_id_is_valid(id))
        return id;
    cli_complain("\"%s\" is no id of a job: one has 26 characters, such as 01JZWQ5T8X9C3M7V2K4N6P8R0S", id);
    return NULL;
}
