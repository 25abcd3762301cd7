/* JSON from outside and JSON to outside.
 *
 * What a peer sent passes json_normalise() first, and only its output becomes a tree of jansson's,
 * whose own reader would refuse the whole document for a lone surrogate, a huge number or a NUL in
 * a key. What we send is rendered straight into a buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

/* The deepest nesting that is ever accepted (jansson's own limit is one more). */
enum { JSON_DEPTH_MAX = 2047 };

/* 0 switches a limit off. */
struct json_limits {
    unsigned depth;    /* arrays and objects inside one another; at most JSON_DEPTH_MAX */
    size_t keys;       /* object keys in the whole document */
    size_t containers; /* arrays and objects in it: an empty one is two bytes, and 300 in a tree */
    bool mend_utf8; /* bytes that are no UTF-8 become U+FFFD, each; otherwise they are an error */
    bool keep_numbers; /* as they are written, whatever their size: for what is passed on. It is
                          read with json_text_id() then, not with json_text_int() or json_tree() */
};

/* Check one JSON value (RFC 8259) and write a form of it that every reader takes: one pass, no
 * recursion, pure.
 *   - a lone surrogate escape becomes \ufffd;
 *   - an integer outside int64, and a number that is no finite double, becomes a string with its
 * digits, or stays where the limits say so;
 *   - \u0000 in a key is written as the six characters \\u0000;
 *   - invalid UTF-8 is ERR_SYNTAX, or is mended where the limits say so.
 * White space around the value is dropped. Everything else stays as it is: white space inside, so
 * that it alone never forces a copy, and duplicate keys, of which the last one wins in jansson.
 * ERR_SYNTAX with the byte offset in msg; ERR_TOO_LARGE when a limit is passed. `scratch` is
 * cleared first. When the text needs no change, *ret_text borrows from `text` and `scratch` stays
 * empty; otherwise it borrows from `scratch`. */
NODISCARD
enum err json_normalise(struct str text, const struct json_limits *limits, struct buf *scratch,
                        struct str *ret_text, struct errmsg *msg);

/* The tree of a text that json_normalise() has passed; of any other text it would read past the
 * end. The last of duplicate keys wins. Returns owned. */
NODISCARD
json_t *json_tree(struct str normal);

/* Normalise and parse; any JSON value. Returns owned (json_decref). NULL with msg on failure. */
NODISCARD
json_t *json_read(struct str text, const struct json_limits *limits, struct errmsg *msg);

static inline void json_decref_cleanup(json_t **json)
{
    json_decref(*json);
}
#define autojson CLEANUP(json_decref_cleanup)

/* From now on this thread keeps the small blocks of the trees that it frees, at most 2 MiB, for the
 * next ones; before any other thread uses jansson. It goes on until json_blocks_release(), which
 * frees them. Nothing is kept under a sanitizer, which is to see what is used after it was freed.
 */
void json_blocks_keep(void);
void json_blocks_release(void);

/* Look along a path of object keys: json_dig(root, "value", "metadata", NULL). NULL when anything
 * is missing. */
json_t *json_dig(json_t *root, ...) __attribute__((sentinel));
/* The string's bytes (NULs included), .data NULL if it is no string. */
struct str json_str(const json_t *value);
struct str json_str_at(const json_t *object, const char *key);
/* An id as text whatever JSON type it came in: a string's bytes, an integer's digits (into
 * digits[24]). */
struct str json_id_text(const json_t *value, char digits[24]);
/* A positive id below 2^53: a number without a fraction, or digits in a string. */
bool json_id(const json_t *value, int64_t *ret_id);

/* Rendering. Strings are given as UTF-8 and written with the escapes JSON needs; invalid bytes
 * become U+FFFD. */
void json_add_string(struct buf *buf, struct str text);
void json_add_cstr(struct buf *buf, const char *text); /* NULL is null */
/* .data NULL is null. */
void json_add_str_or_null(struct buf *buf, struct str text);
/* A jansson tree, compact, keys in document order. */
void json_add_tree(struct buf *buf, const json_t *value);
/* The same, but arrays and objects that lie deeper than `levels` become null: for readers that are
 * not ours, of which many give up far above JSON_DEPTH_MAX. */
void json_add_tree_within(struct buf *buf, const json_t *value, unsigned levels);
