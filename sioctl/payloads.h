/* The files that `webhook replay` was given: directories stand for the .json and .siorec files in
 * them, in the order of their names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "libshared/base.h"

struct payloads {
    char **paths;
    size_t count;
};

/* Says which path cannot be read. Release with payloads_finish() in either case. */
NODISCARD
bool payloads_find(const json_t *paths, struct payloads *ret_payloads);
void payloads_finish(struct payloads *payloads);
