#include "libshared/wire/offset.h"

enum {
    MARK = '~',
    STREAM_AT = 1,
    STREAM_LEN = 11,
    POSITION_AT = STREAM_AT + STREAM_LEN,
    POSITION_LEN = 9,
    GENERATION_AT = POSITION_AT + POSITION_LEN,
    GENERATION_LEN = 5,
    PASSING_AT = GENERATION_AT + GENERATION_LEN,
    PASSING_LEN = 8,
    DIGIT_BITS = 6,
};
_Static_assert(PASSING_AT + PASSING_LEN == SIO_OFFSET_LEN, "the parts fill it");

static const char alphabet[] = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

static void put(char *to, unsigned len, uint64_t value)
{
    while (len-- > 0) {
        to[len] = alphabet[value & 63];
        value >>= DIGIT_BITS;
    }
}

/* The value of a digit, or -1. */
static int digit(char c)
{
    if (c == '-') {
        return 0;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 1;
    }
    if (c >= 'A' && c <= 'Z') {
        return c - 'A' + 11;
    }
    if (c == '_') {
        return 37;
    }
    return c >= 'a' && c <= 'z' ? c - 'a' + 38 : -1;
}

/* False for another character, and for a value that needs more than 64 bits. */
static bool take(const char *from, unsigned len, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < len; i++) {
        int next = digit(from[i]);

        if (next < 0 || value >> (64 - DIGIT_BITS) != 0) {
            return false;
        }
        value = value << DIGIT_BITS | (unsigned)next;
    }
    *ret_value = value;
    return true;
}

void sio_offset_encode(const struct sio_offset *offset, char ret_text[SIO_OFFSET_LEN])
{
    ret_text[0] = MARK;
    put(ret_text + STREAM_AT, STREAM_LEN, offset->stream);
    put(ret_text + POSITION_AT, POSITION_LEN, offset->position);
    put(ret_text + GENERATION_AT, GENERATION_LEN, offset->generation);
    put(ret_text + PASSING_AT, PASSING_LEN, offset->passing);
}

void sio_offset_encode_passing(uint64_t passing, char text[SIO_OFFSET_LEN])
{
    put(text + PASSING_AT, PASSING_LEN, passing);
}

bool sio_offset_decode(struct str text, struct sio_offset *ret_offset)
{
    struct sio_offset offset;

    if (text.len != SIO_OFFSET_LEN || text.data[0] != MARK ||
        !take(text.data + STREAM_AT, STREAM_LEN, &offset.stream) ||
        !take(text.data + POSITION_AT, POSITION_LEN, &offset.position) ||
        !take(text.data + GENERATION_AT, GENERATION_LEN, &offset.generation) ||
        !take(text.data + PASSING_AT, PASSING_LEN, &offset.passing)) {
        return false;
    }
    *ret_offset = offset;
    return true;
}
