/* WebSocket frames, server side: a pure, incremental codec (RFC 6455, sections 5 and 7.4; no
 * extensions).
 *
 * The decoder walks a byte stream that may be cut anywhere:
 *
 *     while (bytes.len > 0) {
 *         if (!ws_decoder_in_frame(&d)) { ws_decoder_head(): a header, or more bytes needed }
 *         else { ws_decoder_payload(): the next piece of that frame, unmasked }
 *     }
 *
 * It holds no payload: the caller assembles messages. It enforces the order of fragments, the rules
 * of control frames, masking, UTF-8 across fragments, and a limit on the length of a message at the
 * header that announces it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"
#include "libshared/wire/utf8_stream.h"

enum ws_opcode {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10,
};

/* Close codes (RFC 6455, 7.4.1) that we send or test for. */
enum ws_code {
    WS_CODE_NONE = 0, /* no code in the close frame */
    WS_CODE_NORMAL = 1000,
    WS_CODE_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_INVALID_DATA = 1007,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_TRY_AGAIN_LATER = 1013, /* registered with IANA */
};

enum {
    WS_CLIENT_HEADER_MAX = 14,
    WS_SERVER_HEADER_MAX = 10,
    WS_CONTROL_MAX = 125, /* payload of a control frame */
};

struct ws_decoder {
    uint32_t left;           /* payload bytes of the present frame still to come */
    uint32_t message_len;    /* announced so far by the frames of the present data message */
    uint32_t max_message;    /* bytes */
    struct utf8_stream utf8; /* of the present text message */
    uint8_t mask[4];         /* rotated to the next payload byte */
    uint8_t head[WS_CLIENT_HEADER_MAX];
    uint8_t head_len; /* bytes of an incomplete header in head[] */
    uint8_t opcode;   /* of the present frame; continuations carry their message's */
    uint8_t message;  /* opcode of the data message being assembled, 0 = none */
    bool in_frame, fin;
};

void ws_decoder_init(struct ws_decoder *decoder, uint32_t max_message);

static inline bool ws_decoder_in_frame(const struct ws_decoder *decoder)
{
    return decoder->in_frame;
}

enum ws_step {
    WS_STEP_MORE,  /* everything was consumed, the header is still incomplete */
    WS_STEP_FRAME, /* a header is complete: opcode, fin and left are set; left may be 0 */
    WS_STEP_ERROR, /* *ret_code says with which code to close; the decoder is of no use afterwards
                    */
};
/* Consume header bytes from the start of `bytes`. *ret_used is set in all cases. */
NODISCARD
enum ws_step ws_decoder_head(struct ws_decoder *decoder, struct str bytes, size_t *ret_used,
                             enum ws_code *ret_code);
/* Unmask min(bytes.len, left) payload bytes into `to` (which may be bytes.data itself) and check
 * them. Returns how many, or -1 when a text is no UTF-8 (close with 1007). When left reaches 0 the
 * frame is over; call it with no bytes for an empty frame. */
NODISCARD
ptrdiff_t ws_decoder_payload(struct ws_decoder *decoder, struct str bytes, char *to);
/* After ws_decoder_payload(): the frame is complete. */
static inline bool ws_decoder_frame_done(const struct ws_decoder *decoder)
{
    return !decoder->in_frame;
}

static inline bool ws_opcode_is_control(unsigned opcode)
{
    return (opcode & 8) != 0;
}

/* XOR `len` bytes with the mask, the first one with mask[0]; `to` and `from` may be the same. */
void ws_mask(char *to, const char *from, size_t len, const uint8_t mask[4]);

/* Payload of a received close frame. WS_CODE_NORMAL when it is well-formed, with what the peer said
 * in *ret_peer_code (WS_CODE_NONE for an empty payload); otherwise the code to close with. */
NODISCARD
enum ws_code ws_close_parse(struct str payload, unsigned *ret_peer_code);
/* May a peer send this close code? */
bool ws_code_valid(unsigned code);

/* Header of an unmasked, unfragmented frame; returns its length. */
size_t ws_header_encode(uint8_t ret_header[WS_SERVER_HEADER_MAX], enum ws_opcode opcode,
                        uint64_t len);
