/* WebSocket frames as cheaply as they can be walked (RFC 6455, section 5.2), for both sides. The
 * codec in libshared is a server's: it insists on masks, checks UTF-8 and takes frames in pieces.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"
#include "libshared/wire/ws_frame.h"

enum { FRAME_FIN = 0x80 };

struct frame {
    uint8_t first;       /* FRAME_FIN | opcode */
    const uint8_t *mask; /* 4 bytes; NULL when the frame is not masked */
    struct str payload;  /* as it stands there: still masked */
};

/* The frame at the start of `bytes` (borrowed); returns its whole length, 0 when it has not all
 * come. */
NODISCARD
size_t frame_next(struct str bytes, struct frame *ret_frame);
/* Append one frame; `mask` (4 bytes) as a client does, NULL as a server. */
void frame_add(struct buf *buf, enum ws_opcode opcode, struct str payload, const uint8_t *mask);
