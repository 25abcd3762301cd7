/* Inside engineio: what its files know of one another. Nobody else includes this.
 *
 * request.c decides what an HTTP request is and refuses it; polling.c and websocket.c are the two
 * transports; session.c is what they have in common; protocol3.c is what clients of protocol 3 need
 * otherwise; heartbeat.c keeps the one deadline; server.c owns all sessions and runs the end of the
 * round.
 *
 * A session ends in two steps. eio_session_end() only marks it, wherever that happens; the hook at
 * the end of the round says farewell on the transport, tells the layer above and frees it. So no
 * function in here has to fear that the session it works on is gone when a callback returns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/buf.h"
#include "libshared/id.h"
#include "libshared/map.h"
#include "libshared/str.h"
#include "libshared/wire/engineio.h"
#include "siod/engineio/engineio.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/queue_limit.h"
#include "siod/net/websocket.h"

enum eio_error {
#define EIO_ERROR(id, code, status, text) EIO_ERROR_##id,
#include "siod/engineio/error.def"
#undef EIO_ERROR
    EIO_ERROR_COUNT
};

enum eio_state {
    EIO_STATE_OPEN,
    EIO_STATE_CLOSING,   /* eio_session_end() was called; finished at the end of the round */
    EIO_STATE_LINGERING, /* closed, but the client has still to fetch the news with a GET */
};

/* What a polling client finds in the GET that is parked when its session ends. */
enum eio_farewell {
    EIO_FAREWELL_ORDERLY, /* what is queued and `1`; without a parked GET the next one gets it */
    EIO_FAREWELL_CLOSE,   /* `1` */
    EIO_FAREWELL_NOOP,    /* what is queued, else `6`: the client itself closed */
};

struct eio_queued {
    STAILQ_ENTRY(eio_queued) link;
    struct frame *frame;
};

/* What only a polling session needs; gone after the upgrade. */
struct eio_polling {
    struct eio_session *session;
    struct http_request *get;  /* parked */
    struct http_request *post; /* its body is being read */
    bool post_is_bytes;        /* in the byte form of protocol 3 */
    struct buf body;
    struct hold hold; /* of body */
    STAILQ_HEAD(, eio_queued) queue;
    size_t queued_bytes;
    struct queue_extra extra;
    struct ws *probe;           /* the WebSocket of an upgrade that is under way */
    bool probed;                /* `2probe` came: no GET may stay parked */
    struct timer upgrade_timer; /* for `5` to come */
    bool dirty;                 /* in server->dirty: the parked GET is answered this round */
    bool took;                  /* a GET left packets for another one: eio_polling_took() */
    struct eio_polling *prev, *next;
};

/* Where sessions come from; shared by all of one address. */
struct eio_address {
    UT_hash_handle hh;
    unsigned sessions;
    char text[];
};

/* One for each of many thousands of connections: what is rare lives elsewhere. */
struct eio_session {
    struct eio_server *server;
    void *user;
    struct ws *ws;               /* the live transport; NULL while polling, and once it is gone */
    struct eio_polling *polling; /* NULL once everything goes over WebSocket */
    struct eio_address *from;
    char *query;             /* of the application; NULL when it has none */
    struct timer timer;      /* the next ping or its deadline; how long it lingers */
    uint64_t ping_ms;        /* when the next ping is due, or the present one was */
    uint64_t heard_ms;       /* of the latest packet; 0 = none yet */
    uint64_t proved_ms : 40; /* of the latest ping that was answered; 0 = none yet */
    uint64_t taken : 24;     /* ws_taken() at the present ping or its last deadline; 0 = little
                                waited for the client then: heartbeat.c */
    STAILQ_ENTRY(eio_session) closing;
    UT_hash_handle hh;
    uint32_t allowance; /* bytes: what was left of it at heard_ms */
    char sid[SID_SIZE];
    enum eio_state state : 2;
    enum eio_transport transport : 1;
    enum eio_reason reason : 5;     /* once closing */
    enum eio_farewell farewell : 2; /* likewise */
    bool awaiting_pong : 1;
    bool base64 : 1;         /* the client wants no binary frames */
    bool is_v3 : 1;          /* speaks protocol 3 */
    unsigned extensions : 3; /* of the present ping's deadline */
    uint64_t opened_ms : 40; /* of the loop's clock, which lasts for 34 years */
};

_Static_assert(EIO_REASON_COUNT <= 1 << 5, "a reason fits into its bits");

struct eio_server {
    struct loop *loop;
    struct eio_config config;
    struct eio_session *sessions; /* by sid; lingering ones too */
    struct eio_address *addresses;
    STAILQ_HEAD(, eio_session) closing;
    struct eio_polling *dirty;
    struct loop_hook hook;
    struct frame *ping, *pong, *noop, *close, *probe_answer;
    struct buf scratch;       /* a decoded base64 packet */
    struct coder *coder;      /* NULL until an answer is compressed */
    struct timer drain_timer; /* the next slice */
    unsigned drain_slice;     /* sessions in one, 0 = not draining */
    int64_t clocks_apart_ms;  /* wall clock and monotonic; 0 at first */
    bool freeing;
    struct eio_stats stats;
};

/* session.c */
NODISCARD
struct eio_session *eio_session_open(struct eio_server *server, struct http_request *request,
                                     enum eio_transport transport, bool is_v3);
/* NULL for an unknown one. One whose deadline passed a moment ago is closing. */
struct eio_session *eio_session_find(struct eio_server *server, struct str sid);
/* Append the open packet of a new session. */
void eio_session_handshake(const struct eio_session *session, struct buf *buf);
/* First call wins; later ones are ignored. */
void eio_session_end(struct eio_session *session, enum eio_reason reason,
                     enum eio_farewell farewell);
/* The second step: from the hook only. */
void eio_session_finish(struct eio_session *session);
/* Forget a session that was finished and lingers. */
void eio_session_forget(struct eio_session *session);
/* A packet in text form (valid UTF-8), from either transport. False when it was malformed: the
 * session is ending. */
bool eio_session_receive(struct eio_session *session, struct str text);
/* A binary message; in protocol 3 with its type byte. False as above. */
bool eio_session_receive_binary(struct eio_session *session, struct str data);

/* peer.c */
/* Are there as many sessions as there may be? Counted and logged then. */
bool eio_server_is_full(struct eio_server *server, const char *from);
/* Has the address as many sessions as it may? The same then. */
bool eio_address_is_full(struct eio_server *server, const char *text);
struct eio_address *eio_address_enter(struct eio_server *server, const char *text);
void eio_address_leave(struct eio_server *server, struct eio_address *address);
/* False when the session has sent more than it may. */
bool eio_session_take_bytes(struct eio_session *session, size_t len);

/* heartbeat.c */
void eio_heartbeat_start(struct eio_session *session);
void eio_heartbeat_pong(struct eio_session *session);
/* Protocol 3: the client pinged. */
void eio_heartbeat_ping(struct eio_session *session);
/* Is it past its deadline? That of a client which is still taking what waited for it is moved. */
bool eio_heartbeat_expired(struct eio_session *session);

/* polling.c */
struct eio_polling *eio_polling_new(struct eio_session *session);
void eio_polling_free(struct eio_polling *polling);
void eio_polling_get(struct eio_session *session, struct http_request *request);
void eio_polling_post(struct eio_session *session, struct http_request *request);
void eio_polling_body(struct http_request *request, struct str bytes);
void eio_polling_complete(struct http_request *request);
void eio_polling_request_end(struct http_request *request, bool aborted);
void eio_polling_send(struct eio_polling *polling, struct frame *frame);
bool eio_polling_admit(struct eio_polling *polling, size_t bytes);
bool eio_polling_is_behind(const struct eio_polling *polling);
/* Did a GET take some of what is more than one may take, since this was asked last? */
bool eio_polling_took(struct eio_polling *polling);
/* The oldest frame that is queued, owned; NULL when there is none. */
NODISCARD
struct frame *eio_polling_dequeue(struct eio_polling *polling);
/* Answer the parked GET if there is a reason to. */
void eio_polling_flush(struct eio_polling *polling);
void eio_polling_mark(struct eio_polling *polling);
/* Answer the parked GET with this packet alone, if there is one parked. */
void eio_polling_answer(struct eio_polling *polling, struct frame *frame);
/* Answer it that the session does not poll any more. */
void eio_polling_refuse_get(struct eio_polling *polling);
/* False when the client has still to come and fetch it. */
bool eio_polling_farewell(struct eio_polling *polling, enum eio_farewell farewell);
/* `b` and base64 of a binary frame. Returns owned. */
NODISCARD
struct frame *eio_base64_frame(const struct frame *frame);

/* websocket.c */
/* Answers the upgrade request; NULL when it was refused. The request is over in both cases. */
NODISCARD
struct ws *eio_websocket_accept(struct eio_server *server, struct http_request *request,
                                struct eio_session *session);
void eio_websocket_send(struct eio_session *session, struct frame *frame);
/* Keep what a new session of protocol 3 is sent for a moment, or until its client speaks: many of
 * these clients listen only once they have seen the 101, and miss what comes in its segment. */
void eio_websocket_open_later(struct eio_session *session);
void eio_websocket_open_now(struct eio_session *session);
/* Begin an upgrade of a polling session, or turn the newcomer away. */
void eio_websocket_probe(struct eio_session *session, struct http_request *request);
/* Let go of it: what it still says is not heard. */
void eio_websocket_close(struct ws *ws);

/* protocol3.c */
void eio_v3_reply_packets(struct eio_session *session, struct http_request *request,
                          struct frame *const *frames, size_t count);
/* Packets before a bad one are delivered. False when there was one: the session is ending. */
bool eio_v3_receive_payload(struct eio_session *session, struct str body, bool is_bytes);
/* A binary message as one WebSocket message. Returns owned. */
NODISCARD
struct frame *eio_v3_binary_frame(const struct eio_session *session, const struct frame *frame);

/* reply.c */
/* Is this handshake's Origin welcome? */
bool eio_origin_allowed(const struct eio_server *server, const struct http_request *request);
/* 200 with a payload: as it is, or of these frames. */
void eio_reply_payload(struct eio_session *session, struct http_request *request,
                       const char *content_type, struct str payload);
void eio_reply_packets(struct eio_session *session, struct http_request *request,
                       struct frame *const *frames, size_t count);
/* Status and body with the headers that every answer has. content_type may be NULL. */
void eio_reply(struct eio_server *server, struct http_request *request, unsigned status,
               const char *content_type, struct str body);
void eio_reply_error(struct eio_server *server, struct http_request *request, enum eio_error error);
/* 503 with Retry-After. */
void eio_reply_busy(struct eio_server *server, struct http_request *request);
/* A CORS preflight. False when CORS is off: then it is a request like others. */
NODISCARD
bool eio_reply_preflight(struct eio_server *server, struct http_request *request);
