/* This process: its descriptors, and facts about it from /proc. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Takes those of the descriptors 0 to 2 that are closed, so that what is opened later does not
 * become an input or an output: with /dev/null, which with `usable` swallows what is written and
 * without it refuses (EBADF). Before anything is opened. */
void process_reserve_streams(bool usable);

/* Resident memory; 0 when it cannot be read. */
uint64_t process_resident_bytes(void);
