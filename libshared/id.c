#include "libshared/id.h"

#include <stdlib.h>

#include <openssl/rand.h>

enum { SID_BYTES = 15, POOL_SIDS = 64 };

void id_random(void *ret_bytes, size_t len)
{
    if (RAND_bytes(ret_bytes, (int)len) != 1) {
        abort(); /* no session id is better than a guessable one */
    }
}

/* The generator's cost is per call, so several ids are drawn at once; each byte is used once.
 * Nobody forks between two ids. */
static const unsigned char *draw(void)
{
    static _Thread_local unsigned char pool[POOL_SIDS * SID_BYTES];
    static _Thread_local size_t left;

    if (left == 0) {
        id_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= SID_BYTES;
    return pool + left;
}

static void encode_sid(char ret_sid[SID_SIZE])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = draw();
    size_t out = 0;

    for (size_t i = 0; i < SID_BYTES; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];

        for (unsigned shift = 18; out % 4 != 3; shift -= 6) {
            ret_sid[out++] = alphabet[group >> shift & 63];
        }
        ret_sid[out++] = alphabet[group & 63];
    }
    ret_sid[SID_LEN] = '\0';
}

/* One that begins with a dash would be read as an option on a command line. */
void id_sid(char ret_sid[SID_SIZE])
{
    do {
        encode_sid(ret_sid);
    } while (ret_sid[0] == '-');
}

bool id_parse(struct str text, int64_t *ret_id)
{
    int64_t value = 0;

    if (text.len == 0 || text.len > 16) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    if (value < 1 || value >= ID_MAX) {
        return false;
    }
    *ret_id = value;
    return true;
}

bool id_from_double(double value, int64_t *ret_id)
{
    if (!(value >= 1 && value < (double)ID_MAX) || value != (double)(int64_t)value) {
        return false;
    }
    *ret_id = (int64_t)value;
    return true;
}
