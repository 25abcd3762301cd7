/* Engine.IO v4 packets, the pure part (protocol.md 1.2, 1.3).
 *
 * A packet is one type byte and its data. Over WebSocket a packet is one frame, and a binary
 * message is a binary frame without a type byte; in polling payloads, and for clients that asked
 * for `b64`, a binary message is `b` and standard base64. A payload is packets joined by 0x1e. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

/* The type byte is '0' plus this. */
enum eio_packet_type {
    EIO_OPEN,
    EIO_CLOSE,
    EIO_PING,
    EIO_PONG,
    EIO_MESSAGE,
    EIO_UPGRADE,
    EIO_NOOP,
};

enum {
    EIO_SEPARATOR = 0x1e,         /* between the packets of a polling payload */
    EIO_PAYLOAD_PACKETS_MAX = 16, /* in one answer: the Python client drops the connection at 17 */
};

struct eio_packet {
    enum eio_packet_type type;
    bool binary;     /* a message that came as base64 */
    struct str data; /* behind the type byte */
};

/* Decode one packet that came as text. `data` borrows from `text`, or from `scratch` (cleared
 * first) when it had to be decoded from base64. ERR_SYNTAX for an empty packet, an unknown type and
 * base64 that is not strict (alphabet, padding, zero trailing bits). UTF-8 is not checked here. */
NODISCARD
enum err eio_packet_decode(struct str text, struct buf *scratch, struct eio_packet *ret_packet);

/* Walks the packets of a payload without looking into them. An empty payload holds one empty
 * packet, and so does what follows a trailing separator: both are errors to eio_packet_decode(). */
struct eio_payload {
    struct str rest;
    bool done;
};
static inline struct eio_payload eio_payload_of(struct str body)
{
    return (struct eio_payload) { body, false };
}
/* False past the last one. */
bool eio_payload_next(struct eio_payload *payload, struct str *ret_packet);

/* Append `b` and base64. */
void eio_binary_encode(struct buf *buf, struct str data);

/* The base64 of a binary message alone, without what marks it: standard alphabet, with padding.
 * Decoding is as strict as in eio_packet_decode(). */
void eio_base64_encode(struct buf *buf, struct str data);
NODISCARD
enum err eio_base64_decode(struct str text, struct buf *scratch, struct eio_packet *ret_packet);

struct eio_handshake {
    const char *sid;
    bool upgrades; /* offer WebSocket */
    uint64_t ping_interval_ms, ping_timeout_ms;
    size_t max_payload; /* bytes */
};
/* Append the whole open packet, `0{"sid":…}`. */
void eio_handshake_encode(struct buf *buf, const struct eio_handshake *handshake);
