#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "libshared/json.h"
#include "libshared/utf8.h"

/* What a byte becomes: 0 itself, 'u' a \u00XX escape, 'm' part of a UTF-8 sequence, otherwise the
 * letter of its short escape. */
static inline char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c >= 0x80 ? 'm' : c < 0x20 ? 'u' : 0;
    }
}

static void add_escape(struct buf *buf, char letter, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = { '\\', letter, '0', '0', hex[c >> 4], hex[c & 15] };

    buf_add(buf, text, letter == 'u' ? sizeof text : 2);
}

void json_add_string(struct buf *buf, struct str text)
{
    size_t kept = 0, at = 0; /* what lies between them is copied in one go */

    buf_reserve(buf, text.len + 2);
    buf_add_char(buf, '"');
    while (at < text.len) {
        char escape = escape_of((unsigned char)text.data[at]);
        size_t len = escape == 0 ? 1 : escape == 'm' ? utf8_sequence(str_skip(text, at)) : 0;

        if (len > 0) {
            at += len;
            continue;
        }
        buf_add(buf, text.data + kept, at - kept);
        if (escape == 'm') {
            buf_add_cstr(buf, "\xef\xbf\xbd");
        } else {
            add_escape(buf, escape, (unsigned char)text.data[at]);
        }
        kept = ++at;
    }
    if (at > kept) {
        buf_add(buf, text.data + kept, at - kept);
    }
    buf_add_char(buf, '"');
}

void json_add_cstr(struct buf *buf, const char *text)
{
    json_add_str_or_null(buf, str_of(text));
}

void json_add_str_or_null(struct buf *buf, struct str text)
{
    if (text.data == NULL) {
        buf_add_cstr(buf, "null");
    } else {
        json_add_string(buf, text);
    }
}

/* Few digits, as long as they read back as the same double, so that 37.48 stays 37.48; with a point
 * or an exponent, so that it stays a real. */
static void add_real(struct buf *buf, double value)
{
    char text[32];
    bool integral = true;

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    for (char *at = text; *at != '\0'; at++) {
        if (*at == ',') {
            *at = '.'; /* the locale's point */
        }
        integral = integral && *at != '.' && *at != 'e';
    }
    buf_add_cstr(buf, text);
    if (integral) {
        buf_add_cstr(buf, ".0");
    }
}

static void add_value(struct buf *buf, const json_t *value, unsigned levels);

static void add_object(struct buf *buf, json_t *object, unsigned levels)
{
    const char *separator = "";
    const char *key;
    size_t len;
    json_t *value;

    buf_add_char(buf, '{');
    json_object_keylen_foreach(object, key, len, value)
    {
        buf_add_cstr(buf, separator);
        json_add_string(buf, (struct str) { key, len });
        buf_add_char(buf, ':');
        add_value(buf, value, levels);
        separator = ",";
    }
    buf_add_char(buf, '}');
}

static void add_array(struct buf *buf, const json_t *array, unsigned levels)
{
    size_t size = json_array_size(array);

    buf_add_char(buf, '[');
    for (size_t i = 0; i < size; i++) {
        if (i > 0) {
            buf_add_char(buf, ',');
        }
        add_value(buf, json_array_get(array, i), levels);
    }
    buf_add_char(buf, ']');
}

static void add_container(struct buf *buf, const json_t *value, unsigned levels)
{
    if (levels == 0) {
        buf_add_cstr(buf, "null");
    } else if (json_is_object(value)) {
        /* jansson's iterators take no const, though they only read */
        add_object(buf, (json_t *)(uintptr_t)value, levels - 1);
    } else {
        add_array(buf, value, levels - 1);
    }
}

static void add_value(struct buf *buf, const json_t *value, unsigned levels)
{
    if (value == NULL) {
        buf_add_cstr(buf, "null");
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        add_container(buf, value, levels);
        break;
    case JSON_STRING:
        json_add_string(buf, json_str(value));
        break;
    case JSON_INTEGER:
        buf_add_i64(buf, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(buf, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_add_cstr(buf, "true");
        break;
    case JSON_FALSE:
        buf_add_cstr(buf, "false");
        break;
    case JSON_NULL:
        buf_add_cstr(buf, "null");
        break;
    }
}

void json_add_tree(struct buf *buf, const json_t *value)
{
    add_value(buf, value, JSON_DEPTH_MAX);
}

void json_add_tree_within(struct buf *buf, const json_t *value, unsigned levels)
{
    add_value(buf, value, levels);
}
