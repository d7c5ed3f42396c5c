/*
 * /openapi.json says what the program does: its routes, its jobs, their parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "common/job/job.h"
#include "common/job/job_params.h"
#include "common/job/job_settings.h"
#include "gateway/job_body.h"
#include "gateway/router.h"
#include "gateway/web_page.h"

static int setup(void **state)
{
    struct json *document = NULL;
    struct err err = {0};

    if (json_value_parse(&document, web_page_openapi, strlen(web_page_openapi), &err) != ERR_OK) {
        print_error("%s\n", err.message);
        return -1;
    }
    *state = document;
    return 0;
}

static int teardown(void **state)
{
    json_value_destroy(*state);
    return 0;
}

/* "#/a/b" within the document, with ~1 for "/" and ~0 for "~" (RFC 6901); NULL: there is no such thing. */
static const struct json *resolve(const struct json *document, const char *pointer)
{
    const struct json *value = document;

    assert_memory_equal(pointer, "#/", 2);
    for (pointer++; value != NULL && *pointer == '/';) {
        char key[256];
        size_t used = 0;

        for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
            assert_true(used + 1 < sizeof key);
            if (*pointer == '~') {
                pointer++;
                key[used++] = *pointer == '1' ? '/' : '~';
            } else {
                key[used++] = *pointer;
            }
        }
        key[used] = '\0';
        value = json_value_get(value, key);
    }
    return value;
}

/* What a value is, behind its $ref. */
static const struct json *behind(const struct json *document, const struct json *value)
{
    const char *ref = json_value_get_text(value, "$ref");

    return ref != NULL ? resolve(document, ref) : value;
}

static const struct json *schema(const struct json *document, const char *name)
{
    const struct json *found = json_value_get(resolve(document, "#/components/schemas"), name);

    if (found == NULL)
        fail_msg("there is no schema %s", name);
    return found;
}

static bool holds_text(const struct json *array, const char *text)
{
    for (size_t i = 0; i < json_value_count(array); i++) {
        const char *found = json_value_text(json_value_at(array, i));

        if (found != NULL && strcmp(found, text) == 0)
            return true;
    }
    return false;
}

static void it_is_openapi_3_1_of_this_version(void **state)
{
    const struct json *document = *state;

    assert_memory_equal(json_value_get_text(document, "openapi"), "3.1.", 4);
    assert_string_equal(json_value_get_text(json_value_get(document, "info"), "version"), RECFLEET_VERSION);
}

/* The operation that describes a route, or NULL. */
static const struct json *operation_of(const struct json *document, const struct router_route *route)
{
    char method[16];
    size_t length = strlen(route->method);

    assert_true(length < sizeof method);
    for (size_t i = 0; i <= length; i++)
        method[i] =
            (char)(route->method[i] >= 'A' && route->method[i] <= 'Z' ? route->method[i] | 0x20 : route->method[i]);
    return json_value_get(json_value_get(json_value_get(document, "paths"), route->pattern), method);
}

static void every_route_is_described(void **state)
{
    struct router_route route;
    size_t count = 0;
    int missing = 0;

    for (; router_route_at(count, &route); count++) {
        if (operation_of(*state, &route) == NULL) {
            print_message("gateway/web/openapi.json lacks %s %s\n", route.method, route.pattern);
            missing++;
        }
    }
    assert_true(count > 0);
    assert_int_equal(missing, 0);
}

struct operation_visit {
    const struct json *document;
    const char *path;
    int surplus;
    int faults;
    struct json *ids; /* seen so far */
};

static bool is_method(const char *name)
{
    static const char *const methods[] = {"get", "put", "post", "delete", "options", "head", "patch", "trace"};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(name, methods[i]) == 0)
            return true;
    }
    return false;
}

/* The route that an operation describes; false: there is none. */
static bool find_route(const char *path, const char *method, struct router_route *out)
{
    for (size_t i = 0; router_route_at(i, out); i++) {
        if (strcmp(out->pattern, path) == 0 && strcasecmp(out->method, method) == 0)
            return true;
    }
    return false;
}

static void fault(struct operation_visit *visit, const char *method, const char *what)
{
    print_message("%s %s: %s\n", method, visit->path, what);
    visit->faults++;
}

/* What an operation must have beyond its own answers. */
static void check_operation(struct operation_visit *visit, const char *method, const struct json *operation,
                            const struct router_route *route)
{
    static const char *const everywhere[] = {"400", "408", "413", "417", "431", "500", "501", "503", "505"};
    static const char *const with_key[] = {"401", "403", "429"};
    const struct json *responses = json_value_get(operation, "responses");
    const struct json *security = json_value_get(operation, "security");
    const char *id = json_value_get_text(operation, "operationId");

    if (id == NULL || json_value_get(visit->ids, id) != NULL)
        fault(visit, method, "its operationId is missing, or another's");
    else
        assert_true(json_value_set_bool(visit->ids, id, true));
    if (json_value_get_text(operation, "summary") == NULL)
        fault(visit, method, "it has no summary");
    if (route->open != (security != NULL && json_value_count(security) == 0))
        fault(visit, method, "\"security\": [] belongs to the routes without a key, and to them alone");
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++) {
        if (json_value_get(responses, everywhere[i]) == NULL)
            fault(visit, method, everywhere[i]);
    }
    for (size_t i = 0; i < sizeof with_key / sizeof with_key[0]; i++) {
        if (route->open == (json_value_get(responses, with_key[i]) != NULL))
            fault(visit, method, with_key[i]);
    }
}

static bool on_member(void *context, const char *key, const struct json *value)
{
    struct operation_visit *visit = context;
    struct router_route route;

    if (!is_method(key))
        return true;
    if (find_route(visit->path, key, &route)) {
        check_operation(visit, key, value, &route);
    } else {
        print_message("there is no route for %s %s\n", key, visit->path);
        visit->surplus++;
    }
    return true;
}

static bool on_path(void *context, const char *path, const struct json *item)
{
    struct operation_visit *visit = context;

    visit->path = path;
    json_value_each(item, on_member, visit);
    return true;
}

static void nothing_is_described_that_is_no_route(void **state)
{
    struct operation_visit visit = {.document = *state, .ids = json_value_new_object()};

    json_value_each(json_value_get(*state, "paths"), on_path, &visit);
    json_value_destroy(visit.ids);
    assert_int_equal(visit.surplus, 0);
    assert_int_equal(visit.faults, 0);
}

/* Every answer says its request's id, and every 429 and 503 when to come again. */
struct response_visit {
    const struct json *document;
    int faults;
};

static bool on_response(void *context, const char *status, const struct json *value)
{
    struct response_visit *visit = context;
    const struct json *response = behind(visit->document, value);

    if (json_value_get(json_value_get(response, "headers"), "X-Request-Id") == NULL ||
        json_value_get_text(response, "description") == NULL) {
        print_message("an answer %s lacks X-Request-Id or its description\n", status);
        visit->faults++;
    }
    if (strcmp(status, "429") == 0 && json_value_get(json_value_get(response, "headers"), "Retry-After") == NULL)
        visit->faults++;
    return true;
}

static bool on_operation(void *context, const char *key, const struct json *value)
{
    if (is_method(key))
        json_value_each(json_value_get(value, "responses"), on_response, context);
    return true;
}

static bool on_path_item(void *context, const char *path, const struct json *item)
{
    (void)path;
    json_value_each(item, on_operation, context);
    return true;
}

static void every_answer_has_the_headers_of_all(void **state)
{
    struct response_visit visit = {.document = *state};

    json_value_each(json_value_get(*state, "paths"), on_path_item, &visit);
    assert_int_equal(visit.faults, 0);
}

struct ref_visit {
    const struct json *document;
    int count;
    int broken;
};

static void follow_refs(struct ref_visit *visit, const struct json *value);

static bool on_ref_member(void *context, const char *key, const struct json *value)
{
    struct ref_visit *visit = context;

    if (strcmp(key, "$ref") == 0) {
        visit->count++;
        if (resolve(visit->document, json_value_text(value)) == NULL) {
            print_message("%s leads nowhere\n", json_value_text(value));
            visit->broken++;
        }
    }
    follow_refs(visit, value);
    return true;
}

static void follow_refs(struct ref_visit *visit, const struct json *value)
{
    json_value_each(value, on_ref_member, visit);
    for (size_t i = 0; json_value_kind(value) == JSON_KIND_ARRAY && i < json_value_count(value); i++)
        follow_refs(visit, json_value_at(value, i));
}

static void every_reference_leads_somewhere(void **state)
{
    struct ref_visit visit = {.document = *state};

    follow_refs(&visit, *state);
    assert_true(visit.count > 100);
    assert_int_equal(visit.broken, 0);
}

/* Parameters of jobs */

static void assert_limit(const struct json *property, const char *key, double expected, const char *name)
{
    double value;

    if (!json_value_get_double(property, key, &value) || value != expected)
        fail_msg("%s: %s must be %.17g", name, key, expected);
}

static void assert_default(const struct json *property, const struct job_param *param)
{
    const struct json *fallback = json_value_get(property, "default");
    const char *description = json_value_get_text(property, "description");
    char *printed;
    struct json *set = json_value_new_object();

    assert_non_null(description);
    assert_non_null(set);
    if (fallback == NULL) { /* a default that is no value stands in the description */
        if (strstr(description, param->fallback) == NULL)
            fail_msg("%s: its default is missing", param->name);
    } else {
        assert_true(json_value_set(set, param->name, json_value_dup(fallback)));
        for (int type = 0; type < JOB_TYPE_COUNT; type++) {
            if ((param->types >> type & 1u) != 0)
                assert_int_equal(job_params_check((enum job_type)type, set, NULL), ERR_OK);
        }
        printed = json_value_print(fallback, false, 0);
        assert_non_null(printed);
        if (strcmp(printed, param->fallback) != 0 &&
            (json_value_text(fallback) == NULL || strcmp(json_value_text(fallback), param->fallback) != 0))
            fail_msg("%s: the default is %s, not %s", param->name, param->fallback, printed);
        free(printed);
    }
    json_value_destroy(set);
}

static void assert_param(const struct json *property, const struct job_param *param)
{
    static const char *const kinds[] = {[JOB_PARAM_INT] = "integer",
                                        [JOB_PARAM_REAL] = "number",
                                        [JOB_PARAM_BOOL] = "boolean",
                                        [JOB_PARAM_CHOICE] = "string",
                                        [JOB_PARAM_TEXT] = "string"};
    const struct json *choices = json_value_get(property, "enum");
    size_t count = 0;

    assert_string_equal(json_value_get_text(property, "type"), kinds[param->kind]);
    if (param->kind == JOB_PARAM_INT || param->kind == JOB_PARAM_REAL) {
        assert_limit(property, "minimum", param->low, param->name);
        assert_limit(property, "maximum", param->high, param->name);
    } else if (param->kind == JOB_PARAM_TEXT) {
        assert_limit(property, "minLength", param->low, param->name);
        assert_limit(property, "maxLength", param->high, param->name);
    } else if (param->kind == JOB_PARAM_CHOICE) {
        for (; param->choices[count] != NULL; count++)
            assert_true(holds_text(choices, param->choices[count]));
        assert_int_equal(json_value_count(choices), count);
    }
    assert_default(property, param);
}

/* The schema of one value, after that of a list of them was looked at. */
static const struct json *one_or_list(const struct json *document, const struct json *property,
                                      const struct job_param *param)
{
    const struct json *choices = json_value_get(property, "oneOf");
    const struct json *list = json_value_at(choices, 1);
    bool unique = false;

    assert_int_equal(json_value_count(choices), 2);
    assert_string_equal(json_value_get_text(list, "type"), "array");
    assert_limit(list, "minItems", 1, param->name);
    assert_limit(list, "maxItems", JOB_PARAM_MOST_VALUES, param->name);
    assert_true(json_value_get_bool(list, "uniqueItems", &unique) && unique);
    assert_param(behind(document, json_value_get(list, "items")), param);
    return json_value_at(choices, 0);
}

/* The schema of a type's params, by its submission. */
static const struct json *params_of(const struct json *document, enum job_type type)
{
    const struct json *submissions = json_value_get(schema(document, "Submission"), "oneOf");

    assert_int_equal(json_value_count(submissions), JOB_TYPE_COUNT);
    for (size_t i = 0; i < json_value_count(submissions); i++) {
        const struct json *properties = json_value_get(behind(document, json_value_at(submissions, i)), "properties");
        const char *name = json_value_get_text(json_value_get(properties, "type"), "const");

        if (name != NULL && strcmp(name, job_type_name(type)) == 0)
            return behind(document, json_value_get(properties, "params"));
    }
    fail_msg("there is no submission of %s", job_type_name(type));
    return NULL;
}

static void the_parameters_are_those_of_the_jobs(void **state)
{
    const struct json *document = *state;
    size_t count;
    const struct job_param *table = job_params_table(&count);

    for (int type = 0; type < JOB_TYPE_COUNT; type++) {
        const struct json *params = params_of(document, (enum job_type)type);
        const struct json *properties = json_value_get(params, "properties");
        size_t expected = 0;
        bool more = true;

        assert_true(json_value_get_bool(params, "additionalProperties", &more));
        assert_false(more);
        for (size_t i = 0; i < count; i++) {
            const struct json *property = json_value_get(properties, table[i].name);
            bool belongs = (table[i].types >> type & 1u) != 0;

            if (belongs != (property != NULL))
                fail_msg("%s of %s", table[i].name, job_type_name((enum job_type)type));
            if (!belongs)
                continue;
            if (job_param_takes_list(&table[i], (enum job_type)type))
                property = one_or_list(document, property, &table[i]);
            assert_param(behind(document, property), &table[i]);
            expected++;
        }
        assert_int_equal(json_value_count(properties), expected);
    }
}

static void types_states_and_caps_are_those_of_the_program(void **state)
{
    const struct json *types = json_value_get(schema(*state, "JobType"), "enum");
    const struct json *states = json_value_get(schema(*state, "JobState"), "enum");
    const struct json *max_errors = schema(*state, "MaxErrors");

    assert_int_equal(json_value_count(types), JOB_TYPE_COUNT);
    for (int type = 0; type < JOB_TYPE_COUNT; type++)
        assert_true(holds_text(types, job_type_name((enum job_type)type)));
    assert_int_equal(json_value_count(states), JOB_STATE_COUNT);
    for (int each = 0; each < JOB_STATE_COUNT; each++)
        assert_true(holds_text(states, job_state_name((enum job_state)each)));
    assert_limit(max_errors, "minimum", 0, "max_errors");
    assert_limit(max_errors, "maximum", JOB_BODY_MAX_ERRORS, "max_errors");
    assert_limit(max_errors, "default", JOB_SETTINGS_MAX_ERRORS, "max_errors");
}

struct view_visit {
    const struct json *job; /* the schema */
    int faults;
};

static bool on_view_member(void *context, const char *key, const struct json *value)
{
    struct view_visit *visit = context;

    (void)value;
    if (json_value_get(json_value_get(visit->job, "properties"), key) == NULL ||
        !holds_text(json_value_get(visit->job, "required"), key)) {
        print_message("schema Job lacks %s\n", key);
        visit->faults++;
    }
    return true;
}

static void a_job_has_the_members_that_are_described(void **state)
{
    struct job_request request = {.id = "01JZWQ5T8X9C3M7V2K4N6P8R0S",
                                  .type = JOB_CROSS_SELL,
                                  .shop = "shop",
                                  .queue = "train",
                                  .requested_by = "key",
                                  .fingerprint = ""};
    struct view_visit visit = {.job = schema(*state, "Job")};
    struct json *document = job_document_create(&request, 1);
    struct json *view = document != NULL ? job_document_view(document) : NULL;

    assert_non_null(view);
    json_value_each(view, on_view_member, &visit);
    assert_int_equal(visit.faults, 0);
    assert_int_equal(json_value_count(view), json_value_count(json_value_get(visit.job, "properties")));
    json_value_destroy(view);
    json_value_destroy(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_openapi_3_1_of_this_version),
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(nothing_is_described_that_is_no_route),
        cmocka_unit_test(every_answer_has_the_headers_of_all),
        cmocka_unit_test(every_reference_leads_somewhere),
        cmocka_unit_test(the_parameters_are_those_of_the_jobs),
        cmocka_unit_test(types_states_and_caps_are_those_of_the_program),
        cmocka_unit_test(a_job_has_the_members_that_are_described),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
