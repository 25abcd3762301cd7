/* Identifiers: random ones for sessions, integers from peers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/str.h"

/* Ids on the wire are positive integers below 2^53, exact in every JSON reader. */
#define ID_MAX ((int64_t)1 << 53)

enum {
    SID_LEN = 20,  /* 15 random bytes in base64url; the sharded Redis adapter knows private rooms by
                      this length */
    SID_SIZE = 21, /* with its NUL */
};

/* Bytes from the CSPRNG. */
void id_random(void *ret_bytes, size_t len);
/* A fresh secret session id, [A-Za-z0-9_-]{20} without a dash in front,
 * NUL-terminated. */
void id_sid(char ret_sid[SID_SIZE]);
/* Digits only, 1 <= value < 2^53; false otherwise, *ret_id untouched. */
bool id_parse(struct str text, int64_t *ret_id);
/* The same for a number: 1.0 is 1, and 1.5 is no id. */
bool id_from_double(double value, int64_t *ret_id);
