/* Time. Monotonic for deadlines, wall clock for what people and peers read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/str.h"

/* "2026-03-01T09:30:00.123Z" and its NUL: ISO 8601 in UTC with milliseconds, as JSON writes a Date.
 */
enum { CLOCK_ISO_SIZE = 25 };

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);
/* The same, but it goes on while the machine is suspended. */
uint64_t clock_boot_ms(void);
/* Milliseconds since the Unix epoch. */
int64_t clock_wall_ms(void);
/* Thread-safe; the date part is remembered per thread and second. Years 1970 to 9999. */
void clock_iso(int64_t wall_ms, char ret_text[CLOCK_ISO_SIZE]);
/* Reads it back: seconds and what follows them may be missing, the zone is Z or +01:00. False for
 * anything else. */
bool clock_iso_parse(struct str text, int64_t *ret_wall_ms);
