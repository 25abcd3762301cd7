/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/str.h"

/* The length, 1 to 4, of the well-formed sequence that `text` (not empty) starts with; 0 when there
 * is none. */
static inline size_t utf8_sequence(struct str text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    unsigned char lead = at[0];
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4 || text.len < len) {
        return 0;
    }
    if (lead == 0xe0) {
        low = 0xa0;
    } else if (lead == 0xed) {
        high = 0x9f;
    } else if (lead == 0xf0) {
        low = 0x90;
    } else if (lead == 0xf4) {
        high = 0x8f;
    }
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* Writes the sequence of a code point (no surrogate) and returns its length. */
static inline size_t utf8_encode(unsigned code, char out[4])
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3f));
    }
    out[0] = (char)(len == 1 ? code : (0xf00u >> len & 0xf0) | code);
    return len;
}

static inline bool utf8_valid(struct str text)
{
    while (text.len > 0) {
        size_t len = utf8_sequence(text);

        if (len == 0) {
            return false;
        }
        text = str_skip(text, len);
    }
    return true;
}

/* How many of the bytes at `text`, which ends in NUL, are a character that a terminal obeys: C0,
 * C1, and what turns the direction or breaks the line (U+2028 to 202E, U+2066 to 2069). */
static inline size_t utf8_control_len(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    if (c[0] < 0x20 || c[0] == 0x7f) {
        return c[0] != '\0';
    }
    if (c[0] == 0xc2) {
        return c[1] >= 0x80 && c[1] < 0xa0 ? 2 : 0;
    }
    if (c[0] != 0xe2 || (c[1] != 0x80 && c[1] != 0x81)) {
        return 0;
    }
    return (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
                   (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
               ? 3
               : 0;
}
