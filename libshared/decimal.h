/* Integers as decimal digits, without printf: they are in every event. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DECIMAL_MAX = 20 /* digits of UINT64_MAX */ };

/* Writes the digits to `to`, which has room for DECIMAL_MAX; no NUL. Returns how many. */
static inline size_t decimal_write(char *to, uint64_t value)
{
    char digits[DECIMAL_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(to, digits + at, sizeof digits - at);
    return sizeof digits - at;
}
