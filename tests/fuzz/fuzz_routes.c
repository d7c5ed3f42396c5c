/* QUEUE_ROUTES on the first line, WORKER_QUEUES on the second. */
#include <stdlib.h>
#include <string.h>

#include "common/job/job_settings.h"
#include "tests/fuzz/fuzz_support.h"

static void check_names(const struct job_queue_names *names)
{
    FUZZ_CHECK(names->count > 0 && names->count <= JOB_ROUTES_MAX);
    for (size_t i = 0; i < names->count; i++) {
        FUZZ_CHECK(job_settings_is_name(names->names[i]));
        for (size_t other = 0; other < i; other++)
            FUZZ_CHECK(strcmp(names->names[i], names->names[other]) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_take_line(&data, &size);
    char *queues = fuzz_take_line(&data, &size);
    struct job_routes routes;
    struct job_queue_names names;
    struct err err;

    FUZZ_CHECK(job_routes_parse(&routes, text, "train", &err) == ERR_OK || err.code == ERR_CONFIG);
    for (size_t type = 0; type < JOB_TYPE_COUNT; type++)
        FUZZ_CHECK(job_settings_is_name(routes.queue[type])); /* also where it is refused */
    check_names(&routes.all);
    if (job_routes_parse_names(&names, queues, "train", &err) == ERR_OK)
        check_names(&names);
    free(text);
    free(queues);
    return 0;
}
