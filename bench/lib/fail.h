/* Something that makes a measurement worthless: said on stderr, and the process ends with 1. */
#pragma once

#include "libshared/base.h"

NORETURN PRINTF(1, 2) void bench_fail(const char *format, ...);
