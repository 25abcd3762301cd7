/* What a value of a webhook is, by its member and by its looks: shared by redact.c, which replaces,
 * and redact_scan.c, which finds what was not replaced. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/str.h"
#include "libshared/wire/pseudonym.h"

enum redact_kind {
    REDACT_LOOKS, /* no rule */
    REDACT_KEEP_OWN_ID,
    REDACT_KEEP_WORD,
    REDACT_KEEP_MIME,
    REDACT_KEEP_TIME,
    REDACT_KEEP_NUMBER,
    REDACT_ID,
    REDACT_NAME,
    REDACT_USERNAME,
    REDACT_EMOJI,
    REDACT_FILE,
    REDACT_HASH,
    REDACT_SDP,
    REDACT_DATE,
    REDACT_DEGREES,
    REDACT_JSON, /* a document in a string */
};
enum redact_kind redact_kind(const char *parent, const char *key);

/* Does this string stay? If not, as what it is replaced. Not for REDACT_JSON. */
bool redact_keeps(enum redact_kind kind, struct str text, enum pseudonym *ret_class);
bool redact_keeps_integer(enum redact_kind kind, int64_t value);
bool redact_keeps_real(enum redact_kind kind, double value);
/* Integers that are large enough to be somebody's become a pseudonym, others 0. */
bool redact_is_large(enum redact_kind kind, int64_t value);
/* Is it a name that programs give to members, or a pseudonym of one that is not? */
bool redact_keeps_key(struct str key);

/* A body that was no JSON. */
#define REDACT_NO_JSON "redacted: no JSON, bytes: "
bool redact_is_no_json(struct str body);
