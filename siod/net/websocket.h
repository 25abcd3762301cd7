/* One WebSocket connection, server side, on top of the pure codec libshared/wire/ws_frame.h (RFC
 * 6455).
 *
 * Masking, fragments, control frames, UTF-8 and close codes follow protocol.md 1.9: protocol errors
 * close with 1002, invalid UTF-8 with 1007, a message larger than the limit (counted after
 * reassembly, refused at the announcing header) with 1009. Pings are answered. No extension is
 * negotiated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"
#include "siod/net/frame.h"

struct http_request;
struct ws;

enum ws_end {
    WS_END_CLOSED,   /* close handshake, or TCP closed without one */
    WS_END_PROTOCOL, /* the peer broke RFC 6455 (1002, 1007) */
    WS_END_TOO_BIG,  /* 1009 */
    WS_END_NO_ROOM,  /* 1013: too much is incomplete over all connections (budget.h) */
    WS_END_SLOW,     /* the output queue overflowed */
    WS_END_LOCAL,    /* ws_close() */
};

struct ws_ops {
    /* A whole message, borrowed; text is valid UTF-8. */
    void (*on_message)(struct ws *ws, bool binary, struct str payload);
    /* Once, whatever ended it; afterwards the pointer is dead. Not called from inside
     * ws_send()/ws_close(). */
    void (*on_close)(struct ws *ws, enum ws_end end);
};

/* Answers the upgrade request with 101 and takes its connection over; bytes that came behind the
 * request are handled before this returns only through the loop (never re-entrantly). `headers` are
 * further "Name: value\r\n" lines of the 101, or empty. NULL when the request is no valid upgrade:
 * it was answered 400 then. The first offered Sec-WebSocket-Protocol is echoed. */
NODISCARD
struct ws *ws_accept(struct http_request *request, struct str headers, uint32_t max_message,
                     const struct ws_ops *ops, void *user);
void *ws_user(const struct ws *ws);
void ws_set_user(struct ws *ws, void *user);

/* frame must be a WebSocket frame (frame_text, frame_binary). Adds its own reference. */
void ws_send(struct ws *ws, struct frame *frame);
size_t ws_pending(const struct ws *ws);
/* See conn_admit(). */
bool ws_admit(struct ws *ws, size_t bytes);
/* See conn_is_behind(). */
bool ws_is_behind(const struct ws *ws);
/* See conn_unread() and conn_taken(). */
size_t ws_unread(const struct ws *ws);
uint64_t ws_taken(const struct ws *ws);
/* Bytes that the frames of the present message have announced. */
uint64_t ws_announced(const struct ws *ws);
/* Orderly close: queued frames, then a close frame (code 0 = without status), then TCP. on_close
 * follows. */
void ws_close(struct ws *ws, unsigned code);
