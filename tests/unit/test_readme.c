/*
 * The README's table of parameters is that of the program, row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/job/job_params.h"

static char *read_readme(void)
{
    const char *source = getenv("RECFLEET_SOURCE");
    struct str path = {0};
    struct str text = {0};
    char buffer[4096];
    size_t count;
    FILE *file;

    if (source == NULL)
        fail_msg("RECFLEET_SOURCE is not set: run this by ctest");
    str_append_format(&path, "%s/README.md", source);
    assert_false(path.failed);
    file = fopen(path.text, "rb");
    assert_non_null(file);
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0)
        str_append(&text, buffer, count);
    assert_int_equal(fclose(file), 0);
    assert_false(text.failed);
    str_fini(&path);
    return text.text;
}

static void append_range(struct str *row, const struct job_param *param)
{
    switch (param->kind) {
    case JOB_PARAM_INT:
        str_append_format(row, "integer, %.16g to %.16g", param->low, param->high);
        break;
    case JOB_PARAM_REAL:
        str_append_format(row, "number, %.16g to %.16g", param->low, param->high);
        break;
    case JOB_PARAM_BOOL:
        str_append_text(row, "`true`, `false`");
        break;
    case JOB_PARAM_CHOICE:
        for (size_t i = 0; param->choices[i] != NULL; i++)
            str_append_format(row, "%s`%s`", i > 0 ? ", " : "", param->choices[i]);
        break;
    case JOB_PARAM_TEXT:
        if (param->low == param->high)
            str_append_format(row, "text, %.0f bytes", param->low);
        else
            str_append_format(row, "text, %.0f to %.0f bytes", param->low, param->high);
        break;
    }
}

/* | `name` | type, range | default | `SETTING` | HCSW | meaning | */
static void append_row(struct str *row, const struct job_param *param)
{
    static const char letters[JOB_TYPE_COUNT] = {'H', 'C', 'S', 'W'};

    str_append_format(row, "| `%s` | ", param->name);
    append_range(row, param);
    for (int type = 0; type < JOB_TYPE_COUNT; type++) {
        if (job_param_takes_list(param, (enum job_type)type))
            str_append_format(row, "; %c: or a list", letters[type]);
    }
    str_append_format(row, " | %s | ", param->fallback);
    if (param->setting != NULL)
        str_append_format(row, "`%s` ", param->setting);
    str_append_text(row, "| ");
    for (int type = 0; type < JOB_TYPE_COUNT; type++) {
        if ((param->types >> type & 1u) != 0)
            str_append_char(row, letters[type]);
    }
    str_append_format(row, " | %s |\n", param->meaning);
}

static void readme_has_every_parameter_as_it_is(void **state)
{
    char *readme = read_readme();
    size_t count;
    const struct job_param *table = job_params_table(&count);
    int missing = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct str row = {0};

        append_row(&row, &table[i]);
        assert_false(row.failed);
        if (strstr(readme, row.text) == NULL) {
            print_message("README.md lacks: %s", row.text);
            missing++;
        }
        str_fini(&row);
    }
    free(readme);
    assert_true(count > 0);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readme_has_every_parameter_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
