/* UTF-8 checked as it arrives, in pieces that may be cut inside a character (RFC 3629; a whole text
 * is checked with libshared/utf8.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"

/* Zero-initialised at the start of a text. */
struct utf8_stream {
    uint8_t need;  /* continuation bytes still to come */
    uint8_t least; /* bounds of the next one */
    uint8_t most;
};

/* False at the first byte that cannot be; the struct is of no use afterwards. */
NODISCARD
bool utf8_stream_feed(struct utf8_stream *stream, const void *bytes, size_t len);
/* May the text end here? */
static inline bool utf8_stream_complete(const struct utf8_stream *stream)
{
    return stream->need == 0;
}
