#include "libshared/json_text.h"

#include <stdlib.h>

#include "libshared/id.h"
#include "libshared/utf8.h"

static inline struct str skip_space(struct str text)
{
    while (text.len > 0 && json_text_is_space(text.data[0])) {
        text = str_skip(text, 1);
    }
    return text;
}

/* From the opening quote to behind the closing one. */
static inline const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at < end ? at + 1 : end;
}

/* Brackets of both kinds are counted together: they match, and only their depth matters. */
static const char *container_end(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = string_end(at, end);
            continue;
        }
        if (*at == '{' || *at == '[') {
            depth++;
        } else if ((*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
        at++;
    }
    return end;
}

static inline const char *scalar_end(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !json_text_is_space(*at)) {
        at++;
    }
    return at;
}

size_t json_text_scalar_len(struct str text)
{
    const char *end = text.data + text.len;

    return (size_t)((*text.data == '"' ? string_end(text.data, end) : scalar_end(text.data, end)) -
                    text.data);
}

/* Takes the value that *text, not empty, starts with. */
static inline struct str take_value(struct str *text)
{
    const char *end = text->data + text->len, *value_end;
    struct str value = { text->data, 0 };

    switch (*text->data) {
    case '"':
        value_end = string_end(text->data, end);
        break;
    case '{':
    case '[':
        value_end = container_end(text->data, end);
        break;
    default:
        value_end = scalar_end(text->data, end);
        break;
    }
    value.len = (size_t)(value_end - text->data);
    *text = str_skip(*text, value.len);
    return value;
}

/* What follows a separator, which is there unless this is the end. */
static inline struct str skip_separator(struct str text)
{
    text = skip_space(text);
    return text.len > 0 ? skip_space(str_skip(text, 1)) : text;
}

bool json_text_take(struct str *list, struct str *ret_value)
{
    struct str rest = skip_space(*list);

    if (rest.len == 0) {
        return false;
    }
    *ret_value = take_value(&rest);
    *list = skip_separator(rest);
    return true;
}

bool json_text_take_member(struct str *list, struct str *ret_key, struct str *ret_value)
{
    struct str rest = skip_space(*list), key;

    if (rest.len == 0) {
        return false;
    }
    key = take_value(&rest);
    rest = skip_separator(rest);
    if (rest.len == 0) {
        return false;
    }
    *ret_key = key;
    *ret_value = take_value(&rest);
    *list = skip_separator(rest);
    return true;
}

/* ---- strings */

static unsigned hex_value(const char *digits)
{
    unsigned value = 0;

    for (size_t i = 0; i < 4; i++) {
        char c = digits[i];

        value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static char short_escape(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

/* The escape at `at`, where a lone surrogate cannot be. Returns its length. */
static size_t add_escape(struct buf *to, const char *at)
{
    size_t len = 6;
    unsigned code;
    char utf8[4];

    if (at[1] != 'u') {
        buf_add_char(to, short_escape(at[1]));
        return 2;
    }
    code = hex_value(at + 2);
    if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex_value(at + 8) - 0xdc00);
        len = 12;
    }
    buf_add(to, utf8, utf8_encode(code, utf8));
    return len;
}

void json_add_decoded(struct buf *buf, struct str inside)
{
    size_t from = 0, at = 0; /* what lies between them is copied in one go */

    while (at < inside.len) {
        if (inside.data[at] != '\\') {
            at++;
            continue;
        }
        buf_add(buf, inside.data + from, at - from);
        at += add_escape(buf, inside.data + at);
        from = at;
    }
    buf_add(buf, inside.data + from, inside.len - from);
}

static struct str decode(struct str inside, struct buf *scratch)
{
    size_t start = scratch->len;

    json_text_reserve(scratch, inside);
    json_add_decoded(scratch, inside);
    return (struct str) { scratch->data + start, scratch->len - start };
}

void json_text_reserve(struct buf *scratch, struct str text)
{
    buf_reserve(scratch, text.len);
}

bool json_text_string(struct str value, struct buf *scratch, struct str *ret_text)
{
    if (value.len < 2 || value.data[0] != '"') {
        return false;
    }
    *ret_text = json_text_inside(value);
    if (memchr(ret_text->data, '\\', ret_text->len) != NULL) {
        *ret_text = decode(*ret_text, scratch);
    }
    return true;
}

/* ---- numbers */

bool json_text_int(struct str value, int64_t *ret_number)
{
    bool negative = value.len > 0 && value.data[0] == '-';
    uint64_t number = 0;

    if (value.len == (size_t)negative) {
        return false;
    }
    for (size_t i = negative; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret_number = (int64_t)(negative ? 0 - number : number);
    return true;
}

static bool real_id(struct str value, int64_t *ret_id)
{
    autobuf struct buf text = BUF_INIT;

    if (value.len == 0 || value.data[0] < '0' || value.data[0] > '9') {
        return false;
    }
    buf_add_str(&text, value);
    return id_from_double(strtod(text.data, NULL), ret_id);
}

bool json_text_id(struct str value, int64_t *ret_id)
{
    autobuf struct buf decoded = BUF_INIT;
    struct str digits;

    if (json_text_string(value, &decoded, &digits)) {
        return id_parse(digits, ret_id);
    }
    return id_parse(value, ret_id) || real_id(value, ret_id);
}

/* ---- layout */

void json_add_compact(struct buf *buf, struct str value)
{
    const char *at = value.data, *end = value.data + value.len, *from = at;

    buf_reserve(buf, value.len);
    while (at < end) {
        if (json_text_is_space(*at)) {
            buf_add(buf, from, (size_t)(at - from));
            from = ++at;
        } else {
            at = *at == '"' ? string_end(at, end) : at + 1;
        }
    }
    buf_add(buf, from, (size_t)(at - from));
}
