/* What the server costs, read from the kernel: it need not know that it is measured. */
#pragma once

#include <stdint.h>

#include <jansson.h>

/* Taken at the start and the end of what is measured. Without a pid the server's part is 0. */
struct reading {
    uint64_t at_ns, server_cpu_ns, own_cpu_ns;
};
struct reading reading_take(unsigned pid);
double reading_seconds(const struct reading *from, const struct reading *to);
/* Server CPU seconds per second: cores. */
double reading_load(const struct reading *from, const struct reading *to);

/* Resident memory in KB; 0 without a pid. */
double server_resident_kb(unsigned pid);

/* Adds seconds, server_load, generator_load and, where there were units, the server's CPU time for
 * each in microseconds: `cpu_us`. */
void reading_report(json_t *result, const struct reading *from, const struct reading *to,
                    uint64_t units);
