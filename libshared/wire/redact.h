/* People and their words out of a webhook, and finding what is left of them.
 *
 * What a webhook is made of stays: its members, the types of its values, the platform's words,
 * times. Everything else becomes a pseudonym (pseudonym.h), by the member it stands in (redact.def)
 * or, where no rule knows that, by what it looks like: what is not known to be harmless does not
 * stay. What redact_body() returns has nothing for redact_scan() to find. Pure. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"
#include "libshared/wire/pseudonym.h"

/* Appends the body as it may be shown. One that is no JSON (or deeper than REDACT_DEPTH_MAX) is
 * replaced as a whole by something that is no JSON either. Same pseudonyms for the same key. */
enum { REDACT_DEPTH_MAX = 512 };
void redact_body(struct pseudonyms *pseudonyms, struct str body, struct buf *out);

/* One finding: where, as entry[0].changes[0].value, and what it looks like: "phone number", "email
 * address", "access token", … Both are borrowed for the call. False ends the search. */
typedef bool (*redact_found)(void *arg, const char *path, const char *what);

/* Everything in a body that is neither harmless nor a pseudonym. */
void redact_scan(struct str body, redact_found found, void *arg);
/* The same for a tree, whose path begins with `path`. */
void redact_scan_tree(const json_t *value, const char *path, redact_found found, void *arg);

/* What a piece of text without structure has in it that must not be shown: tokens, keys, email
 * addresses, phone numbers. NULL when there is nothing. */
const char *redact_look(struct str text);
