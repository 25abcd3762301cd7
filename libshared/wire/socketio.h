/* Socket.IO v5 packets, the pure part (protocol.md 3):
 *
 *     <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
 *
 * Stricter than the reference where that one coerces as JavaScript does: counts and ids are digits,
 * nothing else. The JSON has passed json_normalise() when it comes out of here, but for raw_args.
 * Names that only the server may use, and packets that only it may send, are the server's to
 * refuse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/json.h"
#include "libshared/str.h"

/* The type byte is '0' plus this. */
enum sio_packet_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK,
};

enum {
    SIO_ATTACHMENTS_MAX = 10, /* as in the reference */
    SIO_NAMESPACE_MAX = 256,  /* bytes of the name of a namespace that there is */
    SIO_NAMESPACE_QUERY_MAX =
        8192, /* bytes of one in a packet, with the query of clients of protocol 4 */
};
#define SIO_ACK_NONE   ((int64_t)-1)
#define SIO_ACK_ID_MAX (((int64_t)1 << 53) - 1)

struct sio_packet {
    enum sio_packet_type type;
    unsigned attachments; /* announced by a binary packet: 1 … SIO_ATTACHMENTS_MAX */
    struct str nsp;       /* "/" when the packet names none; may be longer than a name */
    int64_t ack;          /* 0 … SIO_ACK_ID_MAX, or SIO_ACK_NONE */
    struct str body;      /* normalised JSON; empty when the packet has none */
    struct str name;      /* event: decoded, a number as its text; .data NULL without a body */
    struct str args;      /* event and ack: what is inside the array (behind the name), without the
                             brackets; empty when there is nothing */
    struct str raw_args;  /* the same as it came: valid JSON, but to be passed on only, not read */
};

/* Memory that a decoded packet may borrow from; kept from packet to packet. */
struct sio_scratch {
    struct buf json, name;
    struct errmsg why; /* the JSON was refused, at which byte of it; empty for other errors */
};
void sio_scratch_finish(struct sio_scratch *scratch);

/* Decode the data of an Engine.IO text message. The packet borrows from `text` and `scratch` until
 * the next call. ERR_SYNTAX for malformed input, a body that the type does not allow and an event
 * name that is neither string nor number; ERR_TOO_LARGE above a limit; *ret_packet is untouched
 * then. */
NODISCARD
enum err sio_packet_decode(struct str text, const struct json_limits *limits,
                           struct sio_scratch *scratch, struct sio_packet *ret_packet);

/* Names that the reference refuses as event names: "connect", "disconnect", … */
bool sio_event_reserved(struct str name);

/* Append the head of a packet: type, attachments (if any), namespace (unless "/"), ack id (unless
 * SIO_ACK_NONE). The JSON follows. */
void sio_packet_encode_head(struct buf *buf, enum sio_packet_type type, unsigned attachments,
                            struct str nsp, int64_t ack);
/* Append a whole event or ack. `args` is JSON text without the brackets, trusted to be valid. */
void sio_event_encode(struct buf *buf, struct str nsp, int64_t ack, struct str name,
                      struct str args);
/* An event without an ack id, but for its closing bracket. With `attachments` a binary one: `args`
 * has as many placeholders, numbered in order. */
void sio_event_encode_open(struct buf *buf, struct str nsp, unsigned attachments, struct str name,
                           struct str args);
void sio_ack_encode(struct buf *buf, struct str nsp, int64_t ack, struct str args);
