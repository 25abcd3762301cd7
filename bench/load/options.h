/* The command line of siod-load: see options.def. */
#pragma once

#include "libshared/base.h"

#define OPTION_MEMBER_TEXT  const char *
#define OPTION_MEMBER_COUNT unsigned
#define OPTION_MEMBER_REAL  double

struct options {
    const char *scenario;
#define OPTION(id, name, type, preset, value, help) OPTION_MEMBER_##type id;
#include "bench/load/options.def"
#undef OPTION
};

/* Reads the command line; says what is wrong with it and exits with 2. */
void options_read(int argc, char **argv, struct options *ret_options);
