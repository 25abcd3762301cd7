/* Engine.IO server: sessions over HTTP long polling and WebSocket, upgrade, heartbeat, for clients
 * of protocol 4 and, where that is allowed, 3 (protocol.md 1, 2).
 *
 * It knows packets, not what is in them: messages go up as bytes, frames come down. The Engine.IO
 * type byte of a text message ('4') is part of the frame, so that one frame serves every recipient
 * of a broadcast on either transport. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"
#include "siod/net/frame.h"

struct eio_server;
struct eio_session;
struct http_handler;
struct loop;

/* Why a session ended: the words of protocol.md 5, the same in log, metric and sioctl. */
enum eio_reason {
#define EIO_REASON(id, text) EIO_REASON_##id,
#include "siod/engineio/reason.def"
#undef EIO_REASON
    EIO_REASON_COUNT
};
/* "ping timeout" */
const char *eio_reason_text(enum eio_reason reason);

enum eio_transport { EIO_TRANSPORT_POLLING, EIO_TRANSPORT_WEBSOCKET };
const char *eio_transport_name(enum eio_transport transport);

/* What the layer above does with sessions. No callback is made from inside eio_session_send() or
 * _close(). */
struct eio_ops {
    /* A session was opened; set the user pointer. */
    void (*on_open)(void *arg, struct eio_session *session);
    /* A message: text without its type byte (valid UTF-8), or binary. Borrowed. */
    void (*on_message)(struct eio_session *session, bool binary, struct str payload);
    /* Once, whatever ended it; afterwards the pointer is dead. */
    void (*on_close)(struct eio_session *session, enum eio_reason reason);
};

struct eio_config {
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t upgrade_timeout_ms; /* 0 = 10 s */
    uint32_t max_payload;        /* of a message, and of a polling body */
    size_t queue_bytes;          /* buffered for a polling session, bursts apart; 0 = no limit */
    /* CORS: NULL-terminated list of allowed origins ("*" allowed alone, then without credentials);
     * NULL or empty = CORS off: no header is sent and no Origin is refused. With a list, a
     * handshake whose Origin is not on it is refused (403, code 4) on both transports; requests
     * without Origin pass. */
    const char *const *cors_origins;
    unsigned max_sessions; /* open or lingering, with or without a connection; more get 503. 0 = no
                              limit */
    unsigned sessions_per_address; /* open at once; more get 503. 0 = no limit */
    size_t bytes_per_s;            /* of packets from one session; one that sends more ends with
                                      EIO_REASON_TRANSPORT_ERROR. 0 = no limit */
    /* Optional admission: false refuses the handshake with 503 and Retry-After (limits). */
    bool (*admit)(void *arg, const char *address);
    void *admit_arg;
    bool compress; /* long answers to polls, for clients that accept it */
    /* Clients of protocol 4 are not given messages in one payload with its end. socket.io-client
     * puts them aside then, which it should not where they are sent again after it has come back.
     */
    bool farewell_apart;
    bool allow_v3; /* serve clients of protocol 3 (Socket.IO 2) too; without JSONP */
    const struct eio_ops *ops;
    void *arg;
};

/* Returns owned. `config` is copied; the lists in it are borrowed. */
NODISCARD
struct eio_server *eio_server_new(struct loop *loop, const struct eio_config *config);
/* Take over the limits and the list of origins; the rest stays as it was made with. */
void eio_server_reconfigure(struct eio_server *server, const struct eio_config *config);
/* Closes every session that is left. */
void eio_server_free(struct eio_server *server);
/* To be registered as a route (with the server as arg) for "/socket.io/" and "/socket.io". */
const struct http_handler *eio_http_handler(void);
/* Shutdown: new handshakes get 503; sessions close with EIO_REASON_SHUTTING_DOWN (WebSocket: close
 * frame, polling: `1`). Clients come back a little later each, but those that are told in one
 * instant come back as one storm: they are told in slices, at uneven intervals of about 20 ms, of
 * at least 50 sessions and so many that all have been told after `within_ms`. */
void eio_server_drain(struct eio_server *server, unsigned within_ms);

/* Queue a frame whose payload is one Engine.IO packet with its type byte ("4…"), or a binary
 * message. Adds its own reference; ignored on a session that is closing. */
void eio_session_send(struct eio_session *session, struct frame *frame);
/* Could a volatile packet leave at once? (polling with a parked GET, or WebSocket without bytes
 * pending) */
bool eio_session_writable(const struct eio_session *session);
/* Orderly: what is queued goes out first. on_close(reason) follows at the end of the round. */
void eio_session_close(struct eio_session *session, enum eio_reason reason);
/* False once its end was decided. */
bool eio_session_is_open(const struct eio_session *session);

void eio_session_set_user(struct eio_session *session, void *user);
void *eio_session_user(const struct eio_session *session);
void *eio_session_arg(const struct eio_session *session); /* config.arg */
/* The secret sid: for lookups and tests, never for logs or other clients. */
const char *eio_session_sid(const struct eio_session *session);
/* 4 or 3. */
unsigned eio_session_protocol(const struct eio_session *session);
enum eio_transport eio_session_transport(const struct eio_session *session);
/* The client's address at the handshake, after trusted_proxies. */
const char *eio_session_address(const struct eio_session *session);
/* The application's part of the handshake's query string (`token=…`), still percent-encoded:
 * without Engine.IO's own parameters, so that a session that has nothing else keeps nothing. May be
 * empty. */
struct str eio_session_query(const struct eio_session *session);
/* Monotonic ms of the handshake. */
uint64_t eio_session_opened_ms(const struct eio_session *session);
/* The same as Unix time. */
int64_t eio_session_opened_wall_ms(const struct eio_session *session);
/* What was sent before has arrived, since a ping behind it was answered; at first that is the
 * handshake. Protocol 4. */
uint64_t eio_session_proved_ms(const struct eio_session *session);
size_t eio_session_pending(const struct eio_session *session);
/* Before a burst of about so many bytes is sent, what one webhook makes, say: may it be queued
 * although it is more than queue_bytes? False for who has to catch up first; sent anyway, it may
 * cut the client. */
NODISCARD
bool eio_session_admit(struct eio_session *session, size_t bytes);
/* Does so much wait that what can wait (an answer that was asked for) is better sent later? */
NODISCARD
bool eio_session_is_behind(const struct eio_session *session);

struct eio_stats {
    unsigned sessions, polling, websocket;
    uint64_t opened, upgrades, refused, closed[EIO_REASON_COUNT];
    uint64_t full, address_full, rate_exceeded, oversize,
        slow; /* times these limits were enforced */
};
void eio_server_stats(const struct eio_server *server, struct eio_stats *ret_stats);
