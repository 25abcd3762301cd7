#include "libshared/wire/engineio.h"

#include <openssl/evp.h>

enum { NOT_BASE64 = 64 };

static unsigned sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : NOT_BASE64;
}

/* Four digits to three bytes; false when one of them is no digit. */
static bool decode_group(const char *digits, unsigned char *to)
{
    unsigned group = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned value = sextet(digits[i]);

        if (value == NOT_BASE64) {
            return false;
        }
        group = group << 6 | value;
    }
    to[0] = (unsigned char)(group >> 16);
    to[1] = (unsigned char)(group >> 8);
    to[2] = (unsigned char)group;
    return true;
}

/* The last group, whose padding is read as zero digits; the bytes that stand for the padding must
 * come out as zero, or the same data would have several spellings. */
static bool decode_last(const char *digits, unsigned char *to, size_t *ret_len)
{
    size_t padding = digits[3] != '=' ? 0 : digits[2] != '=' ? 1 : 2;
    char filled[4];

    memcpy(filled, digits, sizeof filled);
    memset(filled + sizeof filled - padding, 'A', padding);
    if (!decode_group(filled, to)) {
        return false;
    }
    *ret_len = 3 - padding;
    return (padding < 1 || to[2] == 0) && (padding < 2 || to[1] == 0);
}

static bool decode_base64(struct str text, struct buf *to)
{
    unsigned char *out = (unsigned char *)buf_reserve(to, text.len / 4 * 3);
    size_t last = 0;

    if (text.len % 4 != 0) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    for (; text.len > 4; text = str_skip(text, 4), out += 3, to->len += 3) {
        if (!decode_group(text.data, out)) {
            return false;
        }
    }
    if (!decode_last(text.data, out, &last)) {
        return false;
    }
    to->len += last;
    return true;
}

enum err eio_base64_decode(struct str text, struct buf *scratch, struct eio_packet *ret_packet)
{
    buf_clear(scratch);
    if (!decode_base64(text, scratch)) {
        return ERR_SYNTAX;
    }
    *ret_packet = (struct eio_packet) { EIO_MESSAGE, true, buf_str(scratch) };
    return OK;
}

enum err eio_packet_decode(struct str text, struct buf *scratch, struct eio_packet *ret_packet)
{
    if (text.len == 0) {
        return ERR_SYNTAX;
    }
    if (text.data[0] == 'b') {
        return eio_base64_decode(str_skip(text, 1), scratch, ret_packet);
    }
    if (text.data[0] < '0' || text.data[0] > '0' + EIO_NOOP) {
        return ERR_SYNTAX;
    }
    *ret_packet = (struct eio_packet) {
        .type = (enum eio_packet_type)(text.data[0] - '0'),
        .data = str_skip(text, 1),
    };
    return OK;
}

bool eio_payload_next(struct eio_payload *payload, struct str *ret_packet)
{
    struct str rest = payload->rest;
    const char *separator = rest.len > 0 ? memchr(rest.data, EIO_SEPARATOR, rest.len) : NULL;

    if (payload->done) {
        return false;
    }
    if (separator == NULL) {
        payload->done = true;
        *ret_packet = rest;
        return true;
    }
    *ret_packet = (struct str) { rest.data, (size_t)(separator - rest.data) };
    payload->rest = str_skip(rest, ret_packet->len + 1);
    return true;
}

void eio_base64_encode(struct buf *buf, struct str data)
{
    enum { CHUNK = 3 * 1024 * 1024 }; /* OpenSSL counts in int */

    while (data.len > 0) {
        size_t len = MIN(data.len, (size_t)CHUNK);
        unsigned char *to = (unsigned char *)buf_reserve(buf, (len + 2) / 3 * 4);

        buf->len += (size_t)EVP_EncodeBlock(to, (const unsigned char *)data.data, (int)len);
        data = str_skip(data, len);
    }
}

void eio_binary_encode(struct buf *buf, struct str data)
{
    buf_add_char(buf, 'b');
    eio_base64_encode(buf, data);
}

void eio_handshake_encode(struct buf *buf, const struct eio_handshake *handshake)
{
    buf_add_cstr(buf, "0{\"sid\":\"");
    buf_add_cstr(buf, handshake->sid);
    buf_add_cstr(buf, "\",\"upgrades\":");
    buf_add_cstr(buf, handshake->upgrades ? "[\"websocket\"]" : "[]");
    buf_add_cstr(buf, ",\"pingInterval\":");
    buf_add_u64(buf, handshake->ping_interval_ms);
    buf_add_cstr(buf, ",\"pingTimeout\":");
    buf_add_u64(buf, handshake->ping_timeout_ms);
    buf_add_cstr(buf, ",\"maxPayload\":");
    buf_add_u64(buf, handshake->max_payload);
    buf_add_char(buf, '}');
}
