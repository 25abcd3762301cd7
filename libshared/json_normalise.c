/* The gate for JSON from outside: one pass over the bytes with a bit per open container instead of
 * recursion. Bytes that need no change are never copied one by one: `kept` marks the start of the
 * run that is still the peer's text, and the first change moves the runs before it to the scratch
 * buffer. A text without changes is handed back as it came. */
#include <string.h>

#include "libshared/json.h"
#include "libshared/json_number.h"
#include "libshared/utf8.h"

enum byte_class {
    PLAIN, /* within a string: nothing to look at */
    QUOTE,
    BACKSLASH,
    CONTROL, /* a syntax error within a string */
    MULTI,   /* the lead of a UTF-8 sequence, or no UTF-8 at all */
};

#define C8  CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL
#define M16 MULTI, MULTI, MULTI, MULTI, MULTI, MULTI, MULTI, MULTI, M8
#define M8  MULTI, MULTI, MULTI, MULTI, MULTI, MULTI, MULTI, MULTI
static const unsigned char string_bytes[256] = {
    C8,  C8,  C8,  C8, ['"'] = QUOTE, ['\\'] = BACKSLASH, [0x80] = M16, M16, M16, M16,
    M16, M16, M16, M16
};

enum { ESCAPE_LEN = 6 /* \uXXXX */ };

enum expected { VALUE, VALUE_OR_END, KEY, KEY_OR_END, NEXT };

struct normaliser {
    const char *start, *at, *end;
    const char *kept;
    struct buf *scratch;
    const struct json_limits *limits;
    struct errmsg *msg;
    size_t keys, containers;
    unsigned depth, max_depth;
    uint64_t objects[JSON_DEPTH_MAX / 64 + 1]; /* bit d: the container at depth d is an object */
};

static enum err syntax(const struct normaliser *n, const char *what)
{
    return err_set(n->msg, ERR_SYNTAX, "%s at byte %zu", what, (size_t)(n->at - n->start));
}

/* The `len` bytes at `from`, which is not before any earlier change, become `text`. */
static void replace(struct normaliser *n, const char *from, size_t len, struct str text)
{
    buf_add(n->scratch, n->kept, (size_t)(from - n->kept));
    buf_add_str(n->scratch, text);
    n->kept = from + len;
}

static inline void skip_space(struct normaliser *n)
{
    while (n->at < n->end &&
           (*n->at == ' ' || *n->at == '\n' || *n->at == '\r' || *n->at == '\t')) {
        n->at++;
    }
}

static inline bool is_digit(const struct normaliser *n)
{
    return n->at < n->end && *n->at >= '0' && *n->at <= '9';
}

/* Over eight plain bytes at a time. Each term has its high bit set in the lowest byte that is
 * below 0x20, a quote, a backslash or not ASCII; borrows spoil only bytes above that one. */
static inline const char *skip_plain(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;

    for (uint64_t word; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        if (((word | (word - ones * 0x20) | ((word ^ ones * '"') - ones) |
              ((word ^ ones * '\\') - ones)) &
             high) != 0) {
            break;
        }
    }
    while (at < end && string_bytes[(unsigned char)*at] == PLAIN) {
        at++;
    }
    return at;
}

/* The value of the \uXXXX at `at`, or -1. */
static int unicode_escape(const char *at, const char *end)
{
    int value = 0;

    if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u') {
        return -1;
    }
    for (size_t i = 2; i < ESCAPE_LEN; i++) {
        char c = at[i];

        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

static enum err scan_unicode(struct normaliser *n, bool is_key)
{
    int unit = unicode_escape(n->at, n->end), second;

    if (unit < 0) {
        return syntax(n, "bad \\u escape");
    }
    if (unit == 0 && is_key) {
        replace(n, n->at, ESCAPE_LEN, STR("\\\\u0000"));
    } else if (unit >= 0xd800 && unit <= 0xdfff) {
        second = unicode_escape(n->at + ESCAPE_LEN, n->end);
        if (unit < 0xdc00 && second >= 0xdc00 && second <= 0xdfff) {
            n->at += ESCAPE_LEN;
        } else {
            replace(n, n->at, ESCAPE_LEN, STR("\\ufffd"));
        }
    }
    n->at += ESCAPE_LEN;
    return OK;
}

static enum err scan_escape(struct normaliser *n, bool is_key)
{
    if (n->end - n->at < 2) {
        return syntax(n, "unfinished escape");
    }
    switch (n->at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        n->at += 2;
        return OK;
    case 'u':
        return scan_unicode(n, is_key);
    default:
        return syntax(n, "unknown escape");
    }
}

static enum err scan_multi(struct normaliser *n)
{
    size_t len = utf8_sequence((struct str) { n->at, (size_t)(n->end - n->at) });

    if (len == 0 && !n->limits->mend_utf8) {
        return syntax(n, "invalid UTF-8");
    }
    if (len == 0) {
        replace(n, n->at, 1, STR("\xef\xbf\xbd"));
        len = 1;
    }
    n->at += len;
    return OK;
}

/* From the opening quote to behind the closing one. */
static enum err scan_string(struct normaliser *n, bool is_key)
{
    n->at++;
    for (;;) {
        enum err err;

        n->at = skip_plain(n->at, n->end);
        if (n->at == n->end) {
            return syntax(n, "unfinished string");
        }
        switch ((enum byte_class)string_bytes[(unsigned char)*n->at]) {
        case PLAIN:
            break;
        case QUOTE:
            n->at++;
            return OK;
        case BACKSLASH:
            err = scan_escape(n, is_key);
            if (err != OK) {
                return err;
            }
            break;
        case CONTROL:
            return syntax(n, "control character in a string");
        case MULTI:
            err = scan_multi(n);
            if (err != OK) {
                return err;
            }
            break;
        }
    }
}

static enum err scan_digits(struct normaliser *n)
{
    if (!is_digit(n)) {
        return syntax(n, "digit expected");
    }
    while (is_digit(n)) {
        n->at++;
    }
    return OK;
}

/* The digits behind an `e`; saturates far beyond what any double has. */
static enum err scan_exponent(struct normaliser *n, long long *ret_exponent)
{
    const long long enough = 1LL << 40; /* more than a mantissa in memory can make good */
    long long value = 0;
    bool negative;

    n->at++;
    negative = n->at < n->end && *n->at == '-';
    if (n->at < n->end && (*n->at == '-' || *n->at == '+')) {
        n->at++;
    }
    if (!is_digit(n)) {
        return syntax(n, "digit expected");
    }
    for (; is_digit(n); n->at++) {
        value = value < enough ? value * 10 + (*n->at - '0') : value;
    }
    *ret_exponent = negative ? -value : value;
    return OK;
}

static void quote_number(struct normaliser *n, const char *from)
{
    replace(n, from, 0, STR("\""));
    replace(n, n->at, 0, STR("\""));
}

static enum err scan_number(struct normaliser *n)
{
    const char *from = n->at, *digits;
    bool negative = *from == '-', is_integer = true, representable;
    long long exponent = 0;
    struct str mantissa;
    enum err err;

    n->at += negative;
    digits = n->at;
    if (n->at < n->end && *n->at == '0') {
        n->at++;
        err = is_digit(n) ? syntax(n, "leading zero") : OK;
    } else {
        err = scan_digits(n);
    }
    if (err == OK && n->at < n->end && *n->at == '.') {
        is_integer = false;
        n->at++;
        err = scan_digits(n);
    }
    mantissa = (struct str) { digits, (size_t)(n->at - digits) };
    if (err == OK && n->at < n->end && (*n->at | 0x20) == 'e') {
        is_integer = false;
        err = scan_exponent(n, &exponent);
    }
    if (err != OK) {
        return err;
    }
    representable =
        n->limits->keep_numbers || (is_integer ? json_integer_fits(mantissa, negative)
                                               : json_real_is_finite(mantissa, exponent));
    if (!representable) {
        quote_number(n, from);
    }
    return OK;
}

static enum err scan_literal(struct normaliser *n, struct str word)
{
    if (!str_starts_with((struct str) { n->at, (size_t)(n->end - n->at) }, word)) {
        return syntax(n, "unknown word");
    }
    n->at += word.len;
    return OK;
}

static enum err open_container(struct normaliser *n, bool is_object)
{
    uint64_t bit = (uint64_t)1 << n->depth % 64;
    uint64_t *word = &n->objects[n->depth / 64]; /* nothing in it yet for the first bit */

    if (n->depth == n->max_depth) {
        return err_set(n->msg, ERR_TOO_LARGE, "more than %u levels at byte %zu", n->max_depth,
                       (size_t)(n->at - n->start));
    }
    if (n->limits->containers > 0 && n->containers == n->limits->containers) {
        return err_set(n->msg, ERR_TOO_LARGE, "more than %zu arrays and objects at byte %zu",
                       n->limits->containers, (size_t)(n->at - n->start));
    }
    n->containers++;
    *word = (bit == 1 ? 0 : *word & (bit - 1)) | (is_object ? bit : 0);
    n->depth++;
    n->at++;
    return OK;
}

static bool in_object(const struct normaliser *n)
{
    return (n->objects[(n->depth - 1) / 64] >> (n->depth - 1) % 64 & 1) != 0;
}

static enum err scan_value(struct normaliser *n, enum expected *next)
{
    *next = NEXT;
    switch (*n->at) {
    case '{':
        *next = KEY_OR_END;
        return open_container(n, true);
    case '[':
        *next = VALUE_OR_END;
        return open_container(n, false);
    case '"':
        return scan_string(n, false);
    case 't':
        return scan_literal(n, STR("true"));
    case 'f':
        return scan_literal(n, STR("false"));
    case 'n':
        return scan_literal(n, STR("null"));
    default:
        return *n->at == '-' || is_digit(n) ? scan_number(n) : syntax(n, "value expected");
    }
}

static enum err scan_key(struct normaliser *n)
{
    enum err err;

    if (*n->at != '"') {
        return syntax(n, "key expected");
    }
    if (n->limits->keys > 0 && n->keys == n->limits->keys) {
        return err_set(n->msg, ERR_TOO_LARGE, "more than %zu keys at byte %zu", n->limits->keys,
                       (size_t)(n->at - n->start));
    }
    n->keys++;
    err = scan_string(n, true);
    if (err != OK) {
        return err;
    }
    skip_space(n);
    if (n->at == n->end || *n->at != ':') {
        return syntax(n, "colon expected");
    }
    n->at++;
    return OK;
}

/* Behind a value: a comma or the end of the container. */
static enum err scan_next(struct normaliser *n, enum expected *next)
{
    bool is_object = in_object(n);

    if (*n->at == ',') {
        *next = is_object ? KEY : VALUE;
    } else if (*n->at == (is_object ? '}' : ']')) {
        n->depth--;
        *next = NEXT;
    } else {
        return syntax(n, is_object ? "comma or } expected" : "comma or ] expected");
    }
    n->at++;
    return OK;
}

static enum err scan_document(struct normaliser *n)
{
    enum expected next = VALUE;

    do {
        enum err err = OK;

        skip_space(n);
        if (n->at == n->end) {
            return syntax(n, "unfinished document");
        }
        if ((next == VALUE_OR_END && *n->at == ']') || (next == KEY_OR_END && *n->at == '}')) {
            next = NEXT;
        }
        switch (next) {
        case VALUE:
        case VALUE_OR_END:
            err = scan_value(n, &next);
            break;
        case KEY:
        case KEY_OR_END:
            err = scan_key(n);
            next = VALUE;
            break;
        case NEXT:
            err = scan_next(n, &next);
            break;
        }
        if (err != OK) {
            return err;
        }
    } while (n->depth > 0 || next != NEXT);
    return OK;
}

/* Member by member: most of the struct are the bits of containers that are not open yet. */
static void start(struct normaliser *n, struct str text, const struct json_limits *limits)
{
    bool limited = limits->depth > 0 && limits->depth < JSON_DEPTH_MAX;

    n->start = n->at = text.data;
    n->end = text.data + text.len;
    n->limits = limits;
    n->keys = n->containers = 0;
    n->depth = 0;
    n->max_depth = limited ? limits->depth : JSON_DEPTH_MAX;
}

enum err json_normalise(struct str text, const struct json_limits *limits, struct buf *scratch,
                        struct str *ret_text, struct errmsg *msg)
{
    const char *value_end;
    struct normaliser n;
    enum err err;

    buf_clear(scratch);
    if (text.len == 0) {
        return err_set(msg, ERR_SYNTAX, "empty document");
    }
    start(&n, text, limits);
    n.scratch = scratch;
    n.msg = msg;
    skip_space(&n);
    n.kept = n.at;
    text.data = n.at;
    err = scan_document(&n);
    if (err != OK) {
        return err;
    }
    value_end = n.at;
    skip_space(&n);
    if (n.at < n.end) {
        return syntax(&n, "something follows the document");
    }
    if (scratch->len > 0) {
        buf_add(scratch, n.kept, (size_t)(value_end - n.kept));
        *ret_text = buf_str(scratch);
    } else {
        *ret_text = (struct str) { text.data, (size_t)(value_end - text.data) };
    }
    return OK;
}
