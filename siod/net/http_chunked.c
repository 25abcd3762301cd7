#include "siod/net/http_chunked.h"

enum {
    SIZE_LINE_MAX = 256, /* digits and extensions */
    TRAILER_BYTES_MAX = 8192,
    SIZE_DIGITS_MAX = 12, /* 2^48 - 1 */
};

enum state {
    SIZE,      /* hexadecimal digits */
    EXTENSION, /* after them, to the CR */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START, /* at the start of a line */
    TRAILER,
    TRAILER_LF,
    END_LF,
};

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool size_byte(struct chunked *chunked, uint8_t c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        chunked->left = chunked->left << 4 | (unsigned)digit;
        return ++chunked->digits <= SIZE_DIGITS_MAX;
    }
    if (chunked->digits == 0) {
        return false;
    }
    if (c == '\r') {
        chunked->state = SIZE_LF;
    } else {
        chunked->state = EXTENSION;
        return c == ';' || c == ' ' || c == '\t';
    }
    return true;
}

/* The end of a size line. */
static void begin_chunk(struct chunked *chunked)
{
    chunked->state = chunked->left > 0 ? DATA : TRAILER_START;
    chunked->digits = 0;
    chunked->overhead = 0;
}

/* A byte outside chunk data. False when it cannot be there. */
static bool framing_byte(struct chunked *chunked, uint8_t c)
{
    switch ((enum state)chunked->state) {
    case SIZE:
        return ++chunked->overhead <= SIZE_LINE_MAX && size_byte(chunked, c);
    case EXTENSION:
        if (c == '\r') {
            chunked->state = SIZE_LF;
            return true;
        }
        return ++chunked->overhead <= SIZE_LINE_MAX && is_text(c);
    case SIZE_LF:
        begin_chunk(chunked);
        return c == '\n';
    case DATA_CR:
        chunked->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        chunked->state = SIZE;
        return c == '\n';
    case TRAILER_START:
        if (c == '\r') {
            chunked->state = END_LF;
            return true;
        }
        chunked->state = TRAILER;
        return ++chunked->overhead <= TRAILER_BYTES_MAX && is_text(c) && c != ' ' && c != '\t';
    case TRAILER:
        if (c == '\r') {
            chunked->state = TRAILER_LF;
            return true;
        }
        return ++chunked->overhead <= TRAILER_BYTES_MAX && is_text(c);
    case TRAILER_LF:
        chunked->state = TRAILER_START;
        return c == '\n';
    case DATA:
    case END_LF:
        break;
    }
    return false;
}

enum chunked_step chunked_next(struct chunked *chunked, struct str in, size_t *ret_used,
                               struct str *ret_data)
{
    size_t used = 0;

    while (used < in.len) {
        if (chunked->state == DATA) {
            size_t take = in.len - used < chunked->left ? in.len - used : (size_t)chunked->left;

            *ret_data = (struct str) { in.data + used, take };
            *ret_used = used + take;
            chunked->left -= take;
            if (chunked->left == 0) {
                chunked->state = DATA_CR;
            }
            return CHUNKED_DATA;
        }
        if (chunked->state == END_LF) {
            *ret_used = used + 1;
            return in.data[used] == '\n' ? CHUNKED_END : CHUNKED_ERROR;
        }
        if (!framing_byte(chunked, (uint8_t)in.data[used++])) {
            *ret_used = used;
            return CHUNKED_ERROR;
        }
    }
    *ret_used = used;
    return CHUNKED_MORE;
}
