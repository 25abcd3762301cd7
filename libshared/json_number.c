#include "libshared/json_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool json_integer_fits(struct str digits, bool negative)
{
    const char *limit = negative ? "9223372036854775808" : "9223372036854775807";
    const size_t limit_len = 19;

    return digits.len < limit_len ||
           (digits.len == limit_len && memcmp(digits.data, limit, limit_len) <= 0);
}

enum { DOUBLE_MAX_EXPONENT = 308 };

/* How far the decimal point is behind the first significant digit; `exponent` is the written one.
 * *ret_significant receives that digit's place, or the end when all are zero. */
static long long magnitude(struct str mantissa, long long exponent, const char **ret_significant)
{
    const char *point = memchr(mantissa.data, '.', mantissa.len);
    const char *end = mantissa.data + mantissa.len, *at = mantissa.data;

    point = point != NULL ? point : end;
    while (at < end && (*at == '0' || *at == '.')) {
        at++;
    }
    *ret_significant = at;
    return exponent + (at < point ? point - at - 1 : point - at);
}

/* Exact, without the whole text going through strtod (which would need a copy, and a locale with a
 * point): only at the very edge do the digits decide, and of those no more than the edge itself
 * has. */
bool json_real_is_finite(struct str mantissa, long long exponent)
{
    enum { EDGE_DIGITS = 309 };
    char text[EDGE_DIGITS + 8];
    const char *at, *end = mantissa.data + mantissa.len;
    long long tens = magnitude(mantissa, exponent, &at);
    size_t len = 0;

    if (at == end || tens < DOUBLE_MAX_EXPONENT) {
        return true;
    }
    if (tens > DOUBLE_MAX_EXPONENT) {
        return false;
    }
    for (; len < EDGE_DIGITS; at += at < end) {
        if (at == end || *at != '.') {
            text[len++] = at < end ? *at : '0';
        }
    }
    text[len] = '\0';
    return isfinite(strtod(text, NULL));
}
