#include "bench/lib/frame.h"

enum {
    MASKED = 0x80,
    LEN = 0x7f,
    LEN_16 = 126, /* the length is in the next 2 bytes */
    LEN_64 = 127, /* … in the next 8 */
    MASK_BYTES = 4,
};

static size_t payload_len(const uint8_t *from, size_t bytes)
{
    size_t len = 0;

    for (size_t i = 0; i < bytes; i++) {
        len = len << 8 | from[i];
    }
    return len;
}

size_t frame_next(struct str bytes, struct frame *ret_frame)
{
    const uint8_t *head = (const uint8_t *)bytes.data;
    size_t head_len = 2, len;

    if (bytes.len < head_len) {
        return 0;
    }
    len = head[1] & LEN;
    head_len += len == LEN_64 ? 8 : len == LEN_16 ? 2 : 0;
    if (bytes.len < head_len) {
        return 0;
    }
    if (len >= LEN_16) {
        len = payload_len(head + 2, head_len - 2);
    }
    ret_frame->first = head[0];
    ret_frame->mask = NULL;
    if ((head[1] & MASKED) != 0) {
        ret_frame->mask = head + head_len;
        head_len += MASK_BYTES;
    }
    if (bytes.len < head_len || bytes.len - head_len < len) {
        return 0;
    }
    ret_frame->payload = (struct str) { bytes.data + head_len, len };
    return head_len + len;
}

void frame_add(struct buf *buf, enum ws_opcode opcode, struct str payload, const uint8_t *mask)
{
    uint8_t head[WS_SERVER_HEADER_MAX];
    size_t head_len = ws_header_encode(head, opcode, payload.len);
    char *to = buf_reserve(buf, head_len + MASK_BYTES + payload.len);

    if (mask != NULL) {
        head[1] |= MASKED;
        memcpy(to + head_len, mask, MASK_BYTES);
    }
    memcpy(to, head, head_len);
    to += head_len + (mask != NULL ? MASK_BYTES : 0);
    if (mask != NULL) {
        ws_mask(to, payload.data, payload.len, mask);
    } else {
        memcpy(to, payload.data, payload.len);
    }
    buf->len = (size_t)(to - buf->data) + payload.len;
}
