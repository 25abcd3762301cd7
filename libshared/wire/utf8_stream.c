#include "libshared/wire/utf8_stream.h"

#include <string.h>

/* Length of the run of ASCII at the start, eight bytes at a time. */
static size_t ascii_run(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (len - at >= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes + at, sizeof word);
        if ((word & 0x8080808080808080u) != 0) {
            break;
        }
        at += sizeof word;
    }
    while (at < len && bytes[at] < 0x80) {
        at++;
    }
    return at;
}

/* The second byte's bounds shut out overlong forms (E0, F0), surrogates (ED) and what lies above
 * U+10FFFF (F4). */
static bool lead(struct utf8_stream *stream, uint8_t byte)
{
    stream->least = 0x80;
    stream->most = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        stream->need = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        stream->need = 2;
        stream->least = byte == 0xe0 ? 0xa0 : 0x80;
        stream->most = byte == 0xed ? 0x9f : 0xbf;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        stream->need = 3;
        stream->least = byte == 0xf0 ? 0x90 : 0x80;
        stream->most = byte == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    return true;
}

bool utf8_stream_feed(struct utf8_stream *stream, const void *bytes, size_t len)
{
    const uint8_t *at = bytes, *end = at + len;

    while (at < end) {
        if (stream->need > 0) {
            if (*at < stream->least || *at > stream->most) {
                return false;
            }
            stream->need--;
            stream->least = 0x80;
            stream->most = 0xbf;
            at++;
            continue;
        }
        at += ascii_run(at, (size_t)(end - at));
        if (at < end && !lead(stream, *at++)) {
            return false;
        }
    }
    return true;
}
