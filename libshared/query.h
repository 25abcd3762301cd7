/* Query strings of URLs (RFC 3986, and + for a blank as forms have it). Nothing is copied: what is
 * returned is borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/str.h"

struct query_param {
    struct str text, name, value; /* as they came: still percent-encoded */
};
/* Takes the first parameter off a query string; false when there is none left. */
bool query_next(struct str *query, struct query_param *ret_param);

/* Undo %XX, and '+' where asked for; `to` has room for text.len bytes. False for a broken escape
 * and for NUL. */
NODISCARD
bool percent_decode(struct str text, bool plus, char *to, size_t *ret_len);
