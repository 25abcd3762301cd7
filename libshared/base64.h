/* Base64 of RFC 4648 §4, with padding and without line breaks. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

/* The six bits that a character stands for, -1 if it is none; `last` are the two for 62 and 63,
 * "+/" or, for base64url, "-_". */
NODISCARD
static inline int base64_value(char c, const char last[2])
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

void base64_add(struct buf *to, struct str bytes);
/* Strict: nothing but the alphabet, full padding, unused bits zero. Appends; false leaves some of
 * it behind. */
NODISCARD
bool base64_decode(struct str text, struct buf *ret_bytes);
