#include "bench/load/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/lib/fail.h"
#include "libshared/clock.h"

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec used;

    if (clock_gettime(clock, &used) != 0) {
        bench_fail("the server's CPU clock cannot be read: has it ended?");
    }
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* A process's clock counts all of its threads, those that have ended too, in nanoseconds. */
static uint64_t server_cpu_ns(unsigned pid)
{
    clockid_t clock;

    if (pid == 0) {
        return 0;
    }
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0) {
        bench_fail("--pid: there is no process %u", pid);
    }
    return cpu_ns(clock);
}

struct reading reading_take(unsigned pid)
{
    return (struct reading) { .at_ns = clock_monotonic_ns(),
                              .server_cpu_ns = server_cpu_ns(pid),
                              .own_cpu_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) };
}

double reading_seconds(const struct reading *from, const struct reading *to)
{
    return (double)(to->at_ns - from->at_ns) / 1e9;
}

double reading_load(const struct reading *from, const struct reading *to)
{
    return (double)(to->server_cpu_ns - from->server_cpu_ns) / (double)(to->at_ns - from->at_ns);
}

/* The second number of statm, in pages. */
double server_resident_kb(unsigned pid)
{
    char path[64], line[128], *after_size = line;
    unsigned long pages = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%u/statm", pid);
    file = pid != 0 ? fopen(path, "re") : NULL;
    if (file != NULL) {
        if (fgets(line, sizeof(line), file) != NULL) {
            (void)strtoul(line, &after_size, 10);
            pages = strtoul(after_size, NULL, 10);
        }
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

void reading_report(json_t *result, const struct reading *from, const struct reading *to,
                    uint64_t units)
{
    double own = (double)(to->own_cpu_ns - from->own_cpu_ns) / 1e9;
    double server_us = (double)(to->server_cpu_ns - from->server_cpu_ns) / 1e3;

    json_object_set_new(result, "seconds", json_real(reading_seconds(from, to)));
    json_object_set_new(result, "server_load", json_real(reading_load(from, to)));
    json_object_set_new(result, "generator_load", json_real(own / reading_seconds(from, to)));
    if (units > 0 && server_us > 0) {
        json_object_set_new(result, "cpu_us", json_real(server_us / (double)units));
    }
}
