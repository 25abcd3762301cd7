/* The control protocol's wire form: one JSON object a line. Pure.
 *
 *     server  {"siod":"0.1.0","protocol":1}
 *     client  {"id":1,"cmd":"room show","args":{"room":"chat_12"}}
 *     server  {"id":1,"ok":true,"more":true,"result":…}      any number of pieces
 *     server  {"id":1,"ok":true,"result":…}
 *     server  {"id":2,"ok":false,"error":{"code":"not_found","message":"…"}}
 *
 * `id` is the client's own: an integer of 64 bits, or a string of at most 64 bytes. Answers come
 * when they are ready, not in the order of the requests. A result that comes in pieces is put
 * together by ctl_merge(), but for streams, where each piece is a record. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum {
    CTL_PROTOCOL = 1,
    CTL_LINE_MAX = 8 * 1024 * 1024, /* a replayed body of 4 MiB and its escapes */
    CTL_LINE_READ_MAX = 64 * 1024,  /* a request of someone who may only read */
    CTL_REQUEST_ID_MAX = 64,
    CTL_DEPTH_MAX = 512,
};

/* Cuts a byte stream into lines; looks at each byte once. Zero-initialised; buf_finish(&lines.buf).
 */
struct ctl_lines {
    struct buf buf;
    size_t start;   /* of the next line */
    size_t scanned; /* no newline before this */
};
/* ERR_TOO_LARGE when a line is longer than `max`, before anything is allocated for it. */
NODISCARD
enum err ctl_lines_add(struct ctl_lines *lines, struct str bytes, size_t max);
/* The next whole line without its end ("\n" or "\r\n"), borrowed until ctl_lines_add(). */
bool ctl_lines_next(struct ctl_lines *lines, struct str *ret_line);

struct ctl_request {
    char *id;     /* JSON text, to be repeated in the answer */
    char *cmd;    /* "room show" */
    json_t *args; /* object */
};
/* ERR_SYNTAX or ERR_INVALID with msg; then ret_request->id alone is set, "null" if it was not
 * found. Release with ctl_request_finish() in either case. */
NODISCARD
enum err ctl_request_decode(struct str line, struct ctl_request *ret_request, struct errmsg *msg);
void ctl_request_finish(struct ctl_request *request);
/* All encoders append one line with its newline. */
void ctl_request_encode(struct buf *out, int64_t id, struct str cmd, const json_t *args);
/* The same with args that are JSON text already, on one line. */
void ctl_request_encode_text(struct buf *out, int64_t id, struct str cmd, struct str args);

void ctl_greeting_encode(struct buf *out, struct str version);
/* ERR_UNSUPPORTED for another protocol, ERR_SYNTAX for anything else than a greeting. */
NODISCARD
enum err ctl_greeting_decode(struct str line, struct errmsg *msg);

/* `result` is JSON text; empty = none. */
void ctl_reply_encode(struct buf *out, struct str id, bool more, struct str result);
void ctl_error_encode(struct buf *out, struct str id, struct str code, struct str message);

struct ctl_reply {
    int64_t id; /* 0 when the server could not tell whose it is */
    bool ok, more;
    json_t *result;                /* NULL = none */
    char code[CTL_REQUEST_ID_MAX]; /* of an error */
    char *message;
};
NODISCARD
enum err ctl_reply_decode(struct str line, struct ctl_reply *ret_reply, struct errmsg *msg);
void ctl_reply_finish(struct ctl_reply *reply);

/* Adds a piece to what came before: arrays are appended, objects are merged member by member in the
 * same way, anything else replaces. Takes both, returns owned; `whole` may be NULL. */
NODISCARD
json_t *ctl_merge(json_t *whole, json_t *piece);
