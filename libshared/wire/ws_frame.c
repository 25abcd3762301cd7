#include "libshared/wire/ws_frame.h"

#include <string.h>

#include "libshared/utf8.h"

enum {
    BIT_FIN = 0x80,
    BITS_RSV = 0x70,
    BITS_OPCODE = 0x0f,
    BIT_MASK = 0x80,
    BITS_LENGTH = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
};

void ws_decoder_init(struct ws_decoder *decoder, uint32_t max_message)
{
    *decoder = (struct ws_decoder) { .max_message = max_message };
}

/* How long the header is, as far as its first two bytes tell. */
static size_t header_size(const uint8_t head[2])
{
    unsigned length = head[1] & BITS_LENGTH;

    return 2 + (length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0) + 4;
}

/* What can be refused before the length is known. */
static bool start_valid(const struct ws_decoder *decoder, const uint8_t head[2])
{
    unsigned opcode = head[0] & BITS_OPCODE;

    if ((head[0] & BITS_RSV) != 0 || (head[1] & BIT_MASK) == 0) {
        return false;
    }
    switch (opcode) {
    case WS_OP_CONTINUATION:
        return decoder->message != 0;
    case WS_OP_TEXT:
    case WS_OP_BINARY:
        return decoder->message == 0;
    case WS_OP_CLOSE:
    case WS_OP_PING:
    case WS_OP_PONG:
        return (head[0] & BIT_FIN) != 0 && (head[1] & BITS_LENGTH) <= WS_CONTROL_MAX;
    default:
        return false;
    }
}

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* One that is not in its shortest form, which 5.2 asks of the sender, is taken as the reference
 * takes it. */
static uint64_t read_length(const uint8_t *head)
{
    unsigned len = head[1] & BITS_LENGTH;

    return len == LENGTH_16   ? big_endian(head + 2, 2)
           : len == LENGTH_64 ? big_endian(head + 2, 8)
                              : len;
}

static enum ws_code frame_begin(struct ws_decoder *decoder, const uint8_t *head, size_t size)
{
    uint64_t len = MIN(read_length(head), (uint64_t)INT64_MAX);

    decoder->opcode = head[0] & BITS_OPCODE;
    decoder->fin = (head[0] & BIT_FIN) != 0;
    if (!ws_opcode_is_control(decoder->opcode)) {
        if (decoder->opcode != WS_OP_CONTINUATION) {
            decoder->message = decoder->opcode;
            decoder->message_len = 0;
            decoder->utf8 = (struct utf8_stream) { 0, 0, 0 };
        }
        decoder->opcode = decoder->message;
        uint64_t whole = len + decoder->message_len;

        decoder->message_len = (uint32_t)MIN(whole, UINT32_MAX);
        if (whole > decoder->max_message) {
            return WS_CODE_TOO_BIG;
        }
    }
    memcpy(decoder->mask, head + size - 4, 4);
    decoder->left = (uint32_t)len;
    decoder->in_frame = true;
    return WS_CODE_NONE;
}

/* A header that lies whole in `bytes`: almost every one. */
static enum ws_step whole_head(struct ws_decoder *decoder, struct str bytes, size_t *ret_used,
                               enum ws_code *ret_code)
{
    const uint8_t *head = (const uint8_t *)bytes.data;

    if (!start_valid(decoder, head)) {
        *ret_used = 2;
        *ret_code = WS_CODE_PROTOCOL;
        return WS_STEP_ERROR;
    }
    *ret_used = header_size(head);
    *ret_code = frame_begin(decoder, head, *ret_used);
    return *ret_code == WS_CODE_NONE ? WS_STEP_FRAME : WS_STEP_ERROR;
}

enum ws_step ws_decoder_head(struct ws_decoder *decoder, struct str bytes, size_t *ret_used,
                             enum ws_code *ret_code)
{
    size_t used = 0, size = decoder->head_len < 2 ? 2 : header_size(decoder->head);

    if (decoder->head_len == 0 && bytes.len >= WS_CLIENT_HEADER_MAX) {
        return whole_head(decoder, bytes, ret_used, ret_code);
    }
    while (decoder->head_len < size) {
        if (used == bytes.len) {
            *ret_used = used;
            return WS_STEP_MORE;
        }
        decoder->head[decoder->head_len++] = (uint8_t)bytes.data[used++];
        if (decoder->head_len == 2) {
            if (!start_valid(decoder, decoder->head)) {
                *ret_used = used;
                *ret_code = WS_CODE_PROTOCOL;
                return WS_STEP_ERROR;
            }
        }
        if (decoder->head_len >= 2) {
            size = header_size(decoder->head);
        }
    }
    *ret_used = used;
    decoder->head_len = 0;
    *ret_code = frame_begin(decoder, decoder->head, size);
    return *ret_code == WS_CODE_NONE ? WS_STEP_FRAME : WS_STEP_ERROR;
}

/* The frame's last byte was consumed. False when a text message ends inside a character. */
static bool frame_end(struct ws_decoder *decoder)
{
    decoder->in_frame = false;
    if (ws_opcode_is_control(decoder->opcode) || !decoder->fin) {
        return true;
    }
    decoder->message = 0;
    return decoder->opcode != WS_OP_TEXT || utf8_stream_complete(&decoder->utf8);
}

static void rotate_mask(uint8_t mask[4], size_t len)
{
    uint8_t old[4];

    memcpy(old, mask, sizeof old);
    for (size_t i = 0; i < 4; i++) {
        mask[i] = old[(i + len) & 3];
    }
}

ptrdiff_t ws_decoder_payload(struct ws_decoder *decoder, struct str bytes, char *to)
{
    size_t len = bytes.len < decoder->left ? bytes.len : decoder->left;

    if (len > 0) {
        ws_mask(to, bytes.data, len, decoder->mask);
        rotate_mask(decoder->mask, len);
        decoder->left -= (uint32_t)len;
        if (decoder->opcode == WS_OP_TEXT && !utf8_stream_feed(&decoder->utf8, to, len)) {
            return -1;
        }
    }
    if (decoder->left == 0 && !frame_end(decoder)) {
        return -1;
    }
    return (ptrdiff_t)len;
}

void ws_mask(char *to, const char *from, size_t len, const uint8_t mask[4])
{
    uint8_t pattern[8];
    uint64_t word, key;
    size_t at = 0;

    memcpy(pattern, mask, 4);
    memcpy(pattern + 4, mask, 4);
    memcpy(&key, pattern, sizeof key);
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, from + at, sizeof word);
        word ^= key;
        memcpy(to + at, &word, sizeof word);
    }
    for (; at < len; at++) {
        to[at] = (char)((uint8_t)from[at] ^ mask[at & 3]);
    }
}

bool ws_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

enum ws_code ws_close_parse(struct str payload, unsigned *ret_peer_code)
{
    unsigned code;

    if (payload.len == 0) {
        *ret_peer_code = WS_CODE_NONE;
        return WS_CODE_NORMAL;
    }
    if (payload.len == 1) {
        return WS_CODE_PROTOCOL;
    }
    code = (unsigned)((uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1]);
    if (!ws_code_valid(code)) {
        return WS_CODE_PROTOCOL;
    }
    if (!utf8_valid(str_skip(payload, 2))) {
        return WS_CODE_INVALID_DATA;
    }
    *ret_peer_code = code;
    return WS_CODE_NORMAL;
}

size_t ws_header_encode(uint8_t ret_header[WS_SERVER_HEADER_MAX], enum ws_opcode opcode,
                        uint64_t len)
{
    size_t extra = len < LENGTH_16 ? 0 : len <= UINT16_MAX ? 2 : 8;

    ret_header[0] = (uint8_t)(BIT_FIN | opcode);
    ret_header[1] = (uint8_t)(extra == 0 ? len : extra == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < extra; i++) {
        ret_header[2 + i] = (uint8_t)(len >> (8 * (extra - 1 - i)));
    }
    return 2 + extra;
}
