/* Facts about this process, from /proc. */
#pragma once

#include <stdint.h>

/* Resident memory; 0 when it cannot be read. */
uint64_t process_resident_bytes(void);
