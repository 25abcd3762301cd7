/* Base64 of RFC 4648 §4, with padding and without line breaks. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

void base64_add(struct buf *to, struct str bytes);
/* Strict: nothing but the alphabet, full padding, unused bits zero. Appends; false leaves some of
 * it behind. */
NODISCARD
bool base64_decode(struct str text, struct buf *ret_bytes);
