/* Recordings of webhooks, the .siorec format of siorec(5): one JSON object a line, the first of
 * them about the recording, then one for each delivery.
 *
 *     {"siorec":1,"started_at":"2026-03-01T09:30:00.000Z","source":"siod 0.1.0","redacted":true}
 *     {"at_ms":0,"webhook_id":1,"app":"main","sign":true,"headers":{"Content-Type":"…"},"body":"…"}
 *     {"at_ms":12,"sign":true,"body_b64":"…"}
 *
 * A body is kept byte by byte: as `body` when it is UTF-8, otherwise, or when its escapes would
 * make it longer, in base64 as `body_b64`. Members that are not named here are ignored, so that a
 * later version can add some. Pure: no I/O, no clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum {
    RECORDING_VERSION = 1,
    RECORDING_BODY_MAX = 64 * 1024 * 1024,  /* of one delivery */
    RECORDING_LINE_MAX = 100 * 1024 * 1024, /* the largest body in base64 and what goes with it */
    RECORDING_HEADERS_MAX = 64,             /* of one delivery */
    RECORDING_NAME_MAX = 256,               /* of a header's name, an app's name, a source */
    RECORDING_VALUE_MAX = 8 * 1024,         /* of a header's value */
};

/* The first line. */
struct recording_info {
    int64_t started_at_ms;               /* Unix time that at_ms counts from; 0 = not known */
    bool redacted;                       /* people and their words were replaced: siorec(5) */
    char source[RECORDING_NAME_MAX + 1]; /* the program that wrote it; may be empty */
};

struct recording_header {
    struct str name, value;
};

/* One delivery. */
struct recorded {
    int64_t at_ms;      /* since the start, 0 or more; lines need not be in this order */
    int64_t webhook_id; /* where it was exported from; 0 = none */
    struct str app;     /* the way in, may be empty */
    /* True: on its way out it gets a signature over its body, by the secret of whoever sends it.
     * False: it is sent with the headers it has, be they signed well, badly or not at all. */
    bool sign;
    struct recording_header headers[RECORDING_HEADERS_MAX]; /* as received, in their order */
    size_t header_count;
    struct str body;

    json_t *root; /* what the strings borrow from after recording_next() */
    struct buf decoded;
};

/* ---- writing: each appends one line with its newline */

void recording_add_info(struct buf *out, const struct recording_info *info);
/* The body is at most RECORDING_BODY_MAX bytes; names and values as recording_next() takes them. */
void recording_add(struct buf *out, const struct recorded *recorded);

/* ---- reading */

/* Zero-initialised by recording_open(); nothing to release. */
struct recording {
    struct recording_info info;
    struct str rest;
    size_t line;   /* of the delivery read last, from 1: for messages */
    int64_t at_ms; /* of the delivery read last */
};

/* Does this file begin as a recording does, or as something else, like a payload? Looks at its
 * first line alone. */
bool recording_is(struct str text);
/* `text`, a whole recording, is borrowed as long as it is read. Takes the first line. ERR_SYNTAX
 * with msg ("line 1: …"); ERR_UNSUPPORTED for another version. */
NODISCARD
enum err recording_open(struct str text, struct recording *ret_recording, struct errmsg *msg);
/* The next delivery; empty lines are skipped. ERR_NOT_FOUND at the end. ERR_SYNTAX, ERR_INVALID or
 * ERR_TOO_LARGE with msg ("line 12: body_b64: …"): recording->line is then the bad one, and the
 * next call goes on behind it. On OK release with recorded_finish(). Strings live until then.
 * A line without at_ms happened when the one before it did; one without `sign` is signed. */
NODISCARD
enum err recording_next(struct recording *recording, struct recorded *ret_recorded,
                        struct errmsg *msg);
void recorded_finish(struct recorded *recorded);

/* The value of a header, whatever its case; .data NULL when there is none. */
struct str recorded_header(const struct recorded *recorded, struct str name);
