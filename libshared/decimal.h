/* Integers as decimal digits, without printf: they are in every event. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_MAX = 20 /* digits of UINT64_MAX */ };

/* Writes the digits to `to`, which has room for DECIMAL_MAX; no NUL. Returns how many. */
static inline size_t decimal_write(char *to, uint64_t value)
{
    size_t len = 1;

    for (uint64_t left = value; left >= 10; left /= 10) {
        len++;
    }
    for (size_t at = len; at-- > 0; value /= 10) {
        to[at] = (char)('0' + value % 10);
    }
    return len;
}
