/* What Engine.IO v3 does differently from v4, the pure part (protocol.md 2): how packets are put
 * together into a polling payload, and how binary messages are marked.
 *
 * A payload is text, `<length>:<packet>` repeated, where the length counts UTF-16 code units; or,
 * when it holds binary messages for a client that takes them, bytes: per packet 0x00 (text) or 0x01
 * (binary; read is every other byte as that), the decimal digits of the length in bytes as values 0
 * to 9, 0xff, the packet. A packet is its type and its data; the type of a text packet is a digit,
 * that of a binary one a byte 0 to 6; in text form a binary message is `b4` and base64. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/wire/engineio.h"

enum { EIO3_LENGTH_DIGITS_MAX = 10 };

/* One packet of a payload, not looked into. */
struct eio3_item {
    bool binary;
    struct str packet;
};

/* Walks the packets of a payload; `rest` is what was not walked yet. */
struct eio3_payload {
    struct str rest;
    bool binary; /* came as application/octet-stream */
};

/* OK and the next packet, which borrows from the payload; ERR_NOT_FOUND past the last one;
 * ERR_SYNTAX for a length that is missing, wrong or of too many digits, and for text that is not
 * UTF-8. Where nothing is and should be something the reference is of two minds, and so are we: in
 * a payload of text empty packets are passed over and an empty payload is an error, in one of bytes
 * an empty text packet is an error and an empty payload is none. */
NODISCARD
enum err eio3_payload_next(struct eio3_payload *payload, struct eio3_item *ret_item);

/* Decode one packet of either form. `data` borrows from the item, or from `scratch` (cleared first)
 * when it came as base64. ERR_SYNTAX for an empty text packet, an unknown type of one, and broken
 * base64. What is marked as binary has data only as a message; without a type that there is it
 * becomes a noop. */
NODISCARD
enum err eio3_packet_decode(const struct eio3_item *item, struct buf *scratch,
                            struct eio_packet *ret_packet);

/* Append one packet to a payload of text. `packet` has its type byte and is valid UTF-8. */
void eio3_text_add(struct buf *payload, struct str packet);
/* Append a binary message to a payload of text: `<length>:b4<base64>`. */
void eio3_text_add_binary(struct buf *payload, struct str data);
/* Append one packet to a payload of bytes: text with its type byte, or the data of a binary
 * message. */
void eio3_bytes_add(struct buf *payload, bool binary, struct str packet);

/* The bytes that stand before a packet in a payload of bytes, at most: for sizing an answer. */
enum { EIO3_BYTES_HEAD_MAX = 1 + EIO3_LENGTH_DIGITS_MAX + 1 + 1 };
