/* Pseudonyms: what stands in a recording for people and their words. The same value has the same
 * pseudonym under one key, another under another key, and nobody without the key can tell which
 * value it was; a pseudonym can be told from a real value by its form alone. siorec(5) lists the
 * forms. Pure. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

enum pseudonym {
    PSEUDONYM_NUMBER,   /* phone numbers and other ids of digits: 999 and 11 digits */
    PSEUDONYM_USER_ID,  /* business-scoped user ids: ZZ.…, ZZ.ENT.… */
    PSEUDONYM_WAMID,    /* messages: wamid.UkVEQUNURUQ… */
    PSEUDONYM_WACID,    /* calls: wacid.UkVEQUNURUQ… */
    PSEUDONYM_ID,       /* other ids: redacted-… */
    PSEUDONYM_NAME,     /* Person … */
    PSEUDONYM_USERNAME, /* user.…, with the @ that it had */
    PSEUDONYM_TEXT,     /* text …, as long as it was, of words that mean nothing */
    PSEUDONYM_EMOJI,    /* one of a few */
    PSEUDONYM_URL,      /* https://redacted.invalid/… */
    PSEUDONYM_EMAIL,    /* …@redacted.invalid */
    PSEUDONYM_FILE,     /* file-…, with the extension that it had */
    PSEUDONYM_HASH,     /* SHA-256 in base64: REDACTED… */
    PSEUDONYM_SDP,      /* a session description that describes nothing */
    PSEUDONYM_DATE,     /* 1970-01-01 */
    PSEUDONYM_DEGREES,  /* coordinates as text: 0.…, near 0° N, 0° E */
    PSEUDONYM_KEY,      /* a member's name that is none of a program: key_… */
    PSEUDONYM_COUNT
};
/* "phone number", "name", …: what a value of this class is, for people. */
const char *pseudonym_what(enum pseudonym class);

struct pseudonyms;
/* Returns owned. `key` is not empty. */
NODISCARD
struct pseudonyms *pseudonyms_new(struct str key);
void pseudonyms_free(struct pseudonyms *pseudonyms);

/* Appends the pseudonym of a value, which is not empty. Numbers: their digits count and nothing
 * between them, so that +1 (555) 123 is the same as 1555123. */
void pseudonym_add(struct pseudonyms *pseudonyms, enum pseudonym class, struct str value,
                   struct buf *out);
/* A number's as an integer; and one from 0 to 0.9999 for coordinates. */
int64_t pseudonym_integer(struct pseudonyms *pseudonyms, struct str digits);
double pseudonym_degrees(struct pseudonyms *pseudonyms, struct str value);

/* Has it the form of a pseudonym of this class? */
bool pseudonym_is(enum pseudonym class, struct str value);
bool pseudonym_is_integer(int64_t value);
bool pseudonym_is_degrees(double value);
