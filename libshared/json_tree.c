/* From the text that json_normalise() has passed to a jansson tree.
 *
 * jansson's own reader takes the text byte by byte through a callback and checks UTF-8 once more;
 * that was half of what a webhook costs the loop. Here nothing is left to check: the text is valid,
 * its depth and its numbers are within bounds. Each container is put into its parent when it opens,
 * so that the parents are all there is to remember. */
#include <stdlib.h>

#include "libshared/json.h"
#include "libshared/json_text.h"

struct builder {
    const char *at, *end;
    json_t *root;
    json_t *open[JSON_DEPTH_MAX]; /* borrowed from the root */
    size_t depth;
    struct str key; /* of the member that comes next; .data NULL when a key is expected */
    struct buf key_scratch, scratch; /* strings without their escapes */
};

/* ---- strings */

/* From the opening quote to behind the closing one. Borrows from the text, or from `scratch` when
 * there are escapes. */
static struct str read_string(struct builder *b, struct buf *scratch)
{
    const char *from = b->at + 1, *at = from;
    bool escaped = false;
    struct str text;

    while (*at != '"') {
        escaped = escaped || *at == '\\';
        at += *at == '\\' ? 2 : 1;
    }
    b->at = at + 1;
    text = (struct str) { from, (size_t)(at - from) };
    if (escaped) {
        buf_clear(scratch);
        json_add_decoded(scratch, text);
        text = buf_str(scratch);
    }
    return text;
}

/* ---- numbers */

/* Counts down from 0, because INT64_MIN has no positive counterpart. */
static json_t *integer(const char *at, const char *end)
{
    bool negative = *at == '-';
    int64_t value = 0;

    for (at += negative; at < end; at++) {
        value = value * 10 - (*at - '0');
    }
    return json_integer(negative ? value : -value);
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || (c | 0x20) == 'e';
}

static json_t *read_number(struct builder *b)
{
    const char *from = b->at, *at = from;
    bool is_integer = true;

    for (; at < b->end && is_number_char(*at); at++) {
        is_integer = is_integer && *at != '.' && (*at | 0x20) != 'e';
    }
    b->at = at;
    return is_integer ? integer(from, at)
                      : json_loadb(from, (size_t)(at - from), JSON_DECODE_ANY, NULL);
}

/* ---- the tree */

static json_t *literal(struct builder *b, size_t len, json_t *value)
{
    b->at += len;
    return value;
}

static json_t *read_text(struct builder *b)
{
    struct str text = read_string(b, &b->scratch);

    return json_stringn_nocheck(text.data, text.len);
}

static json_t *read_scalar(struct builder *b)
{
    switch (*b->at) {
    case '"':
        return read_text(b);
    case 't':
        return literal(b, 4, json_true());
    case 'f':
        return literal(b, 5, json_false());
    case 'n':
        return literal(b, 4, json_null());
    default:
        return read_number(b);
    }
}

/* Takes `value`. NULL, or a parent that cannot take it: memory is exhausted. */
static void put(struct builder *b, json_t *value)
{
    json_t *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    int failed = value == NULL ? -1 : 0;

    if (parent == NULL) {
        b->root = value;
    } else if (json_is_array(parent)) {
        failed |= json_array_append_new(parent, value);
    } else {
        failed |= json_object_setn_new_nocheck(parent, b->key.data, b->key.len, value);
        b->key.data = NULL;
    }
    if (failed != 0) {
        abort();
    }
}

static void open_container(struct builder *b, json_t *container)
{
    put(b, container);
    b->open[b->depth++] = container;
    b->at++;
}

/* A key and its colon. */
static void read_key(struct builder *b)
{
    b->key = read_string(b, &b->key_scratch);
    while (*b->at != ':') {
        b->at++;
    }
    b->at++;
}

static void read_token(struct builder *b)
{
    switch (*b->at) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case ',':
        b->at++;
        break;
    case '{':
        open_container(b, json_object());
        break;
    case '[':
        open_container(b, json_array());
        break;
    case '}':
    case ']':
        b->depth--;
        b->at++;
        break;
    default:
        if (b->depth > 0 && json_is_object(b->open[b->depth - 1]) && b->key.data == NULL) {
            read_key(b);
        } else {
            put(b, read_scalar(b));
        }
    }
}

json_t *json_tree(struct str normal)
{
    struct builder b;

    b.at = normal.data;
    b.end = normal.data + normal.len;
    b.root = NULL;
    b.depth = 0;
    b.key = STR_NONE;
    b.key_scratch = b.scratch = (struct buf)BUF_INIT;
    while (b.at < b.end) {
        read_token(&b);
    }
    buf_finish(&b.key_scratch);
    buf_finish(&b.scratch);
    return b.root;
}
