/* Attachments of Socket.IO's binary packets, the pure part (protocol.md 3): in the JSON of such a
 * packet `{"_placeholder":true,"num":N}` stands for the N-th of the binary messages that follow. */
#pragma once

#include <stddef.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/wire/socketio.h"

/* Binary data that belongs to an event or ack, in the order of its placeholders. Borrowed. */
struct sio_attachments {
    const struct str *data;
    unsigned count;
};

/* Which of the received attachments each placeholder means, in the order of the document. */
struct sio_placeholders {
    unsigned count;
    unsigned index[SIO_ATTACHMENTS_MAX];
};

/* Find the placeholders in `args`, normalised JSON values separated by commas, and append them to
 * `out` with the placeholders numbered in the order of the document, as a sender must.
 * `received` is how many attachments there are. ERR_SYNTAX when the number of a placeholder is no
 * index of them; ERR_TOO_LARGE for more than SIO_ATTACHMENTS_MAX placeholders (one that is repeated
 * counts each time: it is sent each time). Objects nested inside a placeholder are dropped with
 * it. */
NODISCARD
enum err sio_placeholders_order(struct str args, unsigned received, struct buf *out,
                                struct sio_placeholders *ret_placeholders);
