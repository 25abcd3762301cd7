/* The chunked transfer coding (RFC 9112, 7.1): a pure, strict, incremental decoder.
 *
 * http_parser is not used for it: as Debian builds it, it skips the delimiters between chunks
 * unseen, so that a proxy in front of us and we could disagree on where a request ends. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"

/* Zero-initialised at the start of a body. */
struct chunked {
    uint64_t left;     /* of the present chunk's data */
    uint16_t overhead; /* bytes of the present size line, or of all trailers */
    uint8_t state;
    uint8_t digits;
};

enum chunked_step {
    CHUNKED_MORE, /* everything was consumed */
    CHUNKED_DATA, /* *ret_data is a piece of the body, borrowed from `in` */
    CHUNKED_END,  /* the body is complete; what follows belongs to the next request */
    CHUNKED_ERROR,
};

/* Consumes *ret_used bytes from the start of `in`. Trailer fields are checked for form and dropped.
 */
NODISCARD
enum chunked_step chunked_next(struct chunked *chunked, struct str in, size_t *ret_used,
                               struct str *ret_data);
