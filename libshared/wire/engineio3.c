#include "libshared/wire/engineio3.h"

#include <stdint.h>
#include <stdio.h>

#include "libshared/utf8.h"

enum { MARK_TEXT = 0x00, MARK_BINARY = 0x01, MARK_END = 0xff };

/* ---- lengths */

/* UTF-16 code units of a well-formed sequence: those of four bytes are a surrogate pair. */
static size_t units_of(size_t sequence_len)
{
    return sequence_len == 4 ? 2 : 1;
}

static size_t utf16_length(struct str text)
{
    size_t units = 0;

    while (text.len > 0) {
        size_t len = utf8_sequence(text);

        units += units_of(len);
        text = str_skip(text, MAX(len, (size_t)1));
    }
    return units;
}

/* Cut `units` UTF-16 code units off the front of `rest`. False when there are fewer, when a
 * surrogate pair would be cut in two, and when it is no UTF-8. */
static bool take_units(struct str *rest, size_t units, struct str *ret_taken)
{
    struct str at = *rest;

    while (units > 0 && at.len > 0) {
        size_t len = utf8_sequence(at);

        if (len == 0 || units_of(len) > units) {
            return false;
        }
        units -= units_of(len);
        at = str_skip(at, len);
    }
    *ret_taken = (struct str) { rest->data, rest->len - at.len };
    *rest = at;
    return units == 0;
}

/* Digits up to `end`, which is taken too; `zero` is what stands for 0. */
static bool take_length(struct str *rest, unsigned char zero, unsigned char end, size_t *ret)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    uint64_t value = 0;
    size_t digits = 0;

    while (digits < rest->len && at[digits] != end) {
        if (digits == EIO3_LENGTH_DIGITS_MAX || at[digits] < zero || at[digits] > zero + 9) {
            return false;
        }
        value = value * 10 + (at[digits] - zero);
        digits++;
    }
    if (digits == 0 || digits == rest->len) {
        return false;
    }
    *rest = str_skip(*rest, digits + 1);
    *ret = (size_t)value;
    return true;
}

/* ---- decoding */

static bool next_of_text(struct eio3_payload *payload, struct eio3_item *item)
{
    size_t units;

    item->binary = false;
    return take_length(&payload->rest, '0', ':', &units) &&
           take_units(&payload->rest, units, &item->packet);
}

static bool next_of_bytes(struct eio3_payload *payload, struct eio3_item *item)
{
    unsigned char mark = (unsigned char)payload->rest.data[0];
    size_t len;

    payload->rest = str_skip(payload->rest, 1);
    if (!take_length(&payload->rest, 0, MARK_END, &len) || len > payload->rest.len) {
        return false;
    }
    item->binary = mark != MARK_TEXT;
    item->packet = (struct str) { payload->rest.data, len };
    payload->rest = str_skip(payload->rest, len);
    return item->binary || (len > 0 && utf8_valid(item->packet));
}

enum err eio3_payload_next(struct eio3_payload *payload, struct eio3_item *ret_item)
{
    struct eio3_item item = { .packet = STR_NONE };

    if (payload->rest.data == NULL || (payload->rest.len == 0 && payload->binary)) {
        return ERR_NOT_FOUND;
    }
    if (payload->rest.len == 0) {
        return ERR_SYNTAX;
    }
    while (item.packet.len == 0) {
        if (payload->rest.len == 0) {
            payload->rest = STR_NONE;
            return ERR_NOT_FOUND;
        }
        if (!(payload->binary ? next_of_bytes(payload, &item) : next_of_text(payload, &item))) {
            return ERR_SYNTAX;
        }
    }
    if (payload->rest.len == 0) {
        payload->rest = STR_NONE;
    }
    *ret_item = item;
    return OK;
}

/* What is marked as binary and has no type that there is counts for nothing, as in the reference;
 * a noop is just that. */
static struct eio_packet binary_packet(unsigned type, struct str data)
{
    if (type == EIO_MESSAGE) {
        return (struct eio_packet) { EIO_MESSAGE, true, data };
    }
    return (struct eio_packet) { type <= EIO_NOOP ? (enum eio_packet_type)type : EIO_NOOP, false,
                                 STR("") };
}

static struct eio_packet decode_bytes(struct str packet)
{
    return packet.len > 0 ? binary_packet((unsigned char)packet.data[0], str_skip(packet, 1))
                          : binary_packet(EIO_NOOP, packet);
}

/* `text` is what stands behind the `b`. */
static enum err decode_base64(struct str text, struct buf *scratch, struct eio_packet *ret_packet)
{
    if (text.len > 0 && text.data[0] == '0' + EIO_MESSAGE) {
        return eio_base64_decode(str_skip(text, 1), scratch, ret_packet);
    }
    *ret_packet = binary_packet(
        text.len > 0 ? (unsigned char)text.data[0] - (unsigned)'0' : (unsigned)EIO_NOOP, STR(""));
    return OK;
}

enum err eio3_packet_decode(const struct eio3_item *item, struct buf *scratch,
                            struct eio_packet *ret_packet)
{
    struct str text = item->packet;

    if (item->binary) {
        *ret_packet = decode_bytes(text);
        return OK;
    }
    if (text.len == 0 || text.data[0] != 'b') {
        return eio_packet_decode(text, scratch, ret_packet);
    }
    return decode_base64(str_skip(text, 1), scratch, ret_packet);
}

/* ---- encoding */

void eio3_text_add(struct buf *payload, struct str packet)
{
    buf_add_u64(payload, utf16_length(packet));
    buf_add_char(payload, ':');
    buf_add_str(payload, packet);
}

void eio3_text_add_binary(struct buf *payload, struct str data)
{
    buf_add_u64(payload, 2 + (data.len + 2) / 3 * 4);
    buf_add_cstr(payload, ":b4");
    eio_base64_encode(payload, data);
}

void eio3_bytes_add(struct buf *payload, bool binary, struct str packet)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%zu", packet.len + (binary ? 1 : 0));

    buf_add_char(payload, binary ? MARK_BINARY : MARK_TEXT);
    for (int i = 0; i < count; i++) {
        buf_add_char(payload, (char)(digits[i] - '0'));
    }
    buf_add_char(payload, (char)MARK_END);
    if (binary) {
        buf_add_char(payload, EIO_MESSAGE);
    }
    buf_add_str(payload, packet);
}
