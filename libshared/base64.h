/* Base64 of RFC 4648 §4, with padding and without line breaks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

/* One more than the six bits that a letter or digit stands for, 0 for everything else. */
extern const uint8_t base64_letters[256];

/* The six bits that a character stands for, -1 if it is none; `last` are the two for 62 and 63,
 * "+/" or, for base64url, "-_". */
NODISCARD
static inline int base64_value(char c, const char last[2])
{
    int value = base64_letters[(uint8_t)c] - 1;

    return LIKELY(value >= 0) ? value : c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

void base64_add(struct buf *to, struct str bytes);
/* Strict: nothing but the alphabet, full padding, unused bits zero. Appends; false leaves some of
 * it behind. */
NODISCARD
bool base64_decode(struct str text, struct buf *ret_bytes);
