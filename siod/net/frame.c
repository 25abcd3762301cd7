#include "siod/net/frame.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/wire/ws_frame.h"

struct frame *frame_alloc(size_t len)
{
    struct frame *frame = xmalloc(sizeof *frame + len);

    *frame = (struct frame) { .refs = 1, .len = len };
    return frame;
}

struct frame *frame_raw(struct str bytes)
{
    struct frame *frame = frame_alloc(bytes.len);

    if (bytes.len > 0) {
        memcpy(frame->bytes, bytes.data, bytes.len);
    }
    return frame;
}

static struct frame *websocket_frame(enum ws_opcode opcode, struct str first, struct str second)
{
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t header_len = ws_header_encode(header, opcode, first.len + second.len);
    struct frame *frame = frame_alloc(header_len + first.len + second.len);

    frame->header_len = (uint8_t)header_len;
    frame->binary = opcode == WS_OP_BINARY;
    memcpy(frame->bytes, header, header_len);
    if (first.len > 0) {
        memcpy(frame->bytes + header_len, first.data, first.len);
    }
    if (second.len > 0) {
        memcpy(frame->bytes + header_len + first.len, second.data, second.len);
    }
    return frame;
}

struct frame *frame_text(struct str payload)
{
    return websocket_frame(WS_OP_TEXT, payload, STR_NONE);
}

struct frame *frame_binary(struct str payload)
{
    return websocket_frame(WS_OP_BINARY, payload, STR_NONE);
}

struct frame *frame_text2(struct str first, struct str second)
{
    return websocket_frame(WS_OP_TEXT, first, second);
}

struct frame *frame_control(unsigned opcode, struct str payload)
{
    return websocket_frame((enum ws_opcode)opcode, payload, STR_NONE);
}

void frame_free(struct frame *frame)
{
    free(frame);
}
