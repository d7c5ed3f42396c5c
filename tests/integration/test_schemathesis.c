/*
 * The gateway's answers are those that /openapi.json describes: schemathesis makes requests from the description, good
 * and bad, alone and one from another's answer, and looks at every answer. The requests are the same in each run;
 * SCHEMATHESIS_SECONDS=N looks for new ones for so long instead.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/cli_gateway.h"

enum { RUN_MS = 380000, MAX_WORDS = 40, PATH_BYTES = 1024, EXAMPLES = SANITIZED ? 4 : 16 };

static const char report[] =
    "{\"type\":\"cross_sell\",\"namespace\":\"shop-1\",\"created_at\":\"2026-01-01T00:00:00.000Z\",\"now\":1767225600,"
    "\"seconds\":2.5,\"stages\":[{\"name\":\"fetch\",\"seconds\":1.5,\"rows_in\":1000,\"rows_out\":990,\"dropped\":{"
    "\"duplicate\":10},\"notes\":null}],\"loss\":[0.5,null],\"metrics\":null,\"matrix\":{\"users\":40},\"warnings\":["
    "\"w\"],"
    "\"published\":true,\"published_counts\":{\"keys\":1234},\"text\":\"what happened\"}";

static const char conformance[] =
    "status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/* A tool of the tests' virtual environment; NULL where it is missing, which has been said. */
static const char *find_tool(const char *name, char *path)
{
    const char *folder = getenv("RECFLEET_TOOLS");
    const char *source = getenv("RECFLEET_SOURCE");

    if (folder != NULL)
        (void)snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    else
        (void)snprintf(path, PATH_BYTES, "%s/build/venv/bin/%s", source != NULL ? source : ".", name);
    if (access(path, X_OK) == 0)
        return path;
    (void)fprintf(stderr, "%s is not there (tests/run installs it)\n", path);
    return NULL;
}

/* What a test works with: the gateway, and a job that has ended. */
struct described {
    struct cli_gateway fixture;
    char ended[JOB_ID_BYTES];
};

static void start(struct described *described, const char *const *settings)
{
    struct job_queue_lease lease;

    memset(described, 0, sizeof *described);
    gateway_fixture_start(&described->fixture.gateway, settings, false);
    gateway_fixture_submit(&described->fixture.gateway, "cross_sell", "shop-1", described->ended);
    lease = cli_gateway_take(&described->fixture);
    cli_gateway_report(&described->fixture, &lease, report);
    cli_gateway_finish(&described->fixture, &lease, JOB_SUCCEEDED, "{\"result\":{\"published\":1234}}");
    assert_int_equal(setenv("SCHEMATHESIS_ENDED_JOB", described->ended, 1), 0);
}

static void run_child(const char *folder, const char *const *argv)
{
    char log[PATH_BYTES];
    int fd;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(log, sizeof log, "%s/tool.log", folder);
    fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(folder) != 0)
        _exit(126);
    (void)setenv("SCHEMATHESIS_KEY", API_KEY, 0);
    (void)setenv("NO_COLOR", "1", 1);
    (void)setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    (void)unsetenv("ASAN_OPTIONS");
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void show_log(const char *folder)
{
    char path[PATH_BYTES];
    char line[4096];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/tool.log", folder);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)fputs(line, stderr);
    if (file != NULL)
        (void)fclose(file);
}

/* Runs a tool in a folder, where its output goes too: its exit status, or 1000 + signal. */
static int run_tool(const char *folder, const char *const *argv)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + RUN_MS;
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        run_child(folder, argv);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (gateway_fixture_now_ms() > deadline_ms) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            show_log(folder);
            fail_msg("%s does not end", argv[0]);
        }
        gateway_fixture_pause();
    }
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    if (status != 0)
        show_log(folder);
    return status;
}

/* schemathesis against the fixture's gateway; further words, ended by NULL. */
static int run_schemathesis(struct gateway_fixture *fixture, const char *const *more)
{
    char program[PATH_BYTES];
    char config[PATH_BYTES];
    char schema[PATH_BYTES];
    char url[64];
    const char *source = getenv("RECFLEET_SOURCE");
    const char *argv[MAX_WORDS] = {program, "--config-file", config, "run", schema, "--url", url, "--no-shrink"};
    size_t count = 8;

    if (find_tool("schemathesis", program) == NULL)
        skip();
    assert_non_null(source);
    (void)snprintf(config, sizeof config, "%s/tests/integration/schemathesis.toml", source);
    (void)snprintf(schema, sizeof schema, "%s/gateway/web/openapi.json", source);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", fixture->gateway.port);
    for (; *more != NULL && count + 1 < MAX_WORDS; more++)
        argv[count++] = *more;
    argv[count] = NULL;
    return run_tool(fixture->gateway.folder, argv);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_description_is_valid(void **state)
{
    char program[PATH_BYTES];
    char schema[PATH_BYTES];
    const char *source = getenv("RECFLEET_SOURCE");
    char folder[] = "/tmp/recfleet-openapi-XXXXXX";
    char log[PATH_BYTES];

    (void)state;
    if (find_tool("openapi-spec-validator", program) == NULL)
        skip();
    assert_non_null(source);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(schema, sizeof schema, "%s/gateway/web/openapi.json", source);
    assert_int_equal(run_tool(folder, WORDS(program, schema)), 0);
    (void)snprintf(log, sizeof log, "%s/tool.log", folder);
    assert_int_equal(unlink(log), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void every_answer_is_described_and_none_is_a_fault(void **state)
{
    const char *const settings[] = {"RATE_LIMIT_SUBMIT=0", "RATE_LIMIT_READ=0", "LEGACY_WAIT_S=0",
                                    "API_NAMESPACE=shop-0", NULL};
    const char *seconds = getenv("SCHEMATHESIS_SECONDS");
    struct described described;
    char examples[16];
    int status;

    (void)state;
    (void)snprintf(examples, sizeof examples, "%d", EXAMPLES);
    start(&described, settings);
    if (seconds != NULL)
        status = run_schemathesis(&described.fixture.gateway, WORDS("--max-time", seconds));
    else
        status = run_schemathesis(&described.fixture.gateway,
                                  WORDS("--generation-deterministic", "--max-examples", examples));
    gateway_fixture_stop(&described.fixture.gateway);
    assert_int_equal(status, 0);
}

static void what_is_over_a_limit_is_described(void **state)
{
    const char *const settings[] = {"RATE_LIMIT_SUBMIT=1", "RATE_LIMIT_READ=1", "LEGACY_WAIT_S=0",
                                    "API_NAMESPACE=shop-0", NULL};
    struct described described;
    int status;

    (void)state;
    start(&described, settings);
    status = run_schemathesis(&described.fixture.gateway,
                              WORDS("--generation-deterministic", "--phases", "fuzzing", "--max-examples", "3",
                                    "--mode", "positive", "--checks", conformance));
    gateway_fixture_stop(&described.fixture.gateway);
    assert_int_equal(status, 0);
}

/* "reader" may read, and nothing else. */
static void what_a_key_may_not_do_is_described(void **state)
{
    static const char keys[] =
        "[{\"name\":\"reader\",\"sha256\":\"3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30\","
        "\"scopes\":[\"read\"]}]";
    const char *settings[] = {"RATE_LIMIT_SUBMIT=0", "RATE_LIMIT_READ=0", "API_NAMESPACE=shop-0", NULL, NULL};
    struct described described;
    char setting[PATH_BYTES];
    FILE *file;
    int status;

    (void)state;
    start(&described, NULL);
    assert_int_equal(gateway_fixture_end_gateway(&described.fixture.gateway), 0);
    (void)snprintf(setting, sizeof setting, "API_KEYS_FILE=%s/keys.json", described.fixture.gateway.gateway.folder);
    file = fopen(strchr(setting, '=') + 1, "w");
    assert_non_null(file);
    (void)fputs(keys, file);
    assert_int_equal(fclose(file), 0);
    settings[3] = setting;
    gateway_fixture_start_gateway(&described.fixture.gateway, settings);
    gateway_fixture_wait_for_status(&described.fixture.gateway, 403, "POST", "/v1/jobs",
                                    "X-API-KEY: reader\r\nContent-Type: application/json\r\n", "{}");
    assert_int_equal(setenv("SCHEMATHESIS_KEY", "reader", 1), 0);
    status = run_schemathesis(&described.fixture.gateway,
                              WORDS("--generation-deterministic", "--phases", "fuzzing", "--max-examples", "2",
                                    "--mode", "positive", "--checks", conformance));
    assert_int_equal(unsetenv("SCHEMATHESIS_KEY"), 0);
    gateway_fixture_stop(&described.fixture.gateway);
    assert_int_equal(status, 0);
}

static void what_is_answered_without_redis_is_described(void **state)
{
    const char *const settings[] = {"RATE_LIMIT_SUBMIT=0", "RATE_LIMIT_READ=0", "LEGACY_WAIT_S=0",
                                    "API_NAMESPACE=shop-0", NULL};
    struct described described;
    int status;

    (void)state;
    start(&described, settings);
    server_kill(&described.fixture.gateway.queue->server);
    gateway_fixture_wait_for_status(&described.fixture.gateway, 503, "POST", "/v1/jobs", AS_JSON,
                                    "{\"type\":\"warehouse\"}");
    status = run_schemathesis(&described.fixture.gateway,
                              WORDS("--generation-deterministic", "--phases", "fuzzing", "--max-examples", "3",
                                    "--mode", "positive", "--checks", conformance));
    gateway_fixture_stop(&described.fixture.gateway);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_described_and_none_is_a_fault),
        cmocka_unit_test(the_description_is_valid),
        cmocka_unit_test(what_is_over_a_limit_is_described),
        cmocka_unit_test(what_a_key_may_not_do_is_described),
        cmocka_unit_test(what_is_answered_without_redis_is_described),
    };
    size_t count = SANITIZED ? 1 : sizeof tests / sizeof tests[0];

    return _cmocka_run_group_tests("schemathesis", tests, count, NULL, NULL);
}
