/* Where a client stands in what is emitted: the offset that is the last argument of each event when
 * clients can recover (protocol.md 6).
 *
 *     ~ stream(11) position(9) generation(5) passing(8)
 *
 * All parts have a fixed width, in an alphabet that is in ASCII order: of one stream and
 * generation, a later offset is the greater string. The mark in front and the stream tell it from
 * strings of the application. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/str.h"

enum {
    SIO_OFFSET_LEN = 34,
    SIO_OFFSET_POSITION_BITS = 54,
    SIO_OFFSET_GENERATION_BITS = 30,
    SIO_OFFSET_PASSING_BITS = 48,
};

struct sio_offset {
    uint64_t stream;     /* which history: another epoch or scope has another number */
    uint64_t position;   /* in the durable log */
    uint64_t generation; /* of the process that counts what is in no log */
    uint64_t passing;    /* the last event of those that the client may have seen */
};

/* Higher bits than the parts have room for are cut off. No NUL. */
void sio_offset_encode(const struct sio_offset *offset, char ret_text[SIO_OFFSET_LEN]);
/* The part that changes from event to event; the rest is there already. */
void sio_offset_encode_passing(uint64_t passing, char text[SIO_OFFSET_LEN]);
/* False for anything that sio_offset_encode() does not write. */
bool sio_offset_decode(struct str text, struct sio_offset *ret_offset);
