#include "gateway/cli/cli_recommend.h"

#include <stdio.h>
#include <string.h>

#include "gateway/cli/cli_format.h"

const struct cli_option cli_recommend_options[] = {
    {"--namespace", "SHOP", "the shop, where there are several"},
    {NULL, NULL, NULL},
};

static const char *const kinds[] = {"homepage", "similar", "cross-sell"};

static bool is_kind(const char *word)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(word, kinds[i]) == 0)
            return true;
    }
    return false;
}

static void append_products(const struct cli_style *style, struct str *out, const struct json *products)
{
    for (size_t i = 0; i < json_value_count(products); i++) {
        const struct json *product = json_value_at(products, i);
        const struct json *id =
            json_value_kind(product) == JSON_KIND_OBJECT ? json_value_get(product, "product_id") : product;
        const char *title = json_value_get_text(product, "title");
        int64_t number;
        char text[CLI_FORMAT_BYTES];

        if (json_value_to_int64(id, &number)) /* an id, not a count */
            (void)snprintf(text, sizeof text, "%lld", (long long)number);
        else
            cli_format_value(text, id);
        str_append_format(out, "%3zu. ", i + 1);
        cli_style_append(style, out, CLI_BOLD, text);
        if (title != NULL)
            cli_style_append_format(style, out, CLI_PLAIN, "  %s", title);
        str_append_char(out, '\n');
    }
}

static void append_head(const struct cli_style *style, struct str *out, const struct json *answer, const char *kind,
                        const char *whose)
{
    char lives[CLI_FORMAT_BYTES];
    double ttl_s;

    cli_style_append_format(style, out, CLI_BOLD, "%s %s", kind, whose);
    if (json_value_get_text(answer, "key") != NULL)
        cli_style_append_format(style, out, CLI_DIM, "  key %s", json_value_get_text(answer, "key"));
    if (json_value_get_double(answer, "ttl_s", &ttl_s)) {
        cli_format_duration(lives, ttl_s);
        cli_style_append_format(style, out, CLI_DIM, ", lives for %s", lives);
    }
    str_append_char(out, '\n');
}

int cli_recommend_run(struct cli *cli)
{
    const char *kind = cli->arguments->operands[0];
    const char *shop = cli_arguments_value(cli->arguments, "--namespace");
    struct cli_answer answer;
    struct str path = {0};
    struct str text = {0};
    enum cli_status status;

    if (!is_kind(kind)) {
        cli_complain("there are homepage, similar and cross-sell, not \"%s\"", kind);
        return CLI_USAGE;
    }
    str_append_format(&path, "/v1/recommendations/%s/", kind);
    cli_client_escape(&path, cli->arguments->operands[1]);
    if (shop != NULL) {
        str_append_text(&path, "?namespace=");
        cli_client_escape(&path, shop);
    }
    status = path.failed ? CLI_INTERNAL : cli_get(cli, path.text, &answer);
    str_fini(&path);
    if (status != CLI_DONE)
        return (int)status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        append_head(&cli->style, &text, answer.json, kind, cli->arguments->operands[1]);
        append_products(&cli->style, &text, json_value_get(answer.json, "products"));
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return (int)status;
}
