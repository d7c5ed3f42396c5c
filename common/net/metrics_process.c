#include "common/net/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"

static const struct metrics_description build_description = {.name = "recfleet_build_info",
                                                             .help = "1, by program and version.",
                                                             .kind = METRICS_GAUGE,
                                                             .labels = {"program", "version"}};
static const struct metrics_description start_description = {
    .name = "process_start_time_seconds", .help = "When the process started, in unix seconds.", .kind = METRICS_GAUGE};
static const struct metrics_description cpu_description = {
    .name = "process_cpu_seconds_total", .help = "Processor time, of user and system.", .kind = METRICS_COUNTER};
static const struct metrics_description memory_description = {
    .name = "process_resident_memory_bytes", .help = "Memory in use.", .kind = METRICS_GAUGE};
static const struct metrics_description descriptors_description = {
    .name = "process_open_fds", .help = "Open descriptors.", .kind = METRICS_GAUGE};

void metrics_process_add(struct metrics_process *out, struct metrics *metrics, const char *program)
{
    struct clock_source clock = clock_system();

    metrics_set(metrics_add(metrics, &build_description), 1, METRICS_LABELS(program, RECFLEET_VERSION));
    metrics_set(metrics_add(metrics, &start_description), (double)clock_unix_ms(&clock) / 1000, NULL);
    out->cpu = metrics_add(metrics, &cpu_description);
    out->memory = metrics_add(metrics, &memory_description);
    out->descriptors = metrics_add(metrics, &descriptors_description);
    metrics_process_update(out);
}

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void update_memory(const struct metrics_process *process)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char text[128];
    char *second; /* in pages; the first is what is mapped */

    if (file == NULL)
        return;
    if (fgets(text, sizeof text, file) != NULL && (second = strchr(text, ' ')) != NULL)
        metrics_set(process->memory, (double)strtol(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE), NULL);
    (void)fclose(file);
}

static void update_descriptors(const struct metrics_process *process)
{
    DIR *folder = opendir("/proc/self/fd");
    double count = -3; /* ".", ".." and the one of this look */

    if (folder == NULL)
        return;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    metrics_set(process->descriptors, count, NULL);
}

void metrics_process_update(const struct metrics_process *process)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_set(process->cpu, seconds(&usage.ru_utime) + seconds(&usage.ru_stime), NULL);
    update_memory(process);
    update_descriptors(process);
}
