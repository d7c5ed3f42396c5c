#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job.h"
#include "gateway/job_overlay.h"

#define ID "01M83E583Z7ZMJ3KYDMHDHKP5N"

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err = {0};

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s", err.message);
    return value;
}

static struct json *document(void)
{
    struct job_request request = {.id = ID,
                                  .type = JOB_CROSS_SELL,
                                  .shop = "shop",
                                  .queue = "train",
                                  .requested_by = "k",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct json *made = job_document_create(&request, 1000);

    assert_non_null(made);
    return made;
}

static const char running[] =
    "{\"state\":\"running\",\"stage\":\"als\",\"progress\":\"0.5\",\"attempt\":\"2\",\"errs\":\"1\","
    "\"lost\":\"1\",\"fence\":\"77\",\"worker\":\"w1\",\"hb\":\"2000\",\"started\":\"1500\","
    "\"enq\":\"1000\",\"type\":\"cross_sell\",\"client\":\"k\",\"cancel\":\"user\","
    "\"args\":\"{\\\"params\\\":{\\\"window_days\\\":7},\\\"namespace\\\":\\\"shop\\\"}\","
    "\"err\":\"{\\\"code\\\":\\\"network\\\",\\\"message\\\":\\\"m\\\",\\\"transient\\\":true}\"}";

static void assert_number(const struct json *object, const char *key, int64_t expected)
{
    int64_t value = -1;

    assert_true(json_value_get_int64(object, key, &value));
    assert_int_equal(value, expected);
}

static void a_live_job_is_shown_as_its_hash_says(void **state)
{
    struct json *job = document();
    struct json *fields = parse(running);
    double progress = 0;

    (void)state;
    assert_true(job_overlay_apply(job, fields));
    assert_string_equal(json_value_get_text(job, "state"), "running");
    assert_string_equal(json_value_get_text(job, "stage"), "als");
    assert_true(json_value_get_double(job, "progress", &progress));
    assert_true(progress > 0.49 && progress < 0.51);
    assert_number(job, "attempt", 2);
    assert_number(job, "errors", 1);
    assert_number(job, "lost", 1);
    assert_string_equal(json_value_get_text(job, "worker"), "w1");
    assert_string_equal(json_value_get_text(job, "started_at"), "1970-01-01T00:00:01.500Z");
    assert_string_equal(json_value_get_text(job, "heartbeat_at"), "1970-01-01T00:00:02.000Z");
    assert_string_equal(json_value_get_text(json_value_get(job, "error"), "code"), "network");
    json_value_destroy(fields);
    json_value_destroy(job);
}

static void a_terminal_document_is_the_last_word(void **state)
{
    struct json *job = document();
    struct json *fields = parse(running);

    (void)state;
    assert_true(json_value_set_text(job, "state", "succeeded"));
    assert_true(job_overlay_apply(job, fields));
    assert_string_equal(json_value_get_text(job, "state"), "succeeded");
    assert_string_equal(json_value_get_text(job, "stage"), "");
    json_value_destroy(fields);
    json_value_destroy(job);
}

static void a_hash_older_than_the_document_is_not_believed(void **state)
{
    struct json *job = document();
    struct json *fields = parse(running);

    (void)state;
    assert_true(json_value_set_text(job, "state", "running"));
    assert_true(json_value_set_int(job, "fence", 78));
    assert_true(job_overlay_apply(job, fields));
    assert_string_equal(json_value_get_text(job, "stage"), "");
    json_value_destroy(fields);
    json_value_destroy(job);
}

static void a_hash_that_never_ran_is_believed_by_its_generation(void **state)
{
    struct json *job = document();
    struct json *earlier = parse("{\"state\":\"cancelled\",\"attempt\":\"0\"}");
    struct json *anew = parse("{\"state\":\"scheduled\",\"attempt\":\"0\",\"gen\":\"1\"}");

    (void)state;
    assert_true(json_value_set_text(job, "state", "queued"));
    assert_true(json_value_set_int(job, "fence", 78));
    assert_true(json_value_set_int(job, "generation", 1));
    assert_true(job_overlay_is_earlier(job, earlier));
    assert_true(job_overlay_apply(job, earlier));
    assert_string_equal(json_value_get_text(job, "state"), "queued");
    assert_false(job_overlay_is_earlier(job, anew)); /* Redis lost the run that wrote the document */
    assert_true(job_overlay_apply(job, anew));
    assert_string_equal(json_value_get_text(job, "state"), "scheduled");
    json_value_destroy(earlier);
    json_value_destroy(anew);
    json_value_destroy(job);
}

static void an_error_that_a_script_wrote_is_shown_as_its_message(void **state)
{
    struct json *job = document();
    struct json *fields = parse("{\"state\":\"dead\",\"err\":\"worker lost too often\"}");

    (void)state;
    assert_true(job_overlay_apply(job, fields));
    assert_string_equal(json_value_get_text(json_value_get(job, "error"), "message"), "worker lost too often");
    json_value_destroy(fields);
    json_value_destroy(job);
}

static void a_job_can_be_shown_from_its_hash_alone(void **state)
{
    struct json *fields = parse(running);
    struct json *job = job_overlay_document(ID, "train", fields);
    struct json *view;

    (void)state;
    assert_non_null(job);
    assert_string_equal(json_value_get_text(job, "_id"), ID);
    assert_string_equal(json_value_get_text(job, "type"), "cross_sell");
    assert_string_equal(json_value_get_text(job, "namespace"), "shop");
    assert_string_equal(json_value_get_text(job, "requested_by"), "k");
    assert_number(json_value_get(job, "params"), "window_days", 7);
    view = job_overlay_view(job, 3000, 500);
    assert_string_equal(json_value_get_text(view, "id"), ID);
    assert_string_equal(json_value_get_text(view, "created_at"), "2026-11-23T05:30:45.247Z");
    json_value_destroy(view);
    json_value_destroy(job);
    json_value_destroy(fields);
}

static void a_hash_that_is_none_of_a_job_gives_nothing(void **state)
{
    static const char *const texts[] = {"{}", "{\"type\":\"cross_sell\"}", "{\"type\":\"x\",\"args\":\"{}\"}",
                                        "{\"type\":\"cross_sell\",\"args\":\"{\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json *fields = parse(texts[i]);

        assert_null(job_overlay_document(ID, "train", fields));
        json_value_destroy(fields);
    }
}

static void a_running_job_without_beats_is_stalled(void **state)
{
    struct json *job = document();
    struct json *fields = parse(running);
    bool stalled = true;
    struct json *view;

    (void)state;
    assert_true(job_overlay_apply(job, fields));
    view = job_overlay_view(job, 2400, 500);
    assert_true(json_value_get_bool(view, "stalled", &stalled));
    assert_false(stalled);
    json_value_destroy(view);
    view = job_overlay_view(job, 2600, 500);
    assert_true(json_value_get_bool(view, "stalled", &stalled));
    assert_true(stalled);
    json_value_destroy(view);
    json_value_destroy(fields);
    json_value_destroy(job);
}

static void an_id_tells_its_time(void **state)
{
    struct clock_source clock = clock_system();
    int64_t before = clock_unix_ms(&clock);
    char id[JOB_ID_BYTES];
    struct err err;

    (void)state;
    assert_int_equal(job_id_generate(id, &clock, &err), ERR_OK);
    assert_true(job_overlay_id_time_ms(id) >= before && job_overlay_id_time_ms(id) <= clock_unix_ms(&clock));
    assert_int_equal(job_overlay_id_time_ms("x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_job_is_shown_as_its_hash_says),
        cmocka_unit_test(a_terminal_document_is_the_last_word),
        cmocka_unit_test(a_hash_older_than_the_document_is_not_believed),
        cmocka_unit_test(a_hash_that_never_ran_is_believed_by_its_generation),
        cmocka_unit_test(an_error_that_a_script_wrote_is_shown_as_its_message),
        cmocka_unit_test(a_job_can_be_shown_from_its_hash_alone),
        cmocka_unit_test(a_hash_that_is_none_of_a_job_gives_nothing),
        cmocka_unit_test(a_running_job_without_beats_is_stalled),
        cmocka_unit_test(an_id_tells_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
