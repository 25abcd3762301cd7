/* Which numbers of a JSON text a reader can represent. Pure, on the digits alone. */
#pragma once

#include <stdbool.h>

#include "libshared/str.h"

/* `digits` as JSON writes them: no sign, no leading zero. */
bool json_integer_fits(struct str digits, bool negative);
/* `mantissa`: digits with at most one point; `exponent`: the one written behind it, or 0. */
bool json_real_is_finite(struct str mantissa, long long exponent);
