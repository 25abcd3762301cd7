/* The typed arguments of commands: from the words of a command line, or from a request's JSON.
 * Pure. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

/* What an argument becomes in a request. No string holds a NUL, but for a BODY. */
enum ctl_type {
    CTL_TEXT,     /* string, valid UTF-8, not empty unless it is free text */
    CTL_BODY,     /* string, as TEXT, NULs too */
    CTL_NUMBERED, /* string, as TEXT; an integer stands for its digits */
    CTL_SECRET,   /* string, as TEXT; the shell's history forgets the line */
    CTL_ID,       /* integer, 1 … 2^53-1 */
    CTL_COUNT,    /* integer, 1 … 2^31-1 */
    CTL_NATURAL,  /* integer, 0 … detail, or 2^53-1 */
    CTL_REAL, /* number of 0 or more, written with digits and a point; `detail`: not above this */
    CTL_DURATION, /* integer, milliseconds; written 500ms, 10s, 5m, 1h, 7d */
    CTL_DIGITS,   /* string of digits: an id of the platform, never a number */
    CTL_PATH,     /* string, any bytes; sent to the daemon only when it is UTF-8 */
    CTL_URL,      /* string */
    CTL_CLAIM, /* object with one member: name=value, value being JSON if it parses, else a string
                */
    CTL_WORDS, /* one of the words in `detail` */
    CTL_CONDITION, /* string, condition.h */
    CTL_SINCE, /* integer, 0 … 2^53-1: a position in the log; or a string: an ISO 8601 time, or a
                  duration, so long ago */
    CTL_TIME,  /* string: an ISO 8601 time, or a duration, so long ago; ctl_time_ms() */
    CTL_JSON,  /* string: JSON text, compact */
};

struct ctl_argument {
    const char *name;
    enum ctl_type type;
    const char *detail; /* arguments.def */
    const char *what;
};

/* NULL when there is no such row. */
const struct ctl_argument *ctl_argument_find(struct str name);
/* Reads a word of a command line. Returns owned; NULL with "'x' is not a chat id" in msg. */
NODISCARD
json_t *ctl_argument_parse(const struct ctl_argument *argument, struct str text,
                           struct errmsg *msg);
/* Reads a request's value: already of the JSON type above, or a string as on the command line.
 * Likewise. */
NODISCARD
json_t *ctl_argument_accept(const struct ctl_argument *argument, const json_t *value,
                            struct errmsg *msg);
/* A URL as it may be shown: without the user and password before its host. Returns owned. */
NODISCARD
char *ctl_url_shown(struct str url);
/* The n-th word of a WORDS argument; .data NULL past the last. */
struct str ctl_argument_word(const struct ctl_argument *argument, unsigned n);
/* "1h" → 3600000; false for anything else than digits and a unit. */
NODISCARD
bool ctl_duration_parse(struct str text, int64_t *ret_ms);
/* The Unix time in milliseconds that a TIME or a SINCE means at now_ms; false for anything else. */
NODISCARD
bool ctl_time_ms(struct str text, int64_t now_ms, int64_t *ret_ms);
