/* Reading of JSON text in place, without a tree: for what has few fields and comes often.
 *
 * A `value` is one JSON value as text, without white space around it; a `list` is what stands
 * between the brackets of an array or object. Both must come from the output of json_normalise():
 * nothing is checked again here. What is returned is borrowed from them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

static inline bool json_text_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
/* `text` without the white space around it. */
static inline struct str json_text_trim(struct str text)
{
    while (text.len > 0 && json_text_is_space(text.data[0])) {
        text = str_skip(text, 1);
    }
    while (text.len > 0 && json_text_is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}
/* The length of the string, number or word that `text` (not empty) starts with. */
size_t json_text_scalar_len(struct str text);

/* Takes the first value off the inside of an array. False at its end; then the results are
 * untouched. */
bool json_text_take(struct str *list, struct str *ret_value);
/* Takes the first member off the inside of an object; the key is a string value, still in its
 * quotes. */
bool json_text_take_member(struct str *list, struct str *ret_key, struct str *ret_value);
/* The list inside an array or object. */
static inline struct str json_text_inside(struct str value)
{
    return (struct str) { value.data + 1, value.len - 2 };
}

static inline bool json_text_is_object(struct str value)
{
    return value.len > 0 && value.data[0] == '{';
}

static inline bool json_text_is_null(struct str value)
{
    return value.len > 0 && value.data[0] == 'n';
}

/* false for anything but a string. One without escapes is borrowed from `value`; another is decoded
 * into `scratch`, behind what is there, and borrowed from it. `scratch` must not grow as long as
 * strings in it are used: json_text_reserve() sees to that. */
bool json_text_string(struct str value, struct buf *scratch, struct str *ret_text);
/* Room in `scratch` for all strings of `text`. */
void json_text_reserve(struct buf *scratch, struct str text);
/* false for anything but an integer (which is within int64 after json_normalise, unless that kept
 * numbers). */
bool json_text_int(struct str value, int64_t *ret_number);
/* A positive id below 2^53: a number without a fraction (1.0 is 1), or digits in a string. */
bool json_text_id(struct str value, int64_t *ret_id);

/* Append the text of a string, given without its quotes. */
void json_add_decoded(struct buf *buf, struct str inside);
/* Append `value` without the white space between its tokens: on one line, therefore. */
void json_add_compact(struct buf *buf, struct str value);

/* Table-driven binding of an object to a struct: style.md, "JSON". */
enum json_field_type {
    JSON_FIELD_ID,
    JSON_FIELD_INT,
    JSON_FIELD_BOOL,
    JSON_FIELD_STR,
    JSON_FIELD_ENUM,
    JSON_FIELD_ANY
};
struct json_name { /* one row of an enum's name table; ends with name NULL */
    const char *name;
    int value;
};
struct json_field {
    const char *name;
    enum json_field_type type;
    size_t offset; /* int64_t, int64_t, bool, struct str, int, struct str (the value's text) */
    bool required;
    size_t max;                    /* FIELD_STR: bytes; 0 = no limit of its own */
    const struct json_name *names; /* FIELD_ENUM */
};
enum { JSON_FIELDS_MAX = 32 /* of one table */ };
#define JSON_FIELDS_END                                                                            \
    {                                                                                              \
        NULL, JSON_FIELD_ANY, 0, false, 0, NULL                                                    \
    }
/* `value`: normalised, as above. Of a key that is there twice the last one counts, unknown keys do
 * not. ret_struct is zeroed by the caller; members of absent optional fields stay untouched.
 * Strings are borrowed from `value` and `scratch`, which a table without FIELD_STR does not need
 * (NULL). ERR_INVALID names the first bad field in msg, in the table's order. */
NODISCARD
enum err json_bind(struct str value, const struct json_field *fields, struct buf *scratch,
                   void *ret_struct, struct errmsg *msg);
