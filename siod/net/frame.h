/* An immutable, counted run of bytes on its way to one or many connections.
 *
 * A text or binary message is laid out once as WebSocket frame header + payload, so that all
 * recipients of a broadcast share it: WebSocket peers are sent `bytes`, polling answers take only
 * the payload. Loop thread only: the count is not atomic. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"

struct frame {
    uint32_t refs;
    uint8_t header_len; /* bytes before the payload: 2, 4 or 10 for a WebSocket frame, 0 for raw
                           bytes */
    bool binary;        /* a binary WebSocket message */
    size_t len;         /* header and payload */
    char bytes[];
};

/* All return owned with one reference. */
NODISCARD
struct frame *frame_raw(struct str bytes);
/* `len` raw bytes that the caller fills in before anyone else sees the frame. */
NODISCARD
struct frame *frame_alloc(size_t len);
/* One unfragmented, unmasked WebSocket message (RFC 6455, 5.2). */
NODISCARD
struct frame *frame_text(struct str payload);
NODISCARD
struct frame *frame_binary(struct str payload);
/* The same from two pieces, joined. */
NODISCARD
struct frame *frame_text2(struct str first, struct str second);
/* Close, ping or pong (enum ws_opcode); at most 125 bytes. */
NODISCARD
struct frame *frame_control(unsigned opcode, struct str payload);

static inline struct frame *frame_ref(struct frame *frame)
{
    frame->refs++;
    return frame;
}
/* The last reference is gone. */
void frame_free(struct frame *frame);
/* NULL is accepted. */
static inline void frame_unref(struct frame *frame)
{
    if (frame != NULL && --frame->refs == 0) {
        frame_free(frame);
    }
}

static inline struct str frame_payload(const struct frame *frame)
{
    return (struct str) { frame->bytes + frame->header_len, frame->len - frame->header_len };
}
